"""What a scan was asked for → the byte ranges to read, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from kvlayer.errors import ProgrammerError
from kvlayer.keys import Key, KeyCodec

Range: TypeAlias = tuple[Key | None, Key | None]
"""Both ends of a range, both included. A tuple shorter than the table's keys stands for all its
extensions; () or None is no bound."""

ByteRange: TypeAlias = tuple[bytes, bytes | None]
"""Encoded keys from the first, included, to the second, not included; None: no end."""

EVERYTHING: ByteRange = (b"", None)


def byte_ranges(codec: KeyCodec, ranges: Sequence[Range]) -> list[ByteRange]:
    """The ranges that aren't empty, in the order given.

    Raises ProgrammerError for what is no pair of ends, BadKey for ends that don't fit the table.
    """
    encoded = []
    for ends in ranges:
        if not (isinstance(ends, (tuple, list)) and len(ends) == 2):
            raise ProgrammerError(
                f"table {codec.table!r}: a range is a pair of keys (start, end), got {_shape(ends)}"
            )
        encoded.append(codec.range(*ends))
    return [ends for ends in encoded if ends is not None]


def scan_plan(
    codec: KeyCodec, ranges: Sequence[Range], *, reverse: bool, after: Key | None
) -> list[ByteRange]:
    """What a scan has to read; without a range, the whole table.

    With `after`, what is left of the ranges when they were read up to that key: ranges before the
    first one that holds it are done, that one goes on behind it, and later ones are read wholly.
    Where no range holds the key, each is cut to what lies behind it.
    """
    plan = byte_ranges(codec, ranges) if ranges else [EVERYTHING]
    if after is None:
        return plan
    key = codec.encode(after)
    for position, (start, stop) in enumerate(plan):
        if start <= key and (stop is None or key < stop):
            return [*_behind(plan[position], key, reverse), *plan[position + 1 :]]
    return [rest for whole in plan for rest in _behind(whole, key, reverse)]


def _behind(whole: ByteRange, key: bytes, reverse: bool) -> list[ByteRange]:
    start, stop = whole
    if reverse:
        stop = key if stop is None else min(stop, key)
    else:
        start = max(start, key + b"\0")
    return [(start, stop)] if stop is None or start < stop else []


def _shape(ends: object) -> str:
    return f"{len(ends)} members" if isinstance(ends, (tuple, list)) else type(ends).__name__
