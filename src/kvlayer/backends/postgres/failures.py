"""What a failed operation has done and whether it may be repeated; PostgreSQL's errors as kvlayer's."""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg
from psycopg import errors

from kvlayer.backends.postgres.connections import NotConnectedError, PoolExhaustedError, Session
from kvlayer.errors import BadKey, KvlayerError, StorageError


class NotDoneError(Exception):
    """The server has surely done nothing, and may do it if asked again; the cause says why."""


class MaybeDoneError(Exception):
    """The connection was lost before the answer came; the cause says how."""


class _Meaning(NamedTuple):
    text: str
    retryable: bool


# By SQLSTATE (Appendix A of PostgreSQL's documentation), or its first two characters: the class.
_MEANINGS: Final = {
    "57014": _Meaning("it took longer than statement_timeout, and the server gave it up", True),
    "55P03": _Meaning("another client held a lock for longer than lock_timeout", True),
    "40": _Meaning("it kept getting in the way of other clients", True),
    "53100": _Meaning("the server's disk is full", True),
    "53300": _Meaning("the server has no connection left for this user", True),
    "53": _Meaning("the server is short of memory or of something else", True),
    "25006": _Meaning("the server only reads: it is a standby, or was told so", True),
    "42501": _Meaning("this user may not do so", False),
    "57": _Meaning("the server is shutting down, or an operator intervened", True),
    "58": _Meaning("the server's operating system failed", False),
    "XX": _Meaning("the server found data damaged, or has a fault", False),
}
_OTHER: Final = _Meaning("the server refused", False)

_NOTHING_WRITTEN: Final = "Nothing of this call was written"
_ALL_OR_NOTHING: Final = "All or nothing of this call may have been written"

_MISSING_TABLE: Final = (errors.UndefinedTable, errors.InvalidSchemaName)
_CONFLICTS: Final = (errors.TransactionRollback, errors.ReadOnlySqlTransaction)
# Some servers let CREATE … IF NOT EXISTS fail when two clients run it at once.
_RACES_OF_MAKERS: Final = (
    errors.UniqueViolation,
    errors.DuplicateTable,
    errors.DuplicateSchema,
    errors.DuplicateObject,
    errors.InvalidSchemaName,
)


def is_missing_table(error: psycopg.Error) -> bool:
    """Whether the statement failed because its table isn't there."""
    return isinstance(error, _MISSING_TABLE)


def classified(error: psycopg.Error, session: Session, *, makes_tables: bool = False) -> Exception:
    """What to raise for an error of a statement: itself, or one that tells whether it may be repeated."""
    if session.is_lost:
        return MaybeDoneError()
    if isinstance(error, errors.StatementCompletionUnknown):
        return MaybeDoneError()
    if isinstance(error, _CONFLICTS) or (makes_tables and isinstance(error, _RACES_OF_MAKERS)):
        return NotDoneError()
    return error


def explain(
    error: Exception, where: str, operation: str, *, writes: bool, whole: bool = True
) -> KvlayerError:
    """The error to raise for one of the driver or of this package.

    A StorageError, or BadKey for a value that its column can't hold. `whole` says that the
    operation is one transaction.
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    subject = f"postgres: {operation} at {where} failed"
    if isinstance(cause, (errors.CheckViolation, errors.NumericValueOutOfRange)):
        return BadKey(f"{subject}: a counter would have more digits than can be stored. {_NOTHING_WRITTEN}")
    if isinstance(cause, errors.ProgramLimitExceeded):
        return BadKey(f"{subject}: a key or a value is too long. {_NOTHING_WRITTEN}")
    if isinstance(error, MaybeDoneError):
        meaning = _Meaning("the connection was lost", True)
    elif isinstance(error, NotConnectedError):
        meaning = _Meaning("no connection", _may_come_back(cause))
    elif isinstance(error, PoolExhaustedError):
        meaning = _Meaning("all max_connections were in use for longer than pool_timeout", True)
    else:
        state = getattr(cause, "sqlstate", None) or ""
        meaning = _MEANINGS.get(state) or _MEANINGS.get(state[:2]) or _OTHER
    known = ""
    if writes:
        known = _ALL_OR_NOTHING if isinstance(error, MaybeDoneError) else _NOTHING_WRITTEN
        known = f". {known if whole else 'A part of it may have been done'}"
    return StorageError(f"{subject}: {meaning.text}{_reason(cause)}{known}", retryable=meaning.retryable)


def _may_come_back(cause: BaseException | None) -> bool:
    """Whether a connection may be had later; the driver has no code for it, only the server's words."""
    text = str(cause)
    return not any(word in text for word in ("authentication failed", "does not exist", "no password"))


def _reason(cause: BaseException | None) -> str:
    """The server's words, or the driver's: one line, and nothing that it says of rows."""
    if not isinstance(cause, psycopg.Error):
        return ""
    text = cause.diag.message_primary or str(cause)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f" ({type(cause).__name__}: {lines[0] if lines else 'no reason given'})"
