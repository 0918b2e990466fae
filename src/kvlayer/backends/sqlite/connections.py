"""A pool of connections to one file, for the threads of a process, and what a fork does to it.

A connection must not be carried over a fork (https://www.sqlite.org/howtocorrupt.html, section 2.6):
locks are not inherited, but what SQLite remembers of them is. So before a fork each pool of the
process waits for the operations that run, at most for a page or a batch, and closes its connections;
afterwards both sides open new ones as they need them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from kvlayer.backends.sqlite.database import LOG_BYTES, Database
from kvlayer.errors import StorageClosed, StorageError

T = TypeVar("T")

_MOST_IDLE: Final = 8

# After each transaction it would make the next one slower by a quarter (measured on Linux 6.18, which
# dates the next change of a file more exactly once someone asked for its status, and has to sync that).
_LOOK_AT_LOG_SECONDS: Final = 0.1


class ConnectionPool:
    """The connections to one file. Each is used by one thread at a time; writers take turns.

    Who uses the pool takes no lock as long as it is open and nobody forks: it enters itself among the
    users, or a connection among the idle ones, before it looks whether that is so; who forks or closes
    says so before looking at users and idle connections. So one of the two sees the other.
    """

    def __init__(self, database: Database) -> None:
        """Opens the file, and makes it if it isn't there. Raises as `Database.connect`."""
        self._database = database
        self._idle: list[sqlite3.Connection] = []
        self._users: list[int] = []  # threads that use a connection, or are about to
        self._forking: int | None = None  # the thread that forks
        self._closed = False
        self._log_limit = LOG_BYTES
        self._next_look_at_log = 0.0
        with _fork_lock:
            self._renew_locks()
            _pools.add(self)
        self.read(lambda connection: None, create=True)
        self._file = _identity(database.path)

    def _renew_locks(self) -> None:
        """Makes locks that no thread holds; the write lock is shared by all pools of the file."""
        self._condition = threading.Condition()
        self._write_lock = _write_locks.setdefault(self._database.path, threading.Lock())

    def read(self, action: Callable[[sqlite3.Connection], T], *, create: bool = False) -> T:
        """What the action answers, which gets a connection to read with. It should be short: a fork
        waits for its end."""
        connection = self._enter()
        try:
            if connection is None:
                connection = self._database.connect(create=create)
            return action(connection)
        except BaseException:
            # Closing undoes a transaction and ends a statement, whatever state they are in.
            if connection is not None:
                _close(connection)
                connection = None
            raise
        finally:
            self._leave(connection)

    def write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What the action answers, in a transaction that is committed then, or undone after an error."""

        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            answer = action(connection)
            connection.execute("COMMIT")
            return answer

        return self.write_at_once(transaction)

    def write_at_once(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What the action answers, which executes one statement, or takes care of the transaction itself.

        SQLite makes a statement a transaction of its own, without the work of two more.
        """
        lock = self._write_lock
        # Threads that wait here take turns; SQLite would let each of them sleep and try again.
        if not lock.acquire(timeout=self._database.busy_timeout):
            raise StorageError(
                f"sqlite: another thread wrote to {self._database.path!r} for longer than busy_timeout; "
                f"nothing of this call was written. Repeat it, or raise busy_timeout",
                retryable=True,
            )

        def checked(connection: sqlite3.Connection) -> T:
            self._check_file()
            answer = action(connection)
            self._limit_log(connection)
            return answer

        try:
            return self.read(checked)
        finally:
            lock.release()

    def close(self) -> None:
        """Closes the connections, those in use as soon as they aren't; StorageClosed for who comes later."""
        with self._condition:
            self._closed = True
            self._close_idle()

    def _enter(self) -> sqlite3.Connection | None:
        """Lets the thread use a connection: an idle one, or None for a new one."""
        if os.getpid() != _process:
            raise StorageError(
                f"sqlite: this process was forked by C code or by a signal handler while "
                f"{self._database.path!r} was in use, which can't be used safely here. Open it after the fork"
            )
        me = threading.get_ident()
        self._users.append(me)
        if self._closed or self._forking is not None:
            self._wait(me)
        try:
            return self._idle.pop()
        except IndexError:
            if self._closed:  # just now
                self._wait(me)
            return None

    def _wait(self, me: int) -> None:
        """Enters a pool that is closed, which raises StorageClosed, or in which a fork has to end first."""
        with self._condition:
            self._users.remove(me)
            self._condition.notify_all()
            while self._forking is not None:
                if self._forking == me:
                    raise StorageError(f"sqlite: {self._database.path!r} can't be used by a hook of os.fork")
                self._condition.wait()
            if self._closed:
                raise StorageClosed(f"sqlite: {self._database.path!r} was closed")
            self._users.append(me)

    def _leave(self, connection: sqlite3.Connection | None) -> None:
        """Ends what `_enter` began, keeping the connection for the next thread if it is not None."""
        if connection is not None:
            self._idle.append(connection)
        self._users.remove(threading.get_ident())
        if self._closed or self._forking is not None or len(self._idle) > _MOST_IDLE:
            with self._condition:
                self._close_idle(0 if self._closed else _MOST_IDLE)
                self._condition.notify_all()

    def _check_file(self) -> None:
        """Raises StorageError rather than write to a file that was removed and so to nowhere."""
        if _identity(self._database.path) != self._file:
            raise StorageError(
                f"sqlite: {self._database.path!r} was removed or replaced while in use; nothing of this call "
                f"was written. Close the client and open the file anew"
            )

    def _limit_log(self, connection: sqlite3.Connection) -> None:
        """Tries to shorten a long log; after a failure only when it has grown by as much again."""
        now = time.monotonic()
        if now < self._next_look_at_log:
            return
        self._next_look_at_log = now + _LOOK_AT_LOG_SECONDS
        size = self._database.log_bytes
        if size > self._log_limit:
            done = self._database.restart_log(connection)
            self._log_limit = LOG_BYTES if done else size + LOG_BYTES

    def _close_idle(self, kept: int = 0) -> None:
        while len(self._idle) > kept:
            with suppress(IndexError):  # another thread was faster
                _close(self._idle.pop())

    def before_fork(self) -> None:
        """Closes all connections, once no thread uses one, and lets none use one."""
        me = threading.get_ident()
        with self._condition:
            self._forking = me
            # The forking thread itself may be in the midst of an operation: a signal handler may fork.
            self._condition.wait_for(lambda: set(self._users) <= {me})
            self._close_idle()

    def after_fork_in_parent(self) -> None:
        with self._condition:
            self._forking = None
            self._condition.notify_all()

    def after_fork_in_child(self) -> bool:
        """Makes the pool usable; False if it inherited a connection."""
        # Where `before_fork` was called, other threads can only have been about to wait.
        users = self._users if self._forking is None else [u for u in self._users if u == self._forking]
        self._renew_locks()
        self._forking = None
        if users or self._idle:
            return False
        self._users.clear()
        return True


