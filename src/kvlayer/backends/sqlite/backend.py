"""The operations of a store on an SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from operator import itemgetter
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote_to_bytes

import msgspec

from kvlayer.backends.base import PAGE_ROWS, Backend, BackendTable, Capabilities, Row
from kvlayer.backends.sqlite import registry
from kvlayer.backends.sqlite.connections import ConnectionPool
from kvlayer.backends.sqlite.database import Database
from kvlayer.backends.sqlite.failures import explain, is_missing_table
from kvlayer.backends.sqlite.statements import (
    TableStatements,
    add_in_one_statement,
    add_in_python,
    read_keys,
    read_rows,
    read_values,
)
from kvlayer.errors import ConfigurationError, NoSuchTable

T = TypeVar("T")
_TableAction = Callable[[sqlite3.Connection, TableStatements], T]

with closing(sqlite3.connect(":memory:")) as _connection:
    _ROW_BYTES: Final = _connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)

# SQLite limits a row: shared out so that a longest key and a longest value fit into one together.
_MAX_KEY_BYTES: Final = _ROW_BYTES // 16
_ROW_HEADER_BYTES: Final = 32


class SQLiteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of storage type sqlite. Raises ValueError for a filename that can't be one."""

    filename: str
    """The database file; `~` is the user's home. It is made if it isn't there, its folder is not."""

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    """FULL: what was acknowledged survives a power cut. NORMAL: the last few writes may be lost then, none
    when only the process dies."""

    busy_timeout: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    """Seconds that a write waits for other writers."""

    def __post_init__(self) -> None:
        if not self.filename or "\0" in self.filename or "://" in self.filename:
            raise ValueError("filename must be the path of a file")
        if self.filename == ":memory:":
            raise ValueError("filename: ':memory:' is no file; for memory use storage_type: local")
        if os.path.isdir(os.path.expanduser(self.filename)):
            raise ValueError("filename is a folder; name a file in it")


class _Pages(NamedTuple, Generic[T]):
    """What pages consist of: rows or keys."""

    columns: str
    read: Callable[[sqlite3.Connection, str, Sequence[Any]], tuple[list[T], bool]]
    key: Callable[[T], bytes]


_ROWS: Final = _Pages[Row]("k, v", read_rows, lambda row: row[0])
_KEYS: Final = _Pages[bytes]("k", read_keys, lambda key: key)


