"""Writing and removing rows, in two ways: atomic against comparisons, or faster where none can happen.

A tablet server locks the rows of conditional writes against each other, but not against plain ones: a
plain write that comes between the check and the write of a conditional one is lost. So rows of a
table that may be compared are written by conditional writers too, with a condition that always holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from kvlayer.backends.accumulo import crossing, waiting
from kvlayer.backends.accumulo.changes import ANYTHING, REJECTED, Change
from kvlayer.backends.accumulo.failures import Refused
from kvlayer.backends.accumulo.writers import Kind, Writers
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, Row

_Item = TypeVar("_Item")

_UNKNOWN: Final = "UNKNOWN"
_WAIT: Final = 0.05
_MOST_ROWS: Final = 10 * PAGE_ROWS


def put(writers: Writers, kind: Kind, rows: Sequence[Row]) -> None:
    """Writes rows, each by itself."""
    if kind.compares:
        _change_surely(writers, kind, [(key, ANYTHING, value) for key, value in rows])
    else:
        with writers.of(kind) as writer:
            crossing.put(writer, rows)


def delete(writers: Writers, kind: Kind, keys: Sequence[bytes]) -> None:
    """Removes rows, each by itself."""
    if kind.compares:
        _change_surely(writers, kind, [(key, ANYTHING, None) for key in keys])
    else:
        with writers.of(kind) as writer:
            crossing.delete(writer, keys)


def change(writers: Writers, kind: Kind, changes: Sequence[Change]) -> set[bytes]:
    """Makes each change where the row is as expected; the keys of those that were not.

    Raises Refused where the servers did not say what has become of one.
    """
    with writers.of(kind) as writer:
        failed = crossing.change(writer, changes)
    for status in failed.values():
        if status != REJECTED:
            raise Refused(status)
    return set(failed)


def parts(items: Sequence[_Item], size_of: Callable[[_Item], int]) -> Iterator[Sequence[_Item]]:
    """The items, in lists of a length and size that are sent at once."""
    if len(items) <= _MOST_ROWS and sum(map(size_of, items)) <= PAGE_BYTES:
        yield items
        return
    part: list[_Item] = []
    size = 0
    for item in items:
        part.append(item)
        size += size_of(item)
        if len(part) == _MOST_ROWS or size >= PAGE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _change_surely(writers: Writers, kind: Kind, changes: Sequence[Change]) -> None:
    """Makes changes without a condition, again where a server died before it said that it has."""
    while changes:
        waiting.check()
        with writers.of(kind) as writer:
            failed = crossing.change(writer, changes)
        for status in failed.values():
            if status != _UNKNOWN:
                raise Refused(status)
        changes = [change for change in changes if change[0] in failed]
        if changes:
            time.sleep(_WAIT)