def _close(connection: sqlite3.Connection) -> None:
    """Closes a connection, even if SQLite can't copy its log then, which whoever opens the file does."""
    with suppress(sqlite3.Error):
        connection.close()


def _identity(path: str) -> tuple[int, int] | None:
    """The file behind a path; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_pools: Final[weakref.WeakSet[ConnectionPool]] = weakref.WeakSet()
_write_locks: Final[weakref.WeakValueDictionary[str, threading.Lock]] = weakref.WeakValueDictionary()
_fork_lock = threading.Lock()  # guards the two above, and lets one thread fork at a time
_waiting: list[ConnectionPool] = []  # the pools that wait for the end of a fork
_process = os.getpid()  # in which the pools may be used


def _before_fork() -> None:
    _fork_lock.acquire()
    _waiting[:] = _pools
    for pool in _waiting:
        pool.before_fork()


def _after_fork_in_parent() -> None:
    for pool in _waiting:
        pool.after_fork_in_parent()
    _waiting.clear()
    _fork_lock.release()


def _after_fork_in_child() -> None:
    global _fork_lock, _process
    _fork_lock = threading.Lock()
    _waiting.clear()
    _write_locks.clear()
    # Not those that waited: C code may fork without calling the first of these three functions.
    unsafe = [pool for pool in _pools if not pool.after_fork_in_child()]
    if not unsafe:
        _process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
