"""The operations of a store in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import SplitResult

import psycopg

from kvlayer import values
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, Backend, BackendTable, Capabilities, Row
from kvlayer.backends.postgres import names, options, pages, schema
from kvlayer.backends.postgres.connections import ConnectionPool, NotConnectedError, PoolExhaustedError
from kvlayer.backends.postgres.failures import (
    Attempts,
    MaybeDoneError,
    NotDoneError,
    classified,
    explain,
    is_missing_table,
)
from kvlayer.backends.postgres.poolers import Connector
from kvlayer.backends.postgres.sessions import Session
from kvlayer.backends.postgres.statements import TableStatements
from kvlayer.backends.retry import repeating
from kvlayer.errors import NoSuchTable, StorageError

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_ReadPage = Callable[..., tuple[list[_Item], bytes | None]]  # read_rows or read_keys of pages

# An entry of a btree index takes 2704 bytes at most in pages of 8 kB; its header and the length take 12.
_MAX_KEY_BYTES: Final = 2692
# PostgreSQL limits a field, a row and a message to 1 GiB each; the message holds the key too.
_MAX_VALUE_BYTES: Final = 2**30 - 8192
_STATEMENT_ROWS: Final = 20_000  # more take a second statement of the transaction, lest one take too long

_INT_LIMIT: Final = 10**values.MAX_DIGITS  # of a column of counters; a delta may be longer than any sum

_FACTS: Final = b"""
    SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_database()::text,
           pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('fsync', true),
           pg_catalog.current_setting('synchronous_commit', true),
           pg_catalog.current_setting('statement_timeout', true),
           pg_catalog.current_setting('lock_timeout', true)"""


class PostgresBackend(Backend):
    """Tables in a PostgreSQL database, for any number of threads, processes and machines."""

    Options: ClassVar[type[options.PostgresOptions]] = options.PostgresOptions

    reads_ahead = True

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
        max_value_bytes=_MAX_VALUE_BYTES,
    )

    def __init__(self, options: options.PostgresOptions, app_name: str, namespace: str) -> None:
        """Connects, and asks whether the server keeps what it acknowledges. Raises StorageError."""
        self._app_name = app_name
        self._namespace = namespace
        self._schema = names.schema_name(app_name, namespace)
        self._retry_seconds = options.retry_seconds
        self._statements: dict[BackendTable, TableStatements] = {}
        settings = options.connection_settings()
        self._where = _where(settings)
        try:
            self._pool = ConnectionPool(
                Connector(
                    settings,
                    statement_timeout=options.statement_timeout,
                    prepare=options.prepared_statements,
                ),
                least=options.min_connections,
                most=options.max_connections,
                timeout=options.pool_timeout,
            )
        except NotConnectedError as error:
            raise explain(
                error, self._where, Attempts("connect", None, writes=False, whole=True)
            ) from error.__cause__
        try:
            facts = self.ping()
        except BaseException:
            self._pool.close()
            raise
        self.capabilities = replace(type(self).capabilities, durable=facts["durable"])

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """`postgresql://user:password@host:port/database`; the query holds options of kvlayer."""
        return options.options_from_url(url)

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Makes the tables that aren't there yet."""

        def create(session: Session) -> None:
            schema.create_tables(session, self._app_name, self._namespace, tables)

        self._run("create tables", create, makes_tables=True, whole=False)

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows in one transaction, in the order of their keys, so that writers never deadlock."""
        sql = self._sql(table)
        if len(rows) == 1:
            ((key, value),) = rows
            parameters = (key, sql.packed(value))
            self._on_table("put", table, lambda session: session.ask(sql.put_one, parameters))
        elif rows:
            batches = [
                ([key for key, _ in batch], sql.members([value for _, value in batch]))
                for batch in _batches(sorted(rows, key=itemgetter(0)))
            ]
            self._on_table("put", table, lambda session: _execute_all(session, sql.put, batches))

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order; of the first so many, where those pass `PAGE_BYTES`."""
        sql = self._sql(table)
        if len(keys) == 1:
            (key,) = keys
            return [
                self._on_table(
                    "get", table, lambda session: pages.read_value(session, sql, key), writes=False
                )
            ]
        return self._on_table(
            "get", table, lambda session: pages.read_values(session, sql, keys), writes=False
        )

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys in one transaction, in their order."""
        sql = self._sql(table)
        ordered = sorted(keys)
        batches = [(ordered[at : at + _STATEMENT_ROWS],) for at in range(0, len(ordered), _STATEMENT_ROWS)]
        if batches:
            self._on_table("delete", table, lambda session: _execute_all(session, sql.delete, batches))

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows; no connection and no transaction is held between them."""
        return self._pages("scan", table, pages.read_rows, start, stop, reverse, limit)

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys, from the index alone where the table was vacuumed since it was written."""
        return self._pages("scan_keys", table, pages.read_keys, start, stop, reverse, limit)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes a range in one statement."""
        sql = self._sql(table)
        text, ends = (sql.delete_from, (start,)) if stop is None else (sql.delete_range, (start, stop))
        self._on_table("delete_range", table, lambda session: session.execute(text, ends))

    def clear(self, table: BackendTable) -> None:
        """Empties the table by TRUNCATE, which waits until all others have ended their statements on it."""
        sql = self._sql(table)
        self._on_table("clear", table, lambda session: session.command(sql.truncate))

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds in one transaction: ints in one statement of SQL, floats in Python while their rows are
        locked, since SQL refuses sums that overflow and forgets the sign of a zero."""
        if not deltas:
            return []
        sql = self._sql(table)
        ordered = sorted(deltas, key=itemgetter(0))
        by_sql = table.kind == "counter" and all(-_INT_LIMIT < delta < _INT_LIMIT for _, delta in ordered)
        add = partial(_add_by_sql if by_sql else _add_in_python, sql=sql, table=table, deltas=ordered)
        sums = self._on_table("increment", table, add, repeatable=False)
        return [sums[key] for key, _ in deltas]

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        """Compares and writes in one statement."""
        sql = self._sql(table)
        before = None if expected is None else sql.packed(expected)
        after = None if value is None else sql.packed(value)
        if before is None:
            statement = sql.absent if after is None else sql.put_absent
        else:
            statement = sql.delete_same if after is None else sql.put_same
        parameters = [parameter for parameter in (key, before, after) if parameter is not None]

        def is_done(session: Session) -> bool:
            return session.ask(statement, parameters).ntuples == 1

        return self._on_table("compare_and_put", table, is_done, repeatable=False)

    def ping(self) -> dict[str, Any]:
        """Asks the server. Returns its `version`, `where` it is, the `database`, whether it is a `standby`,
        whether what it acknowledges is `durable`, whether a pooler is in between (`pooled`), and the
        `statement_timeout` and `lock_timeout` that are in force there.
        """

        def ask(session: Session) -> dict[str, Any]:
            facts = session.execute(_FACTS).fetchone()
            assert facts is not None  # for the type checker: the query has exactly one row
            version, database, standby, fsync, synchronous_commit, statement_timeout, lock_timeout = facts
            return {
                "version": version,
                "where": self._where,
                "database": database,
                "standby": standby,
                "durable": "off" not in (fsync, synchronous_commit),
                "pooled": session.is_pooled,
                "statement_timeout": statement_timeout,
                "lock_timeout": lock_timeout,
            }

        return self._run("ping", ask, writes=False)

    def estimate_rows(self, table: BackendTable) -> int | None:
        """What the server's statistics say, which are made anew from time to time; None before."""

        def estimate(session: Session) -> int | None:
            return schema.estimate_rows(session, self._schema, table)

        rows = self._on_table("estimate_rows", table, estimate, writes=False)
        if rows is None:
            raise self._no_such_table(table)
        return rows if rows >= 0 else None

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs that have a schema in the database, sorted."""
        return self._run("list namespaces", schema.list_namespaces, writes=False)

    def drop_namespace(self) -> None:
        """Drops the namespace's schema; who uses one of its tables gets NoSuchTable."""

        def drop(session: Session) -> None:
            schema.drop_namespace(session, self._app_name, self._namespace)

        self._run("drop namespace", drop, whole=False)
        self._statements.clear()

    def close(self) -> None:
        """Closes the connections, those in use when their operation ends."""
        self._pool.close()

    def _sql(self, table: BackendTable) -> TableStatements:
        statements = self._statements.get(table)
        if statements is None:
            statements = self._statements[table] = TableStatements(self._schema, table)
        return statements

    def _pages(
        self,
        operation: str,
        table: BackendTable,
        read: _ReadPage[_Item],
        start: bytes,
        stop: bytes | None,
        reverse: bool,
        limit: int | None,
    ) -> Iterator[list[_Item]]:
        """Reads page after page, each from where the last one ended."""
        sql = self._sql(table)
        last: bytes | None = b""
        while last is not None and (limit is None or limit > 0):
            rows = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
            action = partial(read, sql=sql, start=start, stop=stop, rows=rows, reverse=reverse)
            page, last = self._on_table(operation, table, action, writes=False)
            if page:
                yield page
            if last is not None and reverse:
                stop = last
            elif last is not None:
                start = last + b"\0"
            if limit is not None:
                limit -= len(page)

    def _on_table(
        self,
        operation: str,
        table: BackendTable,
        action: Callable[[Session], _Result],
        *,
        writes: bool = True,
        repeatable: bool = True,
    ) -> _Result:
        try:
            return self._run(operation, action, table=table, writes=writes, repeatable=repeatable)
        except StorageError as error:
            if is_missing_table(error.__cause__):
                raise self._no_such_table(table) from error.__cause__
            raise

    def _no_such_table(self, table: BackendTable) -> NoSuchTable:
        return NoSuchTable(f"there is no table {table.name!r} in namespace {self._namespace!r}")

    def _run(
        self,
        operation: str,
        action: Callable[[Session], _Result],
        *,
        table: BackendTable | None = None,
        writes: bool = True,
        whole: bool = True,
        repeatable: bool = True,
        makes_tables: bool = False,
    ) -> _Result:
        """Does it on some connection, and again where that is safe and may help.

        Raises StorageError, or BadKey for what a column can't hold.
        """

        attempts = Attempts(operation, table, writes=writes, whole=whole)

        def attempt() -> _Result:
            session = self._pool.take()
            try:
                return action(session)
            except psycopg.Error as error:
                outcome = classified(error, session, makes_tables=makes_tables)
                attempts.failed(outcome)
                if outcome is error:
                    raise
                if session.is_lost or isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                    session.close()
                    self._pool.close_idle()
                raise outcome from error
            finally:
                self._pool.give_back(session)

        repeated = (NotConnectedError, NotDoneError, *((MaybeDoneError,) if repeatable else ()))
        try:
            return repeating(attempt, on=repeated, within=self._retry_seconds)
        except psycopg.Error as error:
            raise explain(error, self._where, attempts) from error
        except (NotConnectedError, NotDoneError, MaybeDoneError, PoolExhaustedError) as error:
            raise explain(error, self._where, attempts) from error.__cause__


