"""Opening a database file: a new one is marked as kvlayer's, one that isn't kvlayer's is refused."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from kvlayer.backends.sqlite import registry
from kvlayer.backends.sqlite.failures import primary_code
from kvlayer.errors import StorageError

APPLICATION_ID: Final = int.from_bytes(b"kvly", "big")
"""Marks a database as kvlayer's: https://www.sqlite.org/pragma.html#pragma_application_id"""

FORMAT_VERSION: Final = 1
"""Of the layout described in docs/backends/sqlite.md; kept as the database's `user_version`."""

LOG_BYTES: Final = 64 * 2**20
"""The write-ahead log grows further only by one transaction, or by readers that never pause."""

_CHECKPOINT_PAGES: Final = 4000  # 16 MB: fewer copies of the same pages than at SQLite's 4 MB
_CHECKPOINT_MILLISECONDS: Final = 500
_CACHE_KIB: Final = 16 * 1024  # of each connection, at most; more gained nothing that was measured

# For the 20 or so statements of each of some 25 tables in use.
_CACHED_STATEMENTS: Final = 512


@dataclass(frozen=True, slots=True)
class Database:
    """A file and how it is opened."""

    path: str
    synchronous: str
    busy_timeout: float

    def connect(self, *, create: bool) -> sqlite3.Connection:
        """A connection that any one thread at a time may use.

        Without `create` the file must be there. Raises StorageError for a file that isn't kvlayer's,
        sqlite3.Error for all that SQLite itself finds wrong.
        """
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={'rwc' if create else 'rw'}",
            uri=True,
            timeout=self.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        try:
            connection.execute("BEGIN")
            new = self._is_new(connection)
            connection.execute("ROLLBACK")
            if new:
                self._claim(connection)
            self._use_write_ahead_log(connection)
            for pragma in (
                f"synchronous={self.synchronous}",
                f"cache_size={-_CACHE_KIB}",
                f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
                f"journal_size_limit={LOG_BYTES}",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def log_bytes(self) -> int:
        """The size of the write-ahead log."""
        try:
            return os.path.getsize(self.path + "-wal")
        except FileNotFoundError:  # nothing was written yet
            return 0

    def restart_log(self, connection: sqlite3.Connection) -> bool:
        """Tries to let the next writer begin the write-ahead log anew; waits for readers, but not long.

        SQLite's own checkpoints never wait, so that the log can grow while some process always reads.
        """
        connection.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MILLISECONDS}")
        try:
            (blocked, _, _) = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except sqlite3.Error:
            return False  # nothing is lost by that: the log still holds all that was written
        finally:
            connection.execute(f"PRAGMA busy_timeout={round(1000 * self.busy_timeout)}")
        return not blocked

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Whether the database is empty; raises StorageError if it is neither that nor ours.

        In a transaction, so that the three answers belong together.
        """
        application, version, tables = (
            connection.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if application == APPLICATION_ID:
            if version > FORMAT_VERSION:
                raise StorageError(
                    f"sqlite: {self.path!r} was made by a newer kvlayer (format {version}; this one knows "
                    f"{FORMAT_VERSION}). Upgrade kvlayer"
                )
            return False
        if application or version or tables:
            raise StorageError(
                f"sqlite: {self.path!r} is the database of another application; it was left as it is. "
                f"Name another file"
            )
        return True

    def _claim(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if self._is_new(connection):  # still: another process may have been faster
            registry.create(connection)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
        connection.execute("COMMIT")

    def _use_write_ahead_log(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self.busy_timeout
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if primary_code(error) == sqlite3.SQLITE_READONLY:
                    return  # a file that can't be written may be read in any mode
                # SQLite doesn't wait for locks here, and a new file may be in use already.
                if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        if mode != "wal":
            raise StorageError(
                f"sqlite: {self.path!r} can't be used in WAL mode, which needs shared memory: put the file "
                f"on a local disk, not on a network file system"
            )
