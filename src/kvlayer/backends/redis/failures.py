"""The driver's errors as kvlayer's: what happened, what is known to be written, what to do about it."""

from __future__ import annotations

import re
import ssl
from typing import Final, NamedTuple

import redis
from redis.exceptions import RedisClusterException

from kvlayer.errors import ConfigurationError, KvlayerError, StorageError

DRIVER_ERRORS: Final = (redis.RedisError, RedisClusterException)
"""Whatever the driver raises for a failure."""


class Outcome(NamedTuple):
    """What is known to be written when an operation fails, in words."""

    refused: str
    """If the server has refused it."""
    broken: str
    """If it is not known whether the server has got it."""


_NOTHING: Final = "nothing of this call was written"
READING: Final = Outcome("", "")
WRITING: Final = Outcome(_NOTHING, "it is not known whether this call was written")
NOT_SENT: Final = Outcome(_NOTHING, _NOTHING)
IN_STEPS: Final = Outcome(*2 * ["it may have been done in part; doing it again does the rest"])


class _Meaning(NamedTuple):
    text: str
    retryable: bool = False
    passes: bool = False
    """The server refuses for a moment, and has done nothing."""


# By the word that an error of the server begins with.
_MEANINGS: Final = {
    "LOADING": _Meaning("the server is still loading its data", True, True),
    "BUSY": _Meaning("the server is busy with somebody's long script (SCRIPT KILL ends it)", True, True),
    "TRYAGAIN": _Meaning("the cluster is moving this table to another node", True, True),
    "CLUSTERDOWN": _Meaning("the cluster is down: it lacks a node that holds this table", True, True),
    "MASTERDOWN": _Meaning("the server is a replica that has lost its primary", True, True),
    "READONLY": _Meaning(
        "the server is a replica, which takes no writes: name the primary, or the Sentinels or cluster"
        " that know it",
        True,
        True,
    ),
    "OOM": _Meaning("the server has reached its maxmemory: delete something, or raise it", True),
    "MISCONF": _Meaning(
        "the server can't save its data, perhaps because its disk is full, and takes no writes", True
    ),
    "NOREPLICAS": _Meaning("fewer replicas are connected than min-replicas-to-write asks for", True),
    "NOPERM": _Meaning("the user may not do this: its access control list forbids a command or a key"),
    "WRONGTYPE": _Meaning("another program has written to one of the Redis keys that kvlayer uses"),
    "CROSSSLOT": _Meaning("the server is a proxy or cluster that kvlayer took for a single server"),
    "MOVED": _Meaning("the server is a node of a cluster: set cluster: true"),
}
_UNREACHABLE: Final = _Meaning("the server can't be reached, or the connection broke", True, True)
_NO_ANSWER: Final = _Meaning("the server did not answer in time", True, True)
_NO_SLOT: Final = _Meaning("no node of the cluster answers for this table", True, True)
_RACED: Final = _Meaning("other clients kept making, clearing or dropping the table", True)
_OTHER: Final = _Meaning("the server refused it")

# Some servers put their own words before the error that a script has met.
_CODE: Final = re.compile(r"(?:^|-)([A-Z]{3,})\b")


def explain(error: Exception, where: str, what: str, outcome: Outcome) -> KvlayerError:
    """The error to raise for the driver's; the caller makes the driver's its cause.

    `where` names the server, `what` the operation and its table.
    """
    fault = _misconfiguration(error)
    if fault is not None:
        return ConfigurationError(f"redis: {where}: {fault}")
    meaning = _meaning(error)
    unanswered = meaning in (_UNREACHABLE, _NO_ANSWER, _NO_SLOT)
    written = outcome.broken if unanswered else outcome.refused
    return StorageError(
        f"redis: {what} at {where} failed: {meaning.text}{f'; {written}' if written else ''}"
        f" ({type(error).__name__}: {_first_line(error)})",
        retryable=meaning.retryable,
    )


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed a moment later."""
    return _misconfiguration(error) is None and _meaning(error).passes


def was_refused(error: Exception) -> bool:
    """Whether the server surely did nothing of what was asked, for a reason that may pass."""
    return _code(error) in _MEANINGS and may_pass(error)


def _meaning(error: Exception) -> _Meaning:
    code = _code(error)
    if code in _MEANINGS:
        return _MEANINGS[code]
    if isinstance(error, redis.WatchError):
        return _RACED
    if isinstance(error, redis.TimeoutError):
        return _NO_ANSWER
    if isinstance(error, redis.ConnectionError):
        return _UNREACHABLE
    return _NO_SLOT if isinstance(error, RedisClusterException) else _OTHER


def _code(error: Exception) -> str:
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "LOADING"
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return "READONLY"  # the driver takes some of the codes off the text
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return "OOM"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "NOPERM"
    if isinstance(error, redis.exceptions.ClusterDownError):
        return "MASTERDOWN" if isinstance(error, redis.exceptions.MasterDownError) else "CLUSTERDOWN"
    if isinstance(error, redis.exceptions.TryAgainError):
        return "TRYAGAIN"
    if isinstance(error, redis.exceptions.MovedError):
        return "MOVED"
    if not isinstance(error, redis.ResponseError):
        return ""
    text = _text(error)
    if text.startswith("The user executing the script"):
        return "NOPERM"
    found = _CODE.search(text)
    return found[1] if found else ""


def _misconfiguration(error: Exception) -> str | None:
    """What must be changed in the configuration, if that is it."""
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthenticationWrongNumberOfArgsError)):
        return "the server wants another user name or password"
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(
        error.__cause__ or error.__context__, ssl.SSLCertVerificationError
    ):
        return (
            "the server's certificate can't be verified; `driver: {ssl_ca_certs: FILE}` names who signed it"
        )
    if isinstance(error, redis.ResponseError) and "DB index" in str(error):
        return "the server has no database of the number redis_db_num"
    if isinstance(error, redis.ResponseError) and "SELECT is not allowed" in str(error):
        return "redis_db_num: a cluster has only database 0"
    if isinstance(error, RedisClusterException) and "Cluster mode is not enabled" in str(error):
        return "the server is no node of a cluster, as cluster: true says"
    return None


def _text(error: Exception) -> str:
    """What the server says, without the command that the driver may put before it, which holds values."""
    return str(error).rpartition("of pipeline caused error: ")[2]


def _first_line(error: Exception) -> str:
    """What the server says, without the place in kvlayer's scripts."""
    return re.split(r"\n|,? ?script: ", _text(error))[0].rstrip(". ") or "no reason given"