_where = options.where  # within the class, `options` is also the name of an argument


def _batches(rows: list[Row]) -> list[list[Row]]:
    """The rows in lists that one statement can take."""
    if len(rows) <= _STATEMENT_ROWS and sum(map(len, chain.from_iterable(rows))) <= PAGE_BYTES:
        return [rows]
    batches: list[list[Row]] = [[]]
    size = 0
    for row in rows:
        size += len(row[0]) + len(row[1])
        if batches[-1] and (len(batches[-1]) == _STATEMENT_ROWS or size > PAGE_BYTES):
            batches.append([])
            size = len(row[0]) + len(row[1])
        batches[-1].append(row)
    return batches


def _execute_all(session: Session, statement: bytes, parameters: Sequence[Sequence[Any]]) -> None:
    """Runs a statement with each of the parameters, in one transaction."""
    if len(parameters) == 1:
        session.execute(statement, parameters[0])
        return
    with session.transaction():
        for some in parameters:
            session.execute(statement, some)


def _add_by_sql(
    session: Session, sql: TableStatements, table: BackendTable, deltas: list[tuple[bytes, int]]
) -> dict[bytes, int]:
    keys = [key for key, _ in deltas]
    texts = [b"%d" % delta for _, delta in deltas]
    return {key: int(text) for key, text in session.execute(sql.add, (keys, texts)).fetchall()}


def _add_in_python(
    session: Session, sql: TableStatements, table: BackendTable, deltas: list[tuple[bytes, Any]]
) -> dict[bytes, Any]:
    keys = [key for key, _ in deltas]
    with session.transaction():
        stored: dict[bytes, Any] = dict(session.execute(sql.lock, (keys,)).fetchall())
        convert = sql.column.from_member or bytes
        sums = values.add(table, [convert(stored[key]) for key, _ in deltas], [delta for _, delta in deltas])
        session.execute(sql.put, (keys, sql.members([text for _, text in sums])))
    return {key: total for key, (total, _) in zip(keys, sums, strict=True)}
