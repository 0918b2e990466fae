"""A pool of connections for threads.

It is no `psycopg_pool`, whose threads would have to be kept out of every fork of the program, and
which tells who waits for a connection only that none came, not why.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

import psycopg

from kvlayer.backends.postgres.sessions import Session
from kvlayer.errors import StorageClosed

_IDLE_SECONDS: Final = 300.0


class NotConnectedError(Exception):
    """No connection could be had; the cause says why. Nothing was sent."""


class PoolExhaustedError(Exception):
    """All connections were in use for too long. Nothing was sent."""


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
        while True:
            try:
                session = self._idle.pop()
            except IndexError:
                return self._opened()
            if session.is_usable():
                return session
            session.close()

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
