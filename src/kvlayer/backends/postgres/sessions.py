"""One connection, its statements, and how long their answers are waited for.

Statements on one row go to libpq directly: what a cursor does for each statement takes as long as
the server takes to find a row.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Composed, Identifier

_Result = TypeVar("_Result")
_Row: TypeAlias = tuple[Any, ...]
Cursor: TypeAlias = psycopg.Cursor[_Row]

_MOST_PREPARED: Final = 1000  # statements; a program with a hundred tables uses several on each

_BINARY: Final = [Format.BINARY]
_DONE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Connection(psycopg.Connection[_Row]):
    """A connection that gives up waiting for a server that does not answer at all."""

    patience: float = 60.0
    """Seconds that each statement may take."""

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

    is_pooled: ClassVar[bool] = False
    """Whether a pooler is between client and server."""

    def __init__(self, connection: Connection, *, prepare: bool) -> None:
        """Takes over a new connection."""
        self._connection = connection
        self._connection.prepared_max = _MOST_PREPARED
        self._pgconn = connection.pgconn
        self._cursor = connection.cursor(binary=True)
        self._prepare = prepare
        self._names: dict[bytes, bytes] = {}  # of the statements that `ask` has prepared
        self._numbers = count()
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        self.idle_since = 0.0

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

    def execute(self, statement: bytes, parameters: Sequence[Any] = ()) -> Cursor:
        """Runs a statement with parameters `%b`; the cursor is good until the next one."""
        return self._cursor.execute(statement, parameters, prepare=self._prepare, binary=True)

    def command(self, statement: Composed) -> None:
        """Runs a statement that takes no parameters, of those that can't be prepared."""
        self._cursor.execute(statement, prepare=False)

    def ask(self, statement: bytes, parameters: Sequence[bytes]) -> PGresult:
        """Runs a statement with parameters `$1`, `$2` …, in the binary form of their types, outside of
        a transaction; in that form it is answered, too."""
        try:
            return self._ask(self._name(statement), statement, parameters)
        except errors.InvalidSqlStatementName:  # the driver has let the server forget all names
            self._names.clear()
            return self._ask(self._name(statement), statement, parameters)

    def transaction(self) -> AbstractContextManager[Any]:
        """A context in which all statements are done, or none."""
        return self._connection.transaction()

    def close(self) -> None:
        """Twice is fine."""
        self._connection.close()

    def _ask(self, name: bytes, statement: bytes, parameters: Sequence[bytes]) -> PGresult:
        self._send(name, statement, parameters)
        return succeeded(self._connection.wait(generators.execute(self._pgconn)))

    def _send(self, name: bytes, statement: bytes, parameters: Sequence[bytes]) -> None:
        """Sends a statement, by its name if it has one."""
        formats = _BINARY * len(parameters)
        if name:
            self._pgconn.send_query_prepared(name, parameters, formats, Format.BINARY)
        else:
            self._pgconn.send_query_params(
                statement, parameters, param_formats=formats, result_format=Format.BINARY
            )

    def _name(self, statement: bytes) -> bytes:
        """The name under which the statement is prepared, now or earlier; empty: it is not to be."""
        if not self._prepare:
            return b""
        name = self._names.get(statement)
        if name is None:
            if len(self._names) >= _MOST_PREPARED:
                self._forget_oldest()
            name = b"kvlayer_%d" % next(self._numbers)
            self._pgconn.send_prepare(name, statement)
            succeeded(self._connection.wait(generators.execute(self._pgconn)))
            self._names[statement] = name
        return name

    def _forget_oldest(self) -> None:
        name = self._names.pop(next(iter(self._names)))
        with suppress(errors.InvalidSqlStatementName):
            self.command(SQL("DEALLOCATE {}").format(Identifier(name.decode())))


def succeeded(results: Sequence[PGresult]) -> PGresult:
    """The answer to a statement. Raises psycopg.Error."""
    for result in results:  # one, unless the connection ends
        if result.status not in _DONE:
            raise errors.error_from_result(result)
    return results[0]