class SQLiteBackend(Backend):
    """Tables in one SQLite file, for any number of threads and processes of one machine."""

    Options: ClassVar[type[SQLiteOptions]] = SQLiteOptions

    capabilities = Capabilities(
        durable=True,
        concurrent_processes=True,
        atomic_put=True,
        reverse=True,
        compare_and_put=True,
        atomic_increment=True,
        accumulate=True,
        atomic_increment_batch=True,
        fork_safe=True,
        max_key_bytes=_MAX_KEY_BYTES,
        max_value_bytes=_ROW_BYTES - _MAX_KEY_BYTES - _ROW_HEADER_BYTES,
    )

    def __init__(self, options: SQLiteOptions, app_name: str, namespace: str) -> None:
        """Opens the file, and makes it if it isn't there; raises StorageError if it can't."""
        self._app_name = app_name
        self._namespace = namespace
        self._path = os.path.realpath(os.path.expanduser(options.filename))
        self._database = Database(self._path, options.synchronous, options.busy_timeout)
        self._statements: dict[BackendTable, TableStatements] = {}
        try:
            self._pool = ConnectionPool(self._database)
        except sqlite3.Error as error:
            raise explain(error, self._path, "open") from error

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """`sqlite:///relative.db` and `sqlite:////absolute.db`, as SQLAlchemy writes them."""
        if url.netloc:
            raise ConfigurationError(
                "a URL of sqlite names no host: sqlite:///relative.db, sqlite:////absolute.db"
            )
        if not url.path.startswith("/") or url.path == "/":
            raise ConfigurationError(
                "a URL of sqlite names a file: sqlite:///relative.db, sqlite:////absolute.db"
            )
        if url.fragment:
            raise ConfigurationError("a # in the file name of a URL is written %23")
        return {"filename": os.fsdecode(unquote_to_bytes(url.path[1:]))}

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Makes the tables that aren't there yet; takes the write lock only if there are such."""
        names = self._app_name, self._namespace

        def some_missing(connection: sqlite3.Connection) -> bool:
            return any(registry.find(connection, *names, table) is None for table in tables)

        if self._read("create tables in", some_missing):
            self._write("create tables in", lambda connection: registry.add(connection, *names, tables))

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows in one transaction."""
        if len(rows) == 1:
            self._execute("put", table, lambda sql: sql.put, rows[0])
        else:
            # Neighbours share a page, and each page is then written once.
            self._execute_many("put", table, lambda sql: sql.put, sorted(rows, key=itemgetter(0)))

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order; of the first so many, where those pass `PAGE_BYTES`."""
        return self._read_table("get", table, lambda connection, sql: read_values(connection, sql, keys))

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys in one transaction."""
        if len(keys) == 1:
            self._execute("delete", table, lambda sql: sql.delete, keys)
        else:
            self._execute_many("delete", table, lambda sql: sql.delete, [(key,) for key in sorted(keys)])

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows; each page is one statement, and sees one state of the table."""
        return self._pages("scan", table, _ROWS, start, stop, reverse, limit)

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys, from the index alone."""
        return self._pages("scan_keys", table, _KEYS, start, stop, reverse, limit)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes a range in one transaction, however many rows it holds."""
        if stop is None:
            self._execute("delete_range", table, lambda sql: sql.delete_from, (start,))
        else:
            self._execute("delete_range", table, lambda sql: sql.delete_range, (start, stop))

    def clear(self, table: BackendTable) -> None:
        """Removes all rows in one transaction; SQLite frees whole pages and looks at no row."""
        self._execute("clear", table, lambda sql: sql.clear, ())

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds in one transaction; in Python, for SQL would turn large ints into floats, except to one
        counter that is small."""
        if len(deltas) == 1 and table.kind == "counter":
            ((counter, by),) = deltas
            total = self._on_table(
                self._pool.write_at_once,
                "increment",
                table,
                lambda connection, sql: add_in_one_statement(connection, sql, counter, by),
            )
            if total is not None:
                return [total]

        return self._write_table(
            "increment", table, lambda connection, sql: add_in_python(connection, sql, table, deltas)
        )

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        """Compares and writes in one transaction, so that no one writes in between."""

        def replace(connection: sqlite3.Connection, sql: TableStatements) -> bool:
            (stored,) = connection.execute(sql.get, (key,)).fetchone() or (None,)
            if stored != expected:
                return False
            if value is not None:
                connection.execute(sql.put, (key, value))
            elif stored is not None:
                connection.execute(sql.delete, (key,))
            return True

        return self._write_table("compare_and_put", table, replace)

    def ping(self) -> dict[str, Any]:
        """Reads from the file. Returns SQLite's `version`, the `file`, its `size_bytes` and those of its
        write-ahead log, `log_bytes`, and the `journal_mode`: wal, unless the file can't be written.
        """

        def facts(connection: sqlite3.Connection) -> dict[str, Any]:
            connection.execute("SELECT count(*) FROM kvlayer_tables").fetchone()
            return {
                "version": sqlite3.sqlite_version,
                "file": self._path,
                "size_bytes": os.path.getsize(self._path),
                "log_bytes": self._database.log_bytes,
                "journal_mode": connection.execute("PRAGMA journal_mode").fetchone()[0],
            }

        return self._read("ping", facts)

    def estimate_rows(self, table: BackendTable) -> int | None:
        """Exact to about a thousand rows, else from a sample, in a few milliseconds."""
        return self._read_table("estimate_rows", table, lambda connection, sql: sql.estimate_rows(connection))

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs with tables in the file, sorted."""
        return self._read("list namespaces in", registry.namespaces)

    def drop_namespace(self) -> None:
        """Removes all tables of the namespace in one transaction; who uses one gets NoSuchTable."""
        self._write(
            "drop the namespace from",
            lambda connection: registry.drop(connection, self._app_name, self._namespace),
        )

    def close(self) -> None:
        """Closes the file, in threads that are in the midst of an operation when that ends."""
        self._pool.close()

    def _pages(
        self,
        operation: str,
        table: BackendTable,
        pages: _Pages[T],
        start: bytes,
        stop: bytes | None,
        reverse: bool,
        limit: int | None,
    ) -> Iterator[list[T]]:
        """Reads page after page, each from where the last one ended."""
        while limit is None or limit > 0:
            rows = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
            read = partial(_read_page, pages, start, stop, rows, reverse)
            page, cut = self._read_table(operation, table, read)
            if page:
                yield page
            if not cut and len(page) < rows:
                return
            last = pages.key(page[-1])
            if reverse:
                stop = last
            else:
                start = last + b"\0"
            if limit is not None:
                limit -= len(page)

    def _read_table(self, operation: str, table: BackendTable, action: _TableAction[T]) -> T:
        return self._on_table(self._pool.read, operation, table, action)

    def _write_table(self, operation: str, table: BackendTable, action: _TableAction[T]) -> T:
        return self._on_table(self._pool.write, operation, table, action)

    def _execute(
        self,
        operation: str,
        table: BackendTable,
        text: Callable[[TableStatements], str],
        parameters: Sequence[bytes],
    ) -> None:
        """Writes by one statement."""

        def execute(connection: sqlite3.Connection, sql: TableStatements) -> None:
            # No cursor may outlive this: when it goes, it resets a statement that the next user shares.
            connection.execute(text(sql), parameters)

        self._on_table(self._pool.write_at_once, operation, table, execute)

    def _execute_many(
        self,
        operation: str,
        table: BackendTable,
        text: Callable[[TableStatements], str],
        parameters: Sequence[Sequence[bytes]],
    ) -> None:
        """Writes by one statement, executed with each of the parameters, in one transaction."""

        def execute(connection: sqlite3.Connection, sql: TableStatements) -> None:
            connection.executemany(text(sql), parameters)

        self._write_table(operation, table, execute)

    def _on_table(
        self,
        run: Callable[[Callable[[sqlite3.Connection], T]], T],
        operation: str,
        table: BackendTable,
        action: _TableAction[T],
    ) -> T:
        def act(connection: sqlite3.Connection) -> T:
            return action(connection, self._statements.get(table) or self._look_up(connection, table))

        try:
            return run(act)
        except sqlite3.Error as error:
            if is_missing_table(error) and self._statements.pop(table, None) is not None:
                # Dropped by someone else, who may also have made it anew.
                return self._on_table(run, operation, table, action)
            raise explain(error, self._path, operation, table.name) from error

    def _look_up(self, connection: sqlite3.Connection, table: BackendTable) -> TableStatements:
        number = registry.find(connection, self._app_name, self._namespace, table)
        if number is None:
            raise NoSuchTable(f"there is no table {table.name!r} in namespace {self._namespace!r}")
        statements = self._statements[table] = TableStatements(number)
        return statements

    def _read(self, operation: str, action: Callable[[sqlite3.Connection], T]) -> T:
        return self._on_file(self._pool.read, operation, action)

    def _write(self, operation: str, action: Callable[[sqlite3.Connection], T]) -> T:
        return self._on_file(self._pool.write, operation, action)

    def _on_file(
        self,
        run: Callable[[Callable[[sqlite3.Connection], T]], T],
        operation: str,
        action: Callable[[sqlite3.Connection], T],
    ) -> T:
        try:
            return run(action)
        except sqlite3.Error as error:
            raise explain(error, self._path, operation) from error


def _read_page(
    pages: _Pages[T],
    start: bytes,
    stop: bytes | None,
    rows: int,
    reverse: bool,
    connection: sqlite3.Connection,
    statements: TableStatements,
) -> tuple[list[T], bool]:
    """At most so many rows of a range, and whether they were cut off at `PAGE_BYTES`."""
    text = statements.scan(pages.columns, bounded=stop is not None, reverse=reverse)
    return pages.read(connection, text, (start, rows) if stop is None else (start, stop, rows))
