"""The client: one app name and one namespace of one store, and the tables in it.

It knows no store. Tables validate and encode (table.py), a backend keeps bytes (backends/).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

from kvlayer import catalog, config
from kvlayer.backends.base import Backend, BackendTable, Capabilities
from kvlayer.catalog import TableInfo
from kvlayer.definition import Definition
from kvlayer.errors import (
    ConfigurationError,
    NoSuchTable,
    ProgrammerError,
    StorageClosed,
    StorageError,
)
from kvlayer.keys import Key, KeyCodec, schema
from kvlayer.ranges import Range, byte_ranges
from kvlayer.stats import Operation, Recorder, Totals
from kvlayer.table import Table
from kvlayer.values import ValueCodec, ValueType

_ATTEMPTS: Final = 10

KeyTypes: TypeAlias = Sequence[type] | int
"""The type of each part of a table's keys, or n for n UUIDs."""


def client(
    config: Mapping[str, Any] | str | None = None,
    storage_type: str | None = None,
    *,
    app_name: str | None = None,
    namespace: str | None = None,
) -> Client:
    """A client of the configured store.

    `config` is the contents of a `kvlayer:` block or a URL (`sqlite:///file.db`); without one it is
    yakonfig's global configuration, or else the store in memory. The other arguments override what
    it says. The configuration is checked by this call; the store is connected on first use.

    Raises ConfigurationError for a configuration that can't work.
    """
    return Client(_resolve(config, storage_type, app_name, namespace))


_resolve = config.resolve


def _restored(given: dict[str, Any]) -> Client:
    return Client(_resolve(given))


