"""Rows between Python and Java by the batch: the functions of `crossing`, with a helper written in Java.

Many rows cross as one array of bytes. It holds 32-bit numbers, big endian: first how many items there are,
then the lengths of each item's parts; behind them the parts. The other side is
`java/kvlayer/accumulo/Rows.java`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, chain, pairwise
from typing import Any, Final

import jpype

from kvlayer.backends.accumulo.changes import ANYTHING, Change
from kvlayer.backends.accumulo.jvm import java_class
from kvlayer.backends.base import PAGE_BYTES, Row

HELPER: Final = "kvlayer.accumulo.Rows"

# In place of the length of a part that isn't there, and of an expected value that may be any.
_ABSENT: Final = -1
_ANYTHING: Final = -2


def put(writer: Any, rows: Sequence[Row]) -> None:
    """As `crossing.put`."""
    parts = list(chain.from_iterable(sorted(rows)))
    _helper().put(writer, _packed(len(rows), parts, map(len, parts)))


def delete(writer: Any, keys: Sequence[bytes]) -> None:
    """As `crossing.delete`."""
    parts = sorted(keys)
    _helper().delete(writer, _packed(len(keys), parts, map(len, parts)))


def change(writer: Any, changes: Sequence[Change]) -> dict[bytes, str]:
    """As `crossing.change`."""
    ordered = sorted(changes, key=_key_of)
    given = list(chain.from_iterable(ordered))
    parts = [part for part in given if part is not None and part is not ANYTHING]
    statuses = bytes(_helper().change(writer, _packed(len(ordered), parts, map(_length_of, given))))
    names = _statuses()
    return {
        change[0]: names[status]
        for change, status in zip(ordered, statuses, strict=True)
        if names[status] != "ACCEPTED"
    }


def read_rows(iterator: Any, most: int) -> tuple[list[Row], bool]:
    """As `crossing.read_rows`."""
    parts, size = _unpacked(bytes(_helper().read(iterator, most, PAGE_BYTES)), 2)
    rows = list(zip(parts[::2], parts[1::2], strict=True))
    return rows, len(rows) < most and size < PAGE_BYTES


def read_keys(iterator: Any, most: int) -> tuple[list[bytes], bool]:
    """As `crossing.read_keys`."""
    keys, size = _unpacked(bytes(_helper().readKeys(iterator, most, PAGE_BYTES)), 1)
    return keys, len(keys) < most and size < PAGE_BYTES


def exact_ranges(keys: Sequence[bytes]) -> Any:
    """As `crossing.exact_ranges`."""
    return _helper().ranges(_packed(len(keys), keys, map(len, keys)))


def _packed(items: int, parts: Sequence[bytes], lengths: Iterable[int]) -> Any:
    """A Java array of so many items."""
    numbers = [items, *lengths]
    return _byte_array()(b"".join([struct.pack(f">{len(numbers)}i", *numbers), *parts]))


def _unpacked(packed: bytes, parts_of_item: int) -> tuple[list[bytes], int]:
    """The parts of all items, and how many bytes they have."""
    [items] = struct.unpack_from(">i", packed)
    lengths = struct.unpack_from(f">{items * parts_of_item}i", packed, 4)
    start = 4 + 4 * len(lengths)
    parts = [packed[begin:end] for begin, end in pairwise(accumulate(lengths, initial=start))]
    return parts, len(packed) - start


def _key_of(change: Change) -> bytes:
    return change[0]


def _length_of(part: Any) -> int:
    if part is None:
        return _ABSENT
    return _ANYTHING if part is ANYTHING else len(part)


@cache
def _helper() -> Any:
    return java_class(HELPER)


@cache
def _byte_array() -> Any:
    return jpype.JArray(jpype.JByte)


@cache
def _statuses() -> list[str]:
    """The names of the statuses of conditional writes, in the order of their numbers."""
    values = java_class("org.apache.accumulo.core.client.ConditionalWriter$Status").values()
    return [str(status) for status in values]
