"""SQLite's errors as kvlayer's: what happened, to which file and table, and what to do about it."""

from __future__ import annotations

import os
import sqlite3
from typing import Final, NamedTuple

from kvlayer.errors import BadKey, KvlayerError, StorageError


class _Meaning(NamedTuple):
    text: str
    retryable: bool


# By primary result code: https://www.sqlite.org/rescode.html
_MEANINGS: Final = {
    sqlite3.SQLITE_FULL: _Meaning(
        "the disk is full; nothing of this call was written. Free some space and repeat it", True
    ),
    sqlite3.SQLITE_BUSY: _Meaning(
        "another process held the file's write lock for longer than busy_timeout; nothing of this call "
        "was written. Repeat it, or raise busy_timeout",
        True,
    ),
    sqlite3.SQLITE_LOCKED: _Meaning("the table is locked; nothing of this call was written. Repeat it", True),
    sqlite3.SQLITE_PROTOCOL: _Meaning(
        "too many processes opened the file at the same moment; nothing of this call was written. Repeat it",
        True,
    ),
    sqlite3.SQLITE_READONLY: _Meaning(
        "the file can't be written by this user. Allow the user to write it and its folder, where SQLite "
        "keeps two files beside it; or read only",
        False,
    ),
    sqlite3.SQLITE_NOTADB: _Meaning(
        "the file is no SQLite database, or an encrypted one. It was left as it is; name another file", False
    ),
    sqlite3.SQLITE_CORRUPT: _Meaning(
        "the database is damaged. Keep a copy of the file with its -wal; restore a backup, or try "
        "`sqlite3 FILE .recover`",
        False,
    ),
    sqlite3.SQLITE_IOERR: _Meaning(
        "the operating system failed to read or write; nothing of this call was written. Look for a broken "
        "disk, a quota or file size limit (ulimit -f), a file system that went away",
        False,
    ),
    sqlite3.SQLITE_PERM: _Meaning("access was denied. Look at the owner and mode of the file", False),
}
# By the names of extended codes, which say more.
_SPECIAL_MEANINGS: Final = {
    "SQLITE_READONLY_DIRECTORY": _Meaning(
        "this user can't make files in its folder, which SQLite needs even to read a database in WAL mode "
        "while no other process has it open. Allow that, or read from a copy made by `VACUUM INTO`",
        False,
    ),
    # The first write to a full disk may be to the shared index of the write-ahead log.
    "SQLITE_IOERR_SHMSIZE": _MEANINGS[sqlite3.SQLITE_FULL],
}
_OTHER: Final = _Meaning("SQLite failed", False)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 where the error is not from SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def is_missing_table(error: sqlite3.Error) -> bool:
    """Whether a statement failed because its table was dropped."""
    return primary_code(error) == sqlite3.SQLITE_ERROR and str(error).startswith("no such table: ")


def explain(error: sqlite3.Error, path: str, operation: str, table: str | None = None) -> KvlayerError:
    """The error to raise for SQLite's; the caller makes SQLite's its cause.

    A StorageError, or BadKey for a row that is longer than SQLite's limit.
    """
    where = (
        f"sqlite: {operation} of table {table!r} in {path!r}" if table else f"sqlite: {operation} {path!r}"
    )
    if primary_code(error) == sqlite3.SQLITE_TOOBIG:
        return BadKey(f"{where}: a key and its value are together longer than SQLite's limit for one row")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if primary_code(error) == sqlite3.SQLITE_CANTOPEN:
        meaning = _why_not_opened(path)
    else:
        meaning = _SPECIAL_MEANINGS.get(name) or _MEANINGS.get(primary_code(error), _OTHER)
    return StorageError(f"{where} failed: {meaning.text} ({name}: {error})", retryable=meaning.retryable)


def _why_not_opened(path: str) -> _Meaning:
    """SQLite says only that it could not open a file; the file system knows more."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return _Meaning(f"the folder {folder!r} isn't there, or this user may not enter it", False)
    if os.path.isdir(path):
        return _Meaning("this is a folder. Name a file in it", False)
    if not os.path.exists(path):
        if not os.access(folder, os.W_OK | os.X_OK):
            return _Meaning("the file isn't there, and this user can't make it in its folder", False)
        return _Meaning("the file can't be made, or was removed while in use", False)
    if not os.access(path, os.R_OK):
        return _Meaning("this user can't read the file. Look at its owner and mode", False)
    return _Meaning(
        "the file or one of the two beside it can't be opened. Does this process have too many files open "
        "(ulimit -n), or may it not make files in the folder?",
        True,
    )
