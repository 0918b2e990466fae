"""The errors of Accumulo's Java client as kvlayer's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import jpype

from kvlayer.backends.accumulo.waiting import DeadlinePassed
from kvlayer.errors import BadKey, KvlayerError, StorageError

_CLIENT: Final = "org.apache.accumulo.core.client."
_MISSING: Final = frozenset(
    _CLIENT + name
    for name in ("TableNotFoundException", "TableDeletedException", "NamespaceNotFoundException")
)
_SECURITY: Final = _CLIENT + "AccumuloSecurityException"
_REJECTED: Final = _CLIENT + "MutationsRejectedException"
_OFFLINE: Final = _CLIENT + "TableOfflineException"
_TIMED_OUT: Final = "TimedOutException"  # the end of several names
_OF_NETWORKS: Final = ("java.io.", "java.net.", "org.apache.thrift.transport.", "org.apache.zookeeper.")
_CODES_OF_MISSING: Final = frozenset({"TABLE_DOESNT_EXIST", "NAMESPACE_DOESNT_EXIST"})

_A_PART: Final = ". A part of this call may have been done"


class Refused(Exception):
    """What a conditional write came to when it was neither done nor found the wrong value."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the servers answered {status}")
        self.status = status


class UnknownTableOptionsError(Exception):
    """The user may not read how a table was made."""

    def __init__(self) -> None:
        super().__init__("grant ALTER_TABLE, to read whether the table was made with compare_and_put: false")


class _Meaning(NamedTuple):
    text: str
    retryable: bool


_OF_CODES: Final = {
    "BAD_CREDENTIALS": _Meaning("the user or the password is wrong", False),
    "USER_DOESNT_EXIST": _Meaning("there is no such user", False),
    "PERMISSION_DENIED": _Meaning("this user may not do so", False),
    "TOKEN_EXPIRED": _Meaning("the login has expired", False),
    "INVALID_INSTANCEID": _Meaning("the servers belong to another instance", False),
    "CONNECTION_ERROR": _Meaning("a server could not be asked", True),
}


def is_missing_table(error: BaseException) -> bool:
    """Whether an error says that a table, or its namespace, isn't there."""
    return any(
        _class_name(cause) in _MISSING or not _CODES_OF_MISSING.isdisjoint(_security_codes(cause))
        for cause in _causes(error)
    )


def is_already_there(error: BaseException) -> bool:
    """Whether an error says that a table or a namespace of that name exists."""
    names = {_CLIENT + "TableExistsException", _CLIENT + "NamespaceExistsException"}
    return any(_class_name(cause) in names for cause in _causes(error))


def is_denied(error: BaseException) -> bool:
    """Whether an error says that the user lacks a permission."""
    return any("PERMISSION_DENIED" in _security_codes(cause) for cause in _causes(error))


def explain(error: Exception, operation: str, where: str, *, writes: bool) -> KvlayerError:
    """The error to raise for one of Java, or of this package; it is to be raised `from` the given one."""
    subject = f"accumulo: {operation} at {where} failed"
    broken = [text for cause in _causes(error) for text in _broken_constraints(cause)]
    if broken:
        return BadKey(f"{subject}: a row breaks a constraint of the table: {'; '.join(broken)}")
    meaning = _meaning(error)
    return StorageError(f"{subject}: {meaning.text}{_A_PART if writes else ''}", retryable=meaning.retryable)


def _meaning(error: Exception) -> _Meaning:
    if isinstance(error, DeadlinePassed):
        return _Meaning(f"{error}; are ZooKeeper, the manager and the tablet servers up?", True)
    if isinstance(error, UnknownTableOptionsError):
        return _Meaning(f"this user may not do so; {error}", False)
    causes = list(_causes(error))
    for cause in causes:
        for code in _security_codes(cause):
            text, retryable = _OF_CODES.get(code, _Meaning("the servers refused", False))
            return _Meaning(f"{text} ({code})", retryable)
    names = {_class_name(cause) for cause in causes}
    reason = _reason(causes[-1])
    if any(name.endswith(_TIMED_OUT) for name in names):
        return _Meaning(f"no tablet server answered in time{reason}", True)
    if _OFFLINE in names:
        return _Meaning(f"the table is offline{reason}", True)
    if "java.lang.OutOfMemoryError" in names:
        return _Meaning("the Java heap is too small: give -Xmx in jvm_options", False)
    transient = _REJECTED in names or any(name.startswith(_OF_NETWORKS) for name in names)
    return _Meaning(f"the servers or the driver failed{reason}", transient)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what has caused it, as Java knows; the last is the first that happened."""
    seen = 0
    cause: Any = error
    while cause is not None and seen < 20:  # Java allows circles
        yield cause
        cause = cause.getCause() if isinstance(cause, jpype.JException) else None
        seen += 1


def _class_name(error: BaseException) -> str:
    if isinstance(error, jpype.JException):
        return str(error.getClass().getName())
    return type(error).__name__


def _security_codes(error: BaseException) -> Iterator[str]:
    name = _class_name(error)
    if name == _SECURITY:
        yield str(error.getSecurityErrorCode())  # type: ignore[attr-defined]
    elif name == _REJECTED:
        for codes in error.getSecurityErrorCodes().values():  # type: ignore[attr-defined]
            yield from map(str, codes)


def _broken_constraints(error: BaseException) -> Iterator[str]:
    if isinstance(error, Refused) and error.status == "VIOLATED":
        yield "one that Accumulo does not name, such as its limit of 1 MiB for a key"
    elif _class_name(error) == _REJECTED:
        for summary in error.getConstraintViolationSummaries():  # type: ignore[attr-defined]
            yield f"{summary.getConstrainClass()}, {summary.getViolationDescription()}"


def _reason(error: BaseException) -> str:
    """The words of who failed first: one line."""
    text = error.getMessage() if isinstance(error, jpype.JException) else error
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    name = _class_name(error).rpartition(".")[2]
    return f" ({name}: {lines[0]})" if lines else f" ({name})"
