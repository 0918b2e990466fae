"""One connection: how it is opened, also through a pooler, and how long its answers are waited for.

Statements on one row go to libpq directly: what a cursor does for each statement takes as long as
the server takes to find a row.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Composed, Identifier

_Result = TypeVar("_Result")
_Row = tuple[Any, ...]

_GRACE_SECONDS: Final = 5.0  # by which the client waits longer than the server works
_MOST_PREPARED: Final = 1000  # statements; a program with a hundred tables uses several on each

_BINARY: Final = [Format.BINARY]
_DONE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Connector:
    """Opens sessions, and keeps what the first one learned of a pooler between it and the server.

    PgBouncer refuses settings of the session in `options`, as they would be other clients' too. So they
    are left out there, unless they are the user's own; the server's defaults are then in force.
    """

    def __init__(
        self, settings: dict[str, Any], *, users_options: bool, statement_timeout: float, prepare: bool | None
    ) -> None:
        """`prepare` of None: unless there is a pooler."""
        self._settings = settings
        self._refusable = not users_options
        self._patience = statement_timeout + _GRACE_SECONDS
        self._prepare = prepare

    def __call__(self) -> Session:
        """A new session. Raises psycopg.Error."""
        try:
            connection = self._connect()
        except psycopg.OperationalError as error:
            if not (self._refusable and is_refused_setting(error)):
                raise
            self._settings = {**self._settings, "options": ""}
            connection = self._connect()
        try:
            return Session(connection, prepare=self._prepare)
        except BaseException:
            connection.close()
            raise

    def _connect(self) -> _Connection:
        connection = _Connection.connect(autocommit=True, **self._settings)
        connection.patience = self._patience
        return connection


def is_refused_setting(error: BaseException | None) -> bool:
    """Whether a connection failed since a pooler takes no settings of the session."""
    return "unsupported startup parameter" in str(error)


class _Connection(psycopg.Connection[_Row]):
    """A connection that gives up waiting for a server that does not answer at all."""

    patience: float = _GRACE_SECONDS

    def wait(
        self, gen: Generator[Any, Any, _Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """As the driver's own; raises psycopg.OperationalError once patience is exhausted."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # an answer may still come, and must reach no one else
            raise


class Session:
    """One connection, with one cursor, since making cursors costs as much as a small row."""

    __slots__ = ("_connection", "_cursor", "_names", "_numbers", "_pgconn", "_poll", "_prepare", "idle_since")

    def __init__(self, connection: _Connection, *, prepare: bool | None) -> None:
        """Takes over a new connection. Raises psycopg.Error."""
        self._connection = connection
        self._connection.prepared_max = _MOST_PREPARED
        self._pgconn = connection.pgconn
        self._cursor = connection.cursor(binary=True)
        self._names: dict[bytes, bytes] = {}  # of the statements that `ask` has prepared
        self._numbers = count()
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        self._prepare = bool(prepare)
        self.idle_since = 0.0
        if prepare is None:
            self._prepare = not self.is_pooled()

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self._pgconn.status != ConnStatus.OK

    @property
    def is_idle(self) -> bool:
        """Whether nothing was left unfinished: no transaction, no answer, no lost connection."""
        return self._pgconn.transaction_status == TransactionStatus.IDLE

    def is_usable(self) -> bool:
        """Whether the server has not ended the session meanwhile: as the operating system knows, since
        asking the server would take as long as reading a row."""
        return not self._poll.poll(0)  # nothing was asked, so whatever has come is a farewell

    def is_pooled(self) -> bool:
        """Whether a pooler is between client and server, which may give each transaction to another
        process of the server: the one that answers is not the one that the connection was made to.

        A name of a prepared statement may stand for that of another client there, on other tables.
        """
        statement = b"SELECT pg_catalog.pg_backend_pid()"
        row = self._cursor.execute(statement, prepare=False).fetchone()
        return row != (self._pgconn.backend_pid,)

    def execute(self, statement: bytes, parameters: Sequence[Any] = ()) -> psycopg.Cursor[_Row]:
        """Runs a statement with parameters `%b`; the cursor is good until the next one."""
        return self._cursor.execute(statement, parameters, prepare=self._prepare, binary=True)

    def command(self, statement: Composed) -> None:
        """Runs a statement that takes no parameters, of those that can't be prepared."""
        self._cursor.execute(statement, prepare=False)

    def ask(self, statement: bytes, parameters: Sequence[bytes]) -> PGresult:
        """Runs a statement with parameters `$1`, `$2` …, in the binary form of their types, outside of
        a transaction; in that form it is answered, too."""
        formats = _BINARY * len(parameters)
        if not self._prepare:
            self._pgconn.send_query_params(
                statement, parameters, param_formats=formats, result_format=Format.BINARY
            )
            return self._answer()
        name = self._names.get(statement) or self._prepared(statement)
        try:
            self._pgconn.send_query_prepared(name, parameters, formats, Format.BINARY)
            return self._answer()
        except errors.InvalidSqlStatementName:  # the driver has let the server forget all names
            self._names.clear()
            name = self._prepared(statement)
            self._pgconn.send_query_prepared(name, parameters, formats, Format.BINARY)
            return self._answer()

    def transaction(self) -> Any:
        """A context in which all statements are done, or none."""
        return self._connection.transaction()

    def close(self) -> None:
        """Twice is fine."""
        self._connection.close()

    def _prepared(self, statement: bytes) -> bytes:
        if len(self._names) >= _MOST_PREPARED:
            oldest = self._names.pop(next(iter(self._names)))
            with suppress(errors.InvalidSqlStatementName):
                self.command(SQL("DEALLOCATE {}").format(Identifier(oldest.decode())))
        name = b"kvlayer_%d" % next(self._numbers)
        self._pgconn.send_prepare(name, statement)
        self._answer()
        self._names[statement] = name
        return name

    def _answer(self) -> PGresult:
        results: list[PGresult] = self._connection.wait(generators.execute(self._pgconn))
        for result in results:  # one, unless the connection ends
            if result.status not in _DONE:
                raise errors.error_from_result(result)
        return results[0]
