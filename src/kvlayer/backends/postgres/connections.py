"""A pool of connections for threads, and how long an answer of the server is waited for.

It is no `psycopg_pool`, whose threads would have to be kept out of every fork of the program, and
which tells who waits for a connection only that none came, not why.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.sql import Composed

from kvlayer.errors import StorageClosed

_Result = TypeVar("_Result")
_Row = tuple[Any, ...]

_GRACE_SECONDS: Final = 5.0  # by which the client waits longer than the server works
_IDLE_SECONDS: Final = 300.0
_MOST_PREPARED: Final = 1000  # statements; a program with a hundred tables uses several on each


class NotConnectedError(Exception):
    """No connection could be had; the cause says why. Nothing was sent."""


class PoolExhaustedError(Exception):
    """All connections were in use for too long. Nothing was sent."""


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
    """One connection, with the cursor for all its statements: making cursors costs as much as a small row."""

    __slots__ = ("_connection", "_cursor", "_poll", "_prepare", "idle_since")

    def __init__(self, settings: dict[str, Any], *, statement_timeout: float, prepare: bool) -> None:
        """Connects. Raises psycopg.Error."""
        self._connection = _Connection.connect(autocommit=True, **settings)
        self._connection.patience = statement_timeout + _GRACE_SECONDS
        self._connection.prepared_max = _MOST_PREPARED
        self._cursor = self._connection.cursor(binary=True)
        self._prepare = prepare
        self._poll = select.poll()
        self._poll.register(self._connection.fileno(), select.POLLIN)
        self.idle_since = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self._connection.pgconn.status != ConnStatus.OK

    def execute(self, statement: bytes, parameters: Sequence[Any] = ()) -> psycopg.Cursor[_Row]:
        """Runs a statement; the cursor is good until the next one."""
        return self._cursor.execute(statement, parameters, prepare=self._prepare, binary=True)

    def command(self, statement: Composed) -> None:
        """Runs a statement that takes no parameters, of those that can't be prepared."""
        self._cursor.execute(statement, prepare=False)

    def transaction(self) -> Any:
        """A context in which all statements are done, or none."""
        return self._connection.transaction()

    @property
    def is_idle(self) -> bool:
        """Whether nothing was left unfinished: no transaction, no answer, no lost connection."""
        return self._connection.pgconn.transaction_status == TransactionStatus.IDLE

    def is_usable(self) -> bool:
        """Whether the server has not ended the session meanwhile: as the operating system knows, since
        asking the server would take as long as reading a row."""
        return not self._poll.poll(0)  # nothing was asked, so whatever has come is a farewell

    def close(self) -> None:
        """Twice is fine."""
        self._connection.close()


class ConnectionPool:
    """Up to `most` sessions, each used by one thread at a time; `least` of them stay open."""

    def __init__(self, connect: Callable[[], Session], *, least: int, most: int, timeout: float) -> None:
        """Opens `least` sessions; raises NotConnectedError."""
        self._connect = connect
        self._least = least
        self._timeout = timeout
        self._permits: SimpleQueue[None] = SimpleQueue()  # a semaphore in C
        for _ in range(most):
            self._permits.put(None)
        self._idle: deque[Session] = deque()  # the one used last is at the right
        self._closed = False
        try:
            for _ in range(least):
                self._idle.append(self._opened())
        except NotConnectedError:
            self.close()
            raise

    def take(self) -> Session:
        """A session for the time of an operation, to be given back whatever happens.

        Raises NotConnectedError, PoolExhaustedError, and StorageClosed.
        """
        try:
            self._permits.get(timeout=self._timeout)
        except Empty:
            raise PoolExhaustedError from None
        try:
            return self._usable_session()
        except BaseException:
            self._permits.put(None)
            raise

    def give_back(self, session: Session) -> None:
        """The other half of `take`."""
        if session.is_idle:
            session.idle_since = time.monotonic()
            self._idle.append(session)
        else:
            session.close()
        self._permits.put(None)
        if self._closed:
            self.close_idle()
        elif len(self._idle) > self._least:
            self._close_longest_idle(session.idle_since - _IDLE_SECONDS)

    def close_idle(self) -> None:
        """Closes the sessions that nobody uses, because the server seems to have gone."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def close(self) -> None:
        """Closes all sessions; those in use, when their operation ends."""
        self._closed = True
        self.close_idle()

    def _usable_session(self) -> Session:
        if self._closed:
            raise StorageClosed("the client was closed")
        with suppress(IndexError):
            while True:
                session = self._idle.pop()
                if session.is_usable():
                    return session
                session.close()
        return self._opened()

    def _close_longest_idle(self, before: float) -> None:
        with suppress(IndexError):  # others take and close sessions too
            oldest = self._idle.popleft()
            if oldest.idle_since < before:
                oldest.close()
            else:
                self._idle.appendleft(oldest)

    def _opened(self) -> Session:
        try:
            return self._connect()
        except psycopg.Error as error:
            raise NotConnectedError from error
