"""The names of the Redis keys that hold a table, a namespace, and the list of namespaces.

What Redis calls a key holds a whole table here. All those of a table carry one hash tag, the part in
braces, so that a cluster keeps them on one server. Names are percent-encoded in them: whatever
characters they hold, no two tables share a key, and no name reaches out of its braces.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast
from urllib.parse import quote, unquote

from kvlayer.backends.base import BackendTable, Kind

NAMESPACES: Final = b"kvlayer:namespaces"
"""A set of "app name/namespace", both encoded."""

MADE: Final = b"made"
"""The state of a table."""
LARGE: Final = b"large"
"""The state of a table that may hold large rows, so that answers must be measured (reading.py)."""
DROPPED: Final = b"dropped"
"""The state of a table for some time after it was dropped: whoever is late to make it finds this."""


class TableKeys(NamedTuple):
    """The Redis keys of one table, in the order in which scripts take them."""

    state: bytes
    """A string: MADE, LARGE or DROPPED; a table without one isn't there."""
    values: bytes
    """A hash: key → value."""
    keys: bytes
    """A sorted set of the keys, all with score 0, which makes it sort them by their bytes."""


class Layout:
    """The names for one app name and namespace."""

    def __init__(self, app_name: str, namespace: str) -> None:
        self.namespace = f"{_encoded(app_name)}/{_encoded(namespace)}".encode()
        """As it stands in `NAMESPACES`."""
        prefix = b"kvlayer:{%s}:" % self.namespace
        self.tables = prefix + b"tables"
        """A set of the tables that there are, as `entry` writes them."""
        self.dropping = prefix + b"dropping"
        """A set of the tables that are being dropped."""
        self._prefix = prefix.decode()
        self._table_keys: dict[BackendTable, TableKeys] = {}

    def table_keys(self, table: BackendTable) -> TableKeys:
        """The Redis keys of a table.

        A table without an incarnation may be made anew at any time, so it is kept where the set of
        tables is, and both are changed in one transaction.
        """
        found = self._table_keys.get(table)
        if found is None:
            name, incarnation = _encoded(table.name), _encoded(table.incarnation)
            if incarnation:
                base = f"kvlayer:{{{self.namespace.decode()}/{name}}}:{table.kind}:{incarnation}:"
            else:
                base = f"{self._prefix}{name}:{table.kind}:"
            found = TableKeys(*(f"{base}{part}".encode() for part in TableKeys._fields))
            self._table_keys[table] = found
        return found


def entry(table: BackendTable) -> bytes:
    """A table, as the set of tables has it."""
    return f"{_encoded(table.name)}:{table.kind}:{_encoded(table.incarnation)}".encode()


def table_of_entry(stored: bytes) -> BackendTable:
    """The inverse of `entry`."""
    name, kind, incarnation = stored.decode().split(":")
    return BackendTable(unquote(name), cast(Kind, kind), unquote(incarnation))


def namespace_of_entry(stored: bytes) -> tuple[str, str]:
    """App name and namespace, of a member of `NAMESPACES`."""
    app_name, namespace = stored.decode().split("/")
    return unquote(app_name), unquote(namespace)


def _encoded(name: str) -> str:
    return quote(name, safe="")
