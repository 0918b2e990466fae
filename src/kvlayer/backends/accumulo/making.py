"""Making and dropping tables and namespaces, and telling which there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import jpype

from kvlayer.backends.accumulo import waiting
from kvlayer.backends.accumulo.connecting import Connection
from kvlayer.backends.accumulo.crossing import text
from kvlayer.backends.accumulo.failures import is_already_there, is_missing_table
from kvlayer.backends.accumulo.jvm import java_class
from kvlayer.backends.accumulo.layout import Layout, namespace_pair
from kvlayer.backends.base import BackendTable
from kvlayer.errors import ConfigurationError

TABLE_OPTIONS: Final = frozenset({"properties", "compare_and_put"})
"""What `setup_namespace` takes for a table, besides `splits`."""

_COMPARED: Final = "table.custom.kvlayer.compare_and_put"

_ADMIN: Final = "org.apache.accumulo.core.client.admin."
_AT_ONCE: Final = 8
_MOST_PARTS: Final = 2**16
_ATTEMPTS: Final = 10


def create(connection: Connection, layout: Layout, tables: Sequence[BackendTable]) -> None:
    """Makes the tables that aren't there, and the namespace.

    Raises ConfigurationError for options that can't be, and what Java raises.
    """
    configurations = {table: _configuration(table) for table in tables}
    operations = connection.client.tableOperations()
    missing = [table for table in tables if not operations.exists(layout.table_name(table))]

    def make(table: BackendTable) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                operations.create(layout.table_name(table), configurations[table])
                return
            except jpype.JException as error:
                if is_already_there(error):
                    return
                if not is_missing_table(error) or attempt == _ATTEMPTS - 1:
                    raise
                _create_namespace(connection, layout.namespace)

    if missing:
        make(missing[0])  # the others find the namespace there
        waiting.all_within(connection.options.admin_timeout, make, missing[1:], at_once=_AT_ONCE)


def drop(connection: Connection, layout: Layout) -> None:
    """Removes the namespace and all that is in it, and what an interrupted drop has left.

    The namespace is renamed first, which takes all its tables away from everybody in one step: whoever
    makes it anew meanwhile loses nothing.
    """
    namespaces = connection.client.namespaceOperations()
    try:
        namespaces.rename(layout.namespace, layout.name_to_drop())
    except jpype.JException as error:
        if not is_missing_table(error):
            raise
    for namespace in [str(name) for name in namespaces.list() if layout.is_being_dropped(str(name))]:
        prefix = f"{namespace}."
        doomed = [
            str(name) for name in connection.client.tableOperations().list() if str(name).startswith(prefix)
        ]
        waiting.all_within(
            connection.options.admin_timeout,
            lambda table: _unless_gone(connection.client.tableOperations().delete, table),
            doomed,
            at_once=_AT_ONCE,
        )
        _unless_gone(namespaces.delete, namespace)


def list_namespaces(connection: Connection) -> list[tuple[str, str]]:
    """All pairs of app name and namespace that there are, sorted."""
    names = map(str, connection.client.namespaceOperations().list())
    return sorted(pair for pair in map(namespace_pair, names) if pair is not None)


def is_compared(connection: Connection, name: str) -> bool:
    """Whether an Accumulo table may be used with compare_and_put."""
    properties = connection.client.tableOperations().getTableProperties(name)
    return str(properties.get(_COMPARED)) != "false"


def _unless_gone(remove: Any, name: str) -> None:
    try:
        remove(name)
    except jpype.JException as error:
        if not is_missing_table(error):
            raise


def _create_namespace(connection: Connection, namespace: str) -> None:
    try:
        connection.client.namespaceOperations().create(namespace)
    except jpype.JException as error:
        if not is_already_there(error):
            raise


def _configuration(table: BackendTable) -> Any:
    """How a table is made, as Java takes it.

    Logical time orders the changes of a row as they came, whatever the clocks of the servers say: by
    theirs, a put in the same millisecond as a delete would be hidden behind it.
    """
    configuration = java_class(_ADMIN + "NewTableConfiguration")()
    configuration.setTimeType(java_class(_ADMIN + "TimeType").LOGICAL)
    properties = jpype.java.util.HashMap()
    for name, value in _properties(table).items():
        properties.put(name, value)
    configuration.setProperties(properties)
    splits = jpype.java.util.TreeSet()
    for split in _split_points(table):
        splits.add(text(split))
    if not splits.isEmpty():
        configuration.withSplits(splits)
    return configuration


def _properties(table: BackendTable) -> dict[str, str]:
    given = table.options.get("properties", {})
    compared = table.options.get("compare_and_put", True)
    if not isinstance(compared, bool):
        raise ConfigurationError(f"table {table.name!r}: compare_and_put is true or false")
    if not compared and table.kind != "plain":
        raise ConfigurationError(
            f"table {table.name!r}: to increment is to compare, so compare_and_put must be true"
        )
    if not isinstance(given, dict) or not all(
        isinstance(name, str) and name.startswith("table.") and isinstance(value, (str, int, float))
        for name, value in given.items()
    ):
        raise ConfigurationError(
            f"table {table.name!r}: properties is a mapping of Accumulo's names, which begin with 'table.',"
            " to text, numbers or booleans"
        )
    properties = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()
    }
    return properties if compared else {**properties, _COMPARED: "false"}


def _split_points(table: BackendTable) -> Iterable[bytes]:
    """Where the table is to be divided; a number of parts divides what two bytes can say evenly."""
    splits = table.options.get("splits", [])
    if not isinstance(splits, int):
        return [split for split in splits if split]
    if splits > _MOST_PARTS:
        raise ConfigurationError(f"table {table.name!r}: splits is a number of up to {_MOST_PARTS} parts")
    return [(part * _MOST_PARTS // splits).to_bytes(2) for part in range(1, splits)]
