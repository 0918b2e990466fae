"""Divides a table into ranges of keys that can be read at once, without reading its rows.

It asks for single keys next to byte strings half way between two known ones. Where keys spread evenly
over what they span, as UUIDs and serial numbers do, the ranges hold about as many rows each.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final

from kvlayer.ranges import EVERYTHING, ByteRange
from kvlayer.tools.raw import RawTable

_MOST_STEPS: Final = 512
_BEYOND: Final = b"\xff" * 16


def split(table: RawTable, pieces: int) -> list[ByteRange]:
    """At most so many ranges, in order, that together are the whole table."""
    boundaries = _boundaries(table, pieces - 1) if pieces > 1 else []
    edges: list[bytes | None] = [b"", *sorted(boundaries), None]
    return [(start, stop) for start, stop in pairwise(edges) if start is not None] or [EVERYTHING]


def _boundaries(table: RawTable, wanted: int) -> list[bytes]:
    """Keys that divide the table; breadth first, so that the pieces are of one generation or two."""
    backwards = table.backend.capabilities.reverse
    first = table.first_key(b"", None)
    last = table.first_key(b"", None, reverse=True) if backwards else _BEYOND
    if first is None or last is None:
        return []
    found: list[bytes] = []
    spans = deque([(first, last)])
    for _ in range(_MOST_STEPS):
        if not spans or len(found) == wanted:
            break
        low, high = spans.popleft()
        middle = _middle(low, high)
        if middle is None:
            continue
        above = table.first_key(middle, high + b"\0")
        if above is not None and low < above:
            found.append(above)
            spans.append((above, high))
        # Without reverse the lower half ends at the middle itself, and may be empty but for `low`.
        below = table.first_key(low, middle, reverse=True) if backwards else middle
        if below is not None:
            spans.append((low, below))
    return found


def _middle(low: bytes, high: bytes) -> bytes | None:
    """Bytes half way between two others, behind the first; None where there are none."""
    common = next((place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    length = common + 8
    low_number = int.from_bytes(low[:length].ljust(length, b"\0"), "big")
    high_number = int.from_bytes(high[:length].ljust(length, b"\0"), "big")
    if high_number - low_number < 2:
        return None
    return ((low_number + high_number) // 2).to_bytes(length, "big")
