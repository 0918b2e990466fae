"""Exact addition in Python, by compare and set: of any size, on any number of keys in one call."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from kvlayer import values
from kvlayer.backends.accumulo import waiting
from kvlayer.backends.accumulo.changes import Change
from kvlayer.backends.base import BackendTable
from kvlayer.errors import StorageError

_LONGEST_WAIT: Final = 0.1
_FIRST_WAIT: Final = 0.001


def increment(
    table: BackendTable,
    deltas: Sequence[tuple[bytes, Any]],
    *,
    read: Callable[[list[bytes]], list[bytes | None]],
    change: Callable[[list[Change]], set[bytes]],
    seconds: float,
) -> list[Any]:
    """Adds to each key, and to those that others changed meanwhile again; the new values.

    `read` gives the stored values of keys, `change` the keys where a change did not find what it
    expected. Raises BadKey where a sum can't be stored; before anything is written, unless another client
    made it so meanwhile.
    """
    deadline = time.monotonic() + seconds
    sums: dict[bytes, Any] = {}
    left = dict(deltas)
    attempt = 0
    while left:
        waiting.check()
        keys = list(left)
        stored = read(keys)
        added = dict(zip(keys, values.add(table, stored, [left[key] for key in keys]), strict=True))
        missed = change([(key, old, added[key][1]) for key, old in zip(keys, stored, strict=True)])
        sums.update((key, added[key][0]) for key in keys if key not in missed)
        left = {key: left[key] for key in keys if key in missed}
        if left:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"accumulo: increment of table {table.name!r}: other clients kept changing"
                    f" {len(left)} of {len(deltas)} keys; the others were added to",
                    retryable=False,
                )
            # Somebody else has succeeded, so it is only a matter of turns; at random, lest they stay in step.
            attempt += 1
            time.sleep(random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)))  # noqa: S311
    return [sums[key] for key, _ in deltas]
