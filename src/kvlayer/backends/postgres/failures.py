"""What a failed operation has done and whether it may be repeated; PostgreSQL's errors as kvlayer's."""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg
from psycopg import errors

from kvlayer.backends.base import BackendTable
from kvlayer.backends.postgres.connections import NotConnectedError, PoolExhaustedError
from kvlayer.backends.postgres.sessions import Session
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
    "26000": _Meaning("a pooler in between mixes up prepared_statements, which must be off", False),
    "42P05": _Meaning("a pooler in between mixes up prepared_statements, which must be off", False),
    "58": _Meaning("the server's operating system failed", False),
    "XX": _Meaning("the server found data damaged, or has a fault", False),
}
_OTHER: Final = _Meaning("the server refused", False)

_NOTHING: Final = ". Nothing of this call was written"
_ALL_OR_NOTHING: Final = ". All or nothing of this call may have been written"
_A_PART: Final = ". A part of this call may have been done"

_MISSING_TABLE: Final = (errors.UndefinedTable, errors.InvalidSchemaName)
_UNDONE: Final = (errors.SerializationFailure, errors.DeadlockDetected, errors.ReadOnlySqlTransaction)
# Some servers let CREATE … IF NOT EXISTS fail when two clients run it at once.
_RACES_OF_MAKERS: Final = (
    errors.UniqueViolation,
    errors.DuplicateTable,
    errors.DuplicateSchema,
    errors.DuplicateObject,
    errors.InvalidSchemaName,
)


def is_missing_table(error: BaseException | None) -> bool:
    """Whether the statement failed because its table isn't there."""
    return isinstance(error, _MISSING_TABLE)


def classified(error: psycopg.Error, session: Session, *, makes_tables: bool = False) -> Exception:
    """What to raise for an error of a statement: itself, or one that tells whether it may be repeated."""
    if session.is_lost:
        return MaybeDoneError()
    if isinstance(error, errors.StatementCompletionUnknown):
        return MaybeDoneError()
    if isinstance(error, _UNDONE) or (makes_tables and isinstance(error, _RACES_OF_MAKERS)):
        return NotDoneError()
    return error


class Attempts:
    """What is known of a call after all attempts at it, for the message of its error."""

    __slots__ = ("_answered", "_operation", "_table", "_whole", "_writes")

    def __init__(self, operation: str, table: BackendTable | None, *, writes: bool, whole: bool) -> None:
        """`whole` says that the operation is one transaction."""
        self._operation = operation
        self._table = table
        self._writes = writes
        self._whole = whole
        self._answered = True

    def failed(self, outcome: Exception) -> None:
        """One more attempt has ended so."""
        self._answered &= not isinstance(outcome, MaybeDoneError)

    def subject(self) -> str:
        """What was attempted."""
        return self._operation if self._table is None else f"{self._operation} of table {self._table.name!r}"

    def what_is_written(self) -> str:
        """The end of the message."""
        if not self._writes:
            return ""
        if not self._whole:
            return _A_PART
        return _NOTHING if self._answered else _ALL_OR_NOTHING


def explain(error: Exception, where: str, attempts: Attempts) -> KvlayerError:
    """The error to raise for one of the driver or of this package.

    A StorageError, or BadKey for a key or a value that its column can't hold.
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    subject = f"postgres: {attempts.subject()} at {where} failed"
    written = attempts.what_is_written()
    if isinstance(cause, (errors.CheckViolation, errors.NumericValueOutOfRange)):
        return BadKey(f"{subject}: a counter would have more digits than can be stored{written}")
    if isinstance(cause, errors.ProgramLimitExceeded):
        return BadKey(f"{subject}: a key or a value is too long{written}")
    if isinstance(error, MaybeDoneError):
        meaning = _Meaning("the connection was lost", True)
    elif isinstance(error, NotConnectedError):
        meaning = _Meaning("no connection", _may_come_back(cause))
    elif isinstance(error, PoolExhaustedError):
        meaning = _Meaning("all max_connections were in use for longer than pool_timeout", True)
    else:
        state = getattr(cause, "sqlstate", None) or ""
        meaning = _MEANINGS.get(state) or _MEANINGS.get(state[:2]) or _OTHER
    return StorageError(f"{subject}: {meaning.text}{_reason(cause)}{written}", retryable=meaning.retryable)


def _may_come_back(cause: BaseException | None) -> bool:
    """Whether a connection may be had later; the driver has no code for it, only the server's words."""
    text = str(cause)
    lasting = ("authentication failed", "does not exist", "no password", "certificate")
    return not any(words in text for words in lasting)


def _reason(cause: BaseException | None) -> str:
    """The server's words, or the driver's: one line, and nothing that it says of rows."""
    if not isinstance(cause, psycopg.Error):
        return ""
    text = cause.diag.message_primary or str(cause)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f" ({type(cause).__name__}: {lines[0] if lines else 'no reason given'})"
