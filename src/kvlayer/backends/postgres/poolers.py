"""Opening sessions, also through a pooler such as PgBouncer.

A pooler may give each transaction of a client to another session of the server, one that other
clients use as well. So nothing may be left in a session, neither its settings nor prepared statements:
a name could stand for another client's statement there, on other tables.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import psycopg
from psycopg import generators
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Literal

from kvlayer.backends.postgres.options import parsed_settings
from kvlayer.backends.postgres.sessions import Connection, Cursor, Session, succeeded

_GRACE_SECONDS: Final = 5.0  # by which the client waits longer than the server works

# Of no use within a transaction.
_BEFORE_TRANSACTIONS: Final = "default_transaction_isolation"


class Connector:
    """Opens sessions, and remembers what the first one learned of a pooler."""

    def __init__(self, settings: dict[str, Any], *, statement_timeout: float, prepare: bool | None) -> None:
        """Takes the settings of the connection; `prepare` of None: unless there is a pooler."""
        self._settings = settings
        self._patience = statement_timeout + _GRACE_SECONDS
        self._prepare = prepare
        self._session_settings = parsed_settings(settings["options"])

    def __call__(self) -> Session:
        """A new session. Raises psycopg.Error."""
        try:
            connection = Connection.connect(autocommit=True, **self._settings)
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" not in str(error) or not self._settings["options"]:
                raise
            self._settings = {**self._settings, "options": ""}  # a pooler takes none
            connection = Connection.connect(autocommit=True, **self._settings)
        connection.patience = self._patience
        try:
            if _is_pooled(connection):
                return PooledSession(connection, self._session_settings, prepare=bool(self._prepare))
        except BaseException:
            connection.close()
            raise
        return Session(connection, prepare=self._prepare is not False)


def _is_pooled(connection: Connection) -> bool:
    """Whether the server's process that answers is not the one that the connection was made to."""
    statement = b"SELECT pg_catalog.pg_backend_pid()"
    answer = connection.execute(statement, prepare=False).fetchone()
    return answer != (connection.info.backend_pid,)


class _Pipeline(psycopg.Pipeline):
    """A pipeline that ends with its Sync. psycopg's own sends a Flush after it, which may reach a pooler when
    the transaction is over: PgBouncer then gives the client a session of the server for it, and takes that
    back only after the client's next transaction. Some idle clients would hold up all others."""

    def _exit_gen(self) -> Generator[Any, Any, None]:
        try:
            self._enqueue_sync()
            yield from self._communicate_gen()
        finally:
            yield from self._fetch_gen(flush=False)


class PooledSession(Session):
    """A session through a pooler: each transaction brings its settings, in the same round trip where it is
    a single statement."""

    __slots__ = ("_in_transaction", "_local_settings", "_settings_cursor")

    is_pooled: ClassVar[bool] = True

    def __init__(self, connection: Connection, settings: dict[str, str], *, prepare: bool) -> None:
        super().__init__(connection, prepare=prepare)
        calls = [
            SQL("pg_catalog.set_config({}, {}, true)").format(Literal(name), Literal(value))
            for name, value in settings.items()
            if name != _BEFORE_TRANSACTIONS
        ]
        self._local_settings = SQL("SELECT {}").format(SQL(", ").join(calls)).as_bytes(connection)
        self._settings_cursor = connection.cursor()
        self._in_transaction = False

    def execute(self, statement: bytes, parameters: Sequence[Any] = ()) -> Cursor:
        """As the base class's."""
        if self._in_transaction:
            return super().execute(statement, parameters)
        with self._pipeline():  # which is a transaction, too
            self._settings_cursor.execute(self._local_settings, prepare=False)
            return super().execute(statement, parameters)

    def command(self, statement: Any) -> None:
        """As the base class's."""
        if self._in_transaction:
            super().command(statement)
            return
        with self._pipeline():
            self._settings_cursor.execute(self._local_settings, prepare=False)
            super().command(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As the base class's."""
        with self._connection.transaction():
            self._settings_cursor.execute(self._local_settings, prepare=False)
            self._in_transaction = True
            try:
                yield
            finally:
                self._in_transaction = False

    @contextmanager
    def _pipeline(self) -> Iterator[None]:
        self._connection._pipeline = _Pipeline(self._connection)  # which `pipeline` then takes
        with self._connection.pipeline():
            yield

    def _ask(self, name: bytes, statement: bytes, parameters: Sequence[bytes]) -> PGresult:
        self._pgconn.enter_pipeline_mode()
        self._pgconn.send_query_params(self._local_settings, None)
        self._send(name, statement, parameters)
        self._pgconn.pipeline_sync()
        settings, answer = self._connection.wait(self._two_answers())
        self._pgconn.exit_pipeline_mode()
        succeeded(settings)
        return succeeded(answer)

    def _two_answers(self) -> Generator[Any, Any, tuple[list[PGresult], list[PGresult]]]:
        yield from generators.send(self._pgconn)
        settings = yield from generators.fetch_many(self._pgconn)
        answer = yield from generators.fetch_many(self._pgconn)
        yield from generators.fetch_many(self._pgconn)  # the end of the pipeline
        return settings, answer