class Client:
    """Access to the tables of one app name and namespace, made by `kvlayer.client`.

    It may be used by several threads, and in a forked child, which gets connections of its own
    where `capabilities.fork_safe` is True. It pickles as its configuration, and is a context
    manager that closes itself. Besides the errors named below, every method raises StorageClosed
    after `close`, and StorageError when the store fails.
    """

    def __init__(self, settings: config.Settings) -> None:
        self._settings = settings
        self._backend: Backend | None = None
        self._inherited: Backend | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._recorder = Recorder()
        common = settings.common
        if common.log_stats is not None:
            self._recorder.log(
                common.log_stats,
                interval_ops=common.log_stats_interval_ops,
                interval_seconds=common.log_stats_interval_seconds,
            )
        _clients.add(self)

    def __repr__(self) -> str:
        settings = self._settings
        return (
            f"<kvlayer.Client storage_type={settings.common.storage_type!r}"
            f" app_name={settings.app_name!r} namespace={settings.namespace!r}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._settings.given,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The namespace

    def setup_namespace(
        self,
        tables: Mapping[str, KeyTypes],
        value_types: Mapping[str, ValueType] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Makes the tables that aren't there yet; the others stay as they are.

        `tables` gives for each name the types of its key parts (str, int, uuid.UUID, bytes, float),
        or n for n UUIDs. `value_types` gives value types other than bytes: str, int, float,
        kvlayer.COUNTER, kvlayer.ACCUMULATOR; one left out keeps what is stored. `options` gives what
        a store may use when it makes a table, over the `table_options` of the configuration:
        `splits`, a list of keys or a number, where the store is to divide the table among servers;
        and what `capabilities.table_options` lists. Any number of clients may do this at once.

        Raises ConfigurationError for names, types or options that can't be; SchemaMismatch, before
        anything is made, where a table has other types.
        """
        backend = self._connected()
        value_types, options = dict(value_types or {}), dict(options or {})
        for name in (*value_types, *options):
            if name not in tables:
                raise ProgrammerError(f"setup_namespace: {name!r} is not among the tables")
        wanted = [
            (_table_name(name), schema(types, name), value_types.get(name)) for name, types in tables.items()
        ]
        for name, _, value_type in wanted:
            ValueCodec(bytes if value_type is None else value_type, name)
        encoded_options = {
            name: self._table_options(name, types, options.get(name, {}), backend.capabilities)
            for name, types, _ in wanted
        }
        for definition in self._make(backend, wanted, encoded_options):
            self._tables[definition.info.name] = Table(self, definition.info.name, definition)

    def tables(self) -> list[TableInfo]:
        """What the namespace holds: name, key types and value type of each table, by name."""
        return catalog.read_all(self._connected())

    def table(self, name: str) -> Table:
        """A handle on a table that any client has set up. Raises NoSuchTable."""
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table(self, name, self._define(name))
        else:
            self._connected()
        return table

    def delete_namespace(self) -> None:
        """Removes all tables of the namespace, and what the catalogue says of them."""
        self._connected().drop_namespace()
        self._tables.clear()

    # The tables: each method is the one of the same name in `Table`

    def put(self, table: str, *pairs: tuple[Key, Any]) -> None:
        """Writes (key, value) pairs; see `Table.put`."""
        self.table(table).put(*pairs)

    def put_many(self, table: str, pairs: Iterable[tuple[Key, Any]], batch_size: int = 1000) -> int:
        """Writes any number of pairs in constant memory and returns how many; see `Table.put_many`."""
        return self.table(table).put_many(pairs, batch_size)

    def get(self, table: str, *keys: Key) -> Iterator[tuple[Key, Any]]:
        """(key, value) pairs in the order asked, None for a missing value; see `Table.get`."""
        return self.table(table).get(*keys)

    def scan(
        self,
        table: str,
        *ranges: Range,
        reverse: bool = False,
        limit: int | None = None,
        after: Key | None = None,
    ) -> Iterator[tuple[Key, Any]]:
        """(key, value) pairs in key order, in constant memory; see `Table.scan`."""
        return self.table(table).scan(*ranges, reverse=reverse, limit=limit, after=after)

    def scan_keys(
        self,
        table: str,
        *ranges: Range,
        reverse: bool = False,
        limit: int | None = None,
        after: Key | None = None,
    ) -> Iterator[Key]:
        """As `scan`, but only keys; see `Table.scan_keys`."""
        return self.table(table).scan_keys(*ranges, reverse=reverse, limit=limit, after=after)

    def delete(self, table: str, *keys: Key) -> None:
        """Removes keys; see `Table.delete`."""
        self.table(table).delete(*keys)

    def delete_range(self, table: str, *ranges: Range) -> None:
        """Removes the rows of the ranges; see `Table.delete_range`."""
        self.table(table).delete_range(*ranges)

    def increment(self, table: str, *deltas: tuple[Key, int | float]) -> list[Any]:
        """Adds to counters and returns their new values; see `Table.increment`."""
        return self.table(table).increment(*deltas)

    def compare_and_put(self, table: str, key: Key, expected: Any, value: Any) -> bool:
        """Replaces a value if it is as expected; see `Table.compare_and_put`."""
        return self.table(table).compare_and_put(key, expected, value)

    def clear_table(self, table: str) -> None:
        """Removes all rows of a table, which stays; see `Table.clear`."""
        self.table(table).clear()

    # The store

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do. Connects, since some of it is known only then."""
        return self._connected().capabilities

    def ping(self) -> dict[str, Any]:
        """Asks the store for a sign of life; returns what it says of itself, such as its version."""
        return {"storage_type": self._settings.common.storage_type, **self._connected().ping()}

    def estimate_rows(self, table: str) -> int | None:
        """About how many rows a table holds, without counting them; None where the store can't tell."""
        with self.table(table)._access as (backend, definition):
            return backend.estimate_rows(definition.stored)

    def namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs of the store, sorted. Raises NotSupported where it can't tell."""
        return self._connected().list_namespaces()

    def stats(self) -> list[Totals]:
        """Operations, keys, values, bytes and seconds by table and operation.

        Counting begins with the first call of `stats` or `on_operation`, or at once with
        `log_stats` in the configuration; until then it costs nothing.
        """
        totals = self._recorder.snapshot()
        self._observe()
        return totals

    def on_operation(self, observer: Callable[[Operation], None]) -> None:
        """Calls the observer with each operation on the store from now on, once it has ended."""
        self._recorder.add(observer)
        self._observe()

    def close(self) -> None:
        """Frees the connections; closing again does nothing. Scans that still run raise StorageClosed."""
        with self._lock:
            self._closed = True
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()
        self._recorder.close()

    def _connected(self) -> Backend:
        """The backend, opened if need be. Every operation of the client and its tables begins here."""
        return self._backend or self._connect()

    def _connect(self) -> Backend:
        with self._lock:
            if self._closed:
                raise StorageClosed(f"{self!r} was closed")
            if self._inherited is not None and not self._inherited.capabilities.fork_safe:
                raise StorageError(
                    f"{self!r} was inherited by a forked process, and this store can't be used so:"
                    " make a new client in a process that was started by 'spawn'"
                )
            if self._backend is None:
                self._backend = self._recorder.wrap(self._settings.open_backend())
            return self._backend

    def _observe(self) -> None:
        with self._lock:
            if self._backend is not None:
                self._backend = self._recorder.wrap(self._backend)

    def _define(self, name: str) -> Definition:
        if not isinstance(name, str):
            raise ProgrammerError(f"the name of a table is a str, not {type(name).__name__}")
        backend = self._connected()
        info = catalog.read(backend, name)
        if info is None:
            raise NoSuchTable(f"no table {name!r} in {self!r}; setup_namespace makes it")
        return Definition(info, backend.capabilities)

    def _make(
        self,
        backend: Backend,
        wanted: Sequence[tuple[str, tuple[type, ...], ValueType | None]],
        options: Mapping[str, Mapping[str, Any]],
    ) -> list[Definition]:
        """Enters tables into the catalogue, then makes them, until what was made is what stands there.

        Another client may drop the namespace in between: rows written into tables made then would be
        where nobody looks.
        """
        made: list[BackendTable] = []
        for _ in range(_ATTEMPTS):
            definitions = [
                Definition(info, backend.capabilities, options[info.name])
                for info in catalog.agree(backend, wanted)
            ]
            tables = [definition.stored for definition in definitions]
            if tables == made:
                return definitions
            with suppress(NoSuchTable):
                backend.create_tables(tables)
                made = tables
        raise StorageError("the namespace kept being dropped while tables were set up", retryable=True)

    def _table_options(
        self, table: str, types: tuple[type, ...], given: Mapping[str, Any], capabilities: Capabilities
    ) -> dict[str, Any]:
        """The options of a table, with split points encoded."""
        options = {**self._settings.common.table_options.get(table, {}), **given}
        known = capabilities.table_options | {"splits"}
        for key in options:
            config.refuse_unknown(key, known, f"table {table!r}: this store has no table option {key!r}")
        if isinstance(options.get("splits"), (list, tuple)):
            codec = KeyCodec(types, table)
            options["splits"] = sorted({_split_point(codec, split) for split in options["splits"]})
        elif type(options.get("splits", 1)) is not int or options.get("splits", 1) < 1:
            raise ConfigurationError(f"table {table!r}: splits is a list of keys, or a number of at least 1")
        return options

    def _start_over_in_child(self) -> None:
        """A lock may have been held, and a connection must have one user: the child begins anew.

        The inherited backend is kept, unused, since closing it could end the parent's session.
        """
        self._lock = threading.Lock()
        if self._backend is not None:
            self._inherited, self._backend = self._backend, None


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _start_over_in_child() -> None:
    for inherited in list(_clients):
        inherited._start_over_in_child()


os.register_at_fork(after_in_child=_start_over_in_child)


def _table_name(name: object) -> str:
    checked = config.check_name(f"table {name!r}", name)
    if checked.startswith(catalog.RESERVED_PREFIX):
        raise ConfigurationError(
            f"table {checked!r}: names that begin with {catalog.RESERVED_PREFIX!r} are reserved"
        )
    return checked


def _split_point(codec: KeyCodec, split: Any) -> bytes:
    """The encoded start of a key; from a configuration file it comes as a list, with UUIDs as text."""
    if not isinstance(split, (list, tuple)) or len(split) > len(codec.types):
        raise ConfigurationError(f"table {codec.table!r}: each of splits is a key, or the first parts of one")
    parts = tuple(
        UUID(part) if kind is UUID and isinstance(part, str) else part
        for part, kind in zip(split, codec.types, strict=False)
    )
    return byte_ranges(codec, [(parts, None)])[0][0]
