"""The operations of a store in Apache Accumulo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import SplitResult

import jpype

from kvlayer.backends.accumulo import counting, crossing, making, options, reading, removing, writing
from kvlayer.backends.accumulo.connecting import Connection
from kvlayer.backends.accumulo.failures import UnknownTableOptionsError, is_denied, is_missing_table
from kvlayer.backends.accumulo.layout import Layout
from kvlayer.backends.accumulo.reading import Part, ReadPage
from kvlayer.backends.accumulo.waiting import DeadlinePassed
from kvlayer.backends.accumulo.writers import Kind, Writers
from kvlayer.backends.base import Backend, BackendTable, Capabilities, Row
from kvlayer.errors import NoSuchTable, NotSupported, StorageError

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")

_MAX_KEY_BYTES: Final = 2**20  # by the constraint that Accumulo puts on each table
# A tablet server needs some ten times a value as heap, and ends when it has not enough.
_MAX_VALUE_BYTES: Final = 64 * 2**20
_ATTEMPTS: Final = 3


class AccumuloBackend(Backend):
    """Tables in an instance of Accumulo, for any number of threads, processes and machines."""

    Options: ClassVar[type[options.AccumuloOptions]] = options.AccumuloOptions

    capabilities = Capabilities(
        durable=True,
        concurrent_processes=True,
        atomic_put=False,
        reverse=False,
        compare_and_put=True,
        atomic_increment=True,
        accumulate=True,
        atomic_increment_batch=False,
        fork_safe=False,
        max_key_bytes=_MAX_KEY_BYTES,
        max_value_bytes=_MAX_VALUE_BYTES,
        table_options=making.TABLE_OPTIONS,
    )

    def __init__(self, options: options.AccumuloOptions, app_name: str, namespace: str) -> None:
        """Connects, and logs in. Raises StorageError, or ConfigurationError where Java can't be started."""
        self._layout = Layout(app_name, namespace)
        self._namespace = namespace
        self._options = options
        self._write_seconds = options.write_timeout()
        self._compared: dict[BackendTable, bool] = {}
        self.capabilities = replace(type(self).capabilities, page_rows=options.scan_batch_size)
        self._connection = Connection(options)
        self._writers = Writers(self._connection.client)

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """See `options.options_from_url`."""
        return options.options_from_url(url)

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Makes the tables that aren't there yet, several at once."""
        self._administer("create tables", lambda: making.create(self._connection, self._layout, tables))

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows, each by itself; some thousands at a time."""
        for part in writing.parts(rows, lambda row: len(row[0]) + len(row[1])):
            self._write("put", table, partial(writing.put, self._writers, rows=part))

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order; of the first so many, where those pass `PAGE_BYTES`."""
        return self._read("get", table, lambda name: reading.read_values(self._connection, name, keys))

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys, each by itself; some thousands at a time."""
        for part in writing.parts(keys, len):
            self._write("delete", table, partial(writing.delete, self._writers, keys=part))

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows. Raises NotSupported for `reverse`: Accumulo reads forwards only."""
        _refuse_reverse(reverse)
        return self._pages("scan", table, crossing.read_rows, itemgetter(0), start, stop, limit)

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys; the tablet servers leave the values out. Raises NotSupported for `reverse`."""
        _refuse_reverse(reverse)
        return self._pages("scan_keys", table, crossing.read_keys, bytes, start, stop, limit)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes a range: row by row, and by files where there are many."""
        if stop is None or start < stop:
            remove = partial(removing.remove_range, self._connection, self._writers, start=start, stop=stop)
            self._write("delete_range", table, remove, seconds=self._options.admin_timeout)

    def clear(self, table: BackendTable) -> None:
        """Removes all rows, as `delete_range` does; the table stays divided as it was."""
        remove = partial(removing.remove_all, self._connection, self._writers)
        self._write("clear", table, remove, seconds=self._options.admin_timeout)

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds exactly, by comparing and setting each key; all keys of a call go to the servers together."""

        def add(kind: Kind) -> list[Any]:
            return counting.increment(
                table,
                deltas,
                read=partial(reading.read_all_values, self._connection, kind.table),
                change=partial(writing.change, self._writers, kind),
                seconds=self._write_seconds,
            )

        return self._write("increment", table, add)

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        """Compares and writes in one step. Raises NotSupported on a table made to be written faster."""

        def compare(kind: Kind) -> bool:
            if self._is_compared(table, kind.table) is None:
                raise UnknownTableOptionsError
            if not kind.compares:
                raise NotSupported(f"table {table.name!r} was made with compare_and_put: false")
            if expected is None and value is None:
                return reading.read_values(self._connection, kind.table, [key]) == [None]
            return not writing.change(self._writers, kind, [(key, expected, value)])

        return self._write("compare_and_put", table, compare)

    def ping(self) -> dict[str, Any]:
        """Asks a tablet server. Returns `where` ZooKeeper is, `instance`, `instance_id`, `user`, the number
        of `tablet_servers`, and `client_version`, that of the driver."""
        return self._connection.do("ping", self._connection.facts, seconds=self._options.timeout)

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs of the instance, sorted."""
        return self._administer("list namespaces", lambda: making.list_namespaces(self._connection))

    def drop_namespace(self) -> None:
        """Removes the namespace and all its tables; who uses one of them gets NoSuchTable."""
        self._administer("drop namespace", lambda: making.drop(self._connection, self._layout))
        self._compared.clear()
        self._writers.forget_all()

    def close(self) -> None:
        """Closes the writers and ends the driver's threads, those in use when their call ends."""
        self._writers.close()
        self._connection.close()

    def _pages(
        self,
        operation: str,
        table: BackendTable,
        read: ReadPage[_Item],
        key_of: Callable[[_Item], bytes],
        start: bytes,
        stop: bytes | None,
        limit: int | None,
    ) -> Iterator[list[_Item]]:
        """Reads page after page, each from where the last one ended."""
        complete = stop is not None and start >= stop
        while not complete and (limit is None or limit > 0):
            most = self.capabilities.page_rows if limit is None else min(limit, self.capabilities.page_rows)
            part = Part(start, stop, most)
            page, complete = self._read(operation, table, partial(self._read_page, part, read))
            if page:
                yield page
                start = key_of(page[-1]) + b"\0"
            if limit is not None:
                limit -= len(page)

    def _read_page(self, part: Part, read: ReadPage[_Item], name: str) -> tuple[list[_Item], bool]:
        return reading.read_page(self._connection, name, part, read, keys_only=read is crossing.read_keys)

    def _is_compared(self, table: BackendTable, name: str) -> bool | None:
        """Whether a table may be used with compare_and_put; None where this user may not know."""
        if table.kind != "plain" or not table.incarnation:  # the catalogue has none
            return True
        if table not in self._compared:
            try:
                self._compared[table] = making.is_compared(self._connection, name)
            except jpype.JException as error:
                if not is_denied(error):
                    raise
                return None
        return self._compared[table]

    def _read(self, operation: str, table: BackendTable, action: Callable[[str], _Result]) -> _Result:
        return self._on_table(operation, table, action, seconds=self._options.timeout, writes=False)

    def _write(
        self,
        operation: str,
        table: BackendTable,
        action: Callable[[Kind], _Result],
        *,
        seconds: float | None = None,
    ) -> _Result:
        def write(name: str) -> _Result:
            compares = self._is_compared(table, name) is not False
            return action(Kind(name, compares, kept=bool(table.incarnation)))

        return self._on_table(operation, table, write, seconds=seconds or self._write_seconds, writes=True)

    def _on_table(
        self,
        operation: str,
        table: BackendTable,
        action: Callable[[str], _Result],
        *,
        seconds: float,
        writes: bool,
    ) -> _Result:
        name = self._layout.table_name(table)
        for _ in range(_ATTEMPTS):
            try:
                return self._connection.do(
                    f"{operation} of table {table.name!r}", action, name, seconds=seconds, writes=writes
                )
            except StorageError as error:
                cause = error.__cause__
                is_gone = self._is_gone(name, cause)
                # Servers have several ways to say that a table is gone, and some fail over it.
                if not is_gone and (cause is None or not is_missing_table(cause)):
                    raise
                self._writers.forget(name)
                self._compared.pop(table, None)
                if is_gone:
                    break
        raise NoSuchTable(f"there is no table {table.name!r} in namespace {self._namespace!r}") from cause

    def _is_gone(self, name: str, cause: BaseException | None) -> bool:
        """Whether an operation has failed because the Accumulo table isn't there, as far as can be told."""
        if isinstance(cause, DeadlinePassed):
            return False

        def exists() -> bool:
            return bool(self._connection.client.tableOperations().exists(name))

        try:
            return not self._connection.do("look up", exists, seconds=self._options.connect_timeout)
        except StorageError:
            return False

    def _administer(self, operation: str, call: Callable[[], _Result]) -> _Result:
        return self._connection.do(operation, call, seconds=self._options.admin_timeout, writes=True)


def _refuse_reverse(reverse: bool) -> None:
    if reverse:
        raise NotSupported("accumulo: tablet servers read forwards only")
