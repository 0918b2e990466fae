"""Requests to a cluster: repeated where that is right, with errors that say what was not done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from kvlayer.backends.retry import repeating
from kvlayer.backends.riak.wire import ClientClosed, Disconnected, Refused, RiakClient, RiakError, Streamed
from kvlayer.backends.riak.wire.messages import Exchange
from kvlayer.errors import StorageClosed, StorageError

_Result = TypeVar("_Result")

_SHOWN_KEYS: Final = 3
_SHOWN_BYTES: Final = 40

# A word in a node's error → what it means.
_MEANINGS: Final = {
    "no_type": "the bucket type is not there, or was not activated",
    "too_large": "a value is larger than the cluster's max_object_size",
    "n_val_violation": "more replicas are asked for than the bucket has (r, pr, w, pw, dw)",
    "indexes_not_supported": "its storage backend can't scan: kvlayer needs leveldb, leveled or memory",
    "all_nodes_down": "the cluster is starting, or too many of its nodes are down",
    "insufficient_vnodes": "the cluster is starting, or too many of its nodes are down",
    "val_unsatisfied": "too few replicas answered",
    "overload": "the cluster is overloaded",
    "timeout": "the cluster did not answer in time",
}


class _Repeatable(Exception):
    """What the caller may do once more."""


class Requests:
    """All that the backend asks of the cluster. `what` says in errors what was being done.

    Every method raises StorageError, whose `__cause__` is an error of the wire client, and StorageClosed
    after the client was closed.
    """

    def __init__(self, client: RiakClient, retry_seconds: float) -> None:
        self._client = client
        self._retry_seconds = retry_seconds
        self.nodes = ", ".join(map(str, client.addresses))

    def call(self, what: str, exchange: Exchange, message: Any = None) -> Any:
        """The answer to one request, which may be done twice."""
        return self._read(what, lambda: self._client.call(exchange, message))

    def stream(
        self, what: str, exchange: Exchange, message: Any, is_last: Callable[[Any], bool], budget: int | None
    ) -> Streamed:
        """All messages of an answer, of up to `budget` bytes."""
        return self._read(what, lambda: self._client.stream(exchange, message, is_last, budget))

    def read_all(
        self,
        what: str,
        exchange: Exchange,
        count: int,
        message: Callable[[int], Any],
        budget: int | None = None,
    ) -> list[Any]:
        """The answers to the first so many requests; of all, unless they would pass `budget` bytes."""

        def attempt() -> list[Any]:
            outcomes = self._client.call_many(exchange, count, message, budget)
            return [exchange.reply(_answered(outcome)) for outcome in outcomes]

        return self._read(what, attempt)

    def write_all(
        self,
        what: str,
        exchange: Exchange,
        keys: Sequence[bytes],
        message: Callable[[int], Any],
        *,
        once: bool = False,
    ) -> list[bytes]:
        """The undecoded answers to one request for each key. Those that failed are repeated; with `once`
        only if it is certain that they had no effect."""
        answers: dict[int, bytes] = {}
        missing = list(range(len(keys)))
        failures: Mapping[int, RiakError] = {}

        def attempt() -> None:
            nonlocal missing, failures
            try:
                outcomes = self._client.call_many(exchange, len(missing), lambda n: message(missing[n]))
            except ClientClosed as error:
                raise self._closed(what) from error
            except Disconnected as error:
                outcomes = [error] * len(missing)
            failures = {}
            for number, outcome in zip(missing, outcomes, strict=True):
                if isinstance(outcome, RiakError):
                    failures[number] = outcome
                else:
                    answers[number] = outcome
            missing = list(failures)
            if failures and all(one.may_pass and (one.undone or not once) for one in failures.values()):
                raise _Repeatable

        with suppress(_Repeatable):  # `failures` says why
            repeating(attempt, on=(_Repeatable,), within=self._retry_seconds)
        if failures:
            raise self._batch_failure(what, keys, failures) from next(iter(failures.values()))
        return [answers[number] for number in range(len(keys))]

    def explain(self, error: RiakError, what: str, outcome: str = "") -> StorageError:
        """The error to raise for one of the wire client, which the caller makes its cause."""
        meaning = "the node refused it" if isinstance(error, Refused) else "no node could be asked"
        if isinstance(error, Disconnected) and not error.undone:
            meaning = "the connection broke, or no answer came"
        meaning = next((text for word, text in _MEANINGS.items() if word in str(error)), meaning)
        return StorageError(
            f"riak: {what} at {self.nodes} failed: {outcome}{meaning} ({error})", retryable=error.may_pass
        )

    def _read(self, what: str, attempt: Callable[[], _Result]) -> _Result:
        def guarded() -> _Result:
            try:
                return attempt()
            except ClientClosed as error:
                raise self._closed(what) from error
            except RiakError as error:
                if error.may_pass:
                    raise _Repeatable from error
                raise self.explain(error, what) from error

        try:
            return repeating(guarded, on=(_Repeatable,), within=self._retry_seconds)
        except _Repeatable as repeatable:
            cause = repeatable.__cause__
            assert isinstance(cause, RiakError)
            raise self.explain(cause, what) from cause

    def _closed(self, what: str) -> StorageClosed:
        return StorageClosed(f"riak: {what} at {self.nodes}: the client was closed")

    def _batch_failure(
        self, what: str, keys: Sequence[bytes], failures: Mapping[int, RiakError]
    ) -> StorageError:
        """Says how many and which rows are not written, or not known to be."""
        shown = ", ".join(_shown(keys[number]) for number in list(failures)[:_SHOWN_KEYS])
        more = ", ..." if len(failures) > _SHOWN_KEYS else ""
        undone = all(error.undone for error in failures.values())
        certainty = "not done" if undone else "not done, or not known to be done"
        first = next((one for one in failures.values() if not one.may_pass), next(iter(failures.values())))
        outcome = f"for {len(failures)} of {len(keys)} rows it is {certainty} (encoded keys {shown}{more}): "
        failure = self.explain(first, what, outcome)
        failure.retryable = all(error.may_pass for error in failures.values())
        return failure


def _answered(outcome: bytes | RiakError) -> bytes:
    if isinstance(outcome, RiakError):
        raise outcome
    return outcome


def _shown(key: bytes) -> str:
    return (
        repr(key)
        if len(key) <= _SHOWN_BYTES
        else f"{key[:_SHOWN_BYTES]!r} and {len(key) - _SHOWN_BYTES} more"
    )
