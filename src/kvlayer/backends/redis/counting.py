"""Exact addition: in the server where its numbers are exact, else in Python, by compare and set."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from kvlayer import values
from kvlayer.backends.base import BackendTable
from kvlayer.backends.redis.layout import TableKeys
from kvlayer.backends.redis.reading import Missing
from kvlayer.backends.redis.scripts import ADD, BEYOND, DONE, EXACT_LIMIT, NO_TABLE, REPLACE, optional
from kvlayer.errors import StorageError

_ATTEMPTS: Final = 1000
_LONGEST_WAIT: Final = 0.02

Once = Callable[[Callable[[Any], Any]], Any]
"""Does an action on the driver's client that must not be done twice."""


def increment(
    once: Once,
    keys: TableKeys,
    table: BackendTable,
    deltas: Sequence[tuple[bytes, Any]],
    present: Callable[[], list[bytes | None]],
) -> list[Any]:
    """Adds to all keys in one step; the new values. `present` reads the stored ones."""
    if table.kind == "counter" and all(-EXACT_LIMIT < delta < EXACT_LIMIT for _, delta in deltas):
        arguments = [part for key, delta in deltas for part in (key, b"%d" % delta)]
        answer = once(lambda client: ADD.run(client, keys, *arguments))
        if answer == NO_TABLE:
            raise Missing
        if answer != BEYOND:
            return list(map(int, answer))
    return _compare_and_set(once, keys, table, deltas, present())


def _compare_and_set(
    once: Once,
    keys: TableKeys,
    table: BackendTable,
    deltas: Sequence[tuple[bytes, Any]],
    stored: list[bytes | None],
) -> list[Any]:
    """Adds in Python, and writes if nobody has written meanwhile; else once more with what they wrote."""
    for attempt in range(_ATTEMPTS):
        sums = values.add(table, stored, [delta for _, delta in deltas])
        changes = [(key, old, text) for (key, _), old, (_, text) in zip(deltas, stored, sums, strict=True)]
        answer = replace(once, keys, changes, large=False)
        if answer is None:
            return [total for total, _ in sums]
        stored = answer
        # Somebody else has succeeded, so it is only a matter of turns; at random, lest they stay in step.
        time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.0001 * 2 ** min(attempt, 10))))  # noqa: S311
    raise StorageError(
        f"redis: increment of table {table.name!r}: other clients kept changing the same keys;"
        " nothing of this call was written",
        retryable=True,
    )


def replace(
    once: Once,
    keys: TableKeys,
    changes: Sequence[tuple[bytes, bytes | None, bytes | None]],
    *,
    large: bool,
) -> list[bytes | None] | None:
    """Writes (key, expected, new) where all is as expected, and returns None; else the present values.

    A value of None stands for no row. `large` says that a new row is a large one.
    """
    arguments = [part for key, old, new in changes for part in (key, optional(old), optional(new))]
    answer = once(lambda client: REPLACE.run(client, keys, b"large" if large else b"", *arguments))
    if answer == NO_TABLE:
        raise Missing
    present: list[bytes | None] | None = None if answer == DONE else answer
    return present
