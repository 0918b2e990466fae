"""How many rows a table holds, how large they are, and which prefixes hold most."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import add, itemgetter
from typing import Any, Final

from kvlayer.client import Client
from kvlayer.ranges import Range
from kvlayer.tools.raw import RawTable
from kvlayer.tools.records import Measurement, Prefix, ProgressReport
from kvlayer.tools.reporting import Reporter

LARGEST_PREFIXES: Final = 10
"""How many prefixes a measurement lists."""


def count(client: Client, table: str, *ranges: Range, progress: ProgressReport | None = None) -> int:
    """The rows of a table, or of ranges of it, each counted once; no value leaves the store.

    Raises NoSuchTable, and BadKey or ProgrammerError for ranges that `Table.scan` refuses.
    """
    raw = RawTable(client, table)
    plan = raw.byte_ranges(ranges)
    reporter = Reporter(progress, table, None if ranges else raw.estimate_rows())
    for start, stop in plan:
        for page in raw.keys(start, stop):
            reporter.add(len(page), sum(map(len, page)))
    reporter.tell()
    return reporter.rows


def measure(
    client: Client, table: str, *ranges: Range, progress: ProgressReport | None = None
) -> Measurement:
    """Measures all rows of a table, or of ranges of it, each once, in constant memory.

    Raises as `count` does, and SerializationError for stored keys that aren't the table's.
    """
    raw = RawTable(client, table)
    plan = raw.byte_ranges(ranges)
    reporter = Reporter(progress, table, None if ranges else raw.estimate_rows())
    key_sizes, value_sizes, prefixes = _Sizes(), _Sizes(), _Prefixes()
    for start, stop in plan:
        for page in raw.rows(start, stop):
            keys = [key for key, _ in page]
            key_lengths, value_lengths = list(map(len, keys)), [len(value) for _, value in page]
            key_sizes.add(key_lengths)
            value_sizes.add(value_lengths)
            sizes = list(map(add, key_lengths, value_lengths))
            prefixes.add([key[0] for key in raw.decode_keys(keys)], sizes)
            reporter.add(len(page), sum(sizes))
    reporter.tell()
    prefixes.end()
    return Measurement(
        reporter.rows,
        key_sizes.total,
        value_sizes.total,
        key_sizes.histogram(),
        value_sizes.histogram(),
        prefixes.by_rows.descending(),
        prefixes.by_bytes.descending(),
    )


class _Sizes:
    """A histogram in powers of two, and the total."""

    def __init__(self) -> None:
        self.total = 0
        self._rows: Counter[int] = Counter()

    def add(self, lengths: list[int]) -> None:
        self.total += sum(lengths)
        for length, rows in Counter(lengths).items():
            self._rows[1 << (length - 1).bit_length() if length else 0] += rows

    def histogram(self) -> dict[int, int]:
        return dict(sorted(self._rows.items()))


class _Largest:
    """The prefixes with the highest scores among any number."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Prefix]] = []
        self._seen = 0

    def add(self, score: int, prefix: Prefix) -> None:
        # Of equal ones the earlier stays. The number also keeps Python from comparing the prefixes.
        self._seen += 1
        entry = (score, -self._seen, prefix)
        if len(self._heap) < LARGEST_PREFIXES:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def descending(self) -> list[Prefix]:
        return [prefix for _, _, prefix in sorted(self._heap, reverse=True, key=itemgetter(0, 1))]


class _Prefixes:
    """Groups rows by their first key part; in key order, so that only one group is open at a time."""

    def __init__(self) -> None:
        self.by_rows = _Largest()
        self.by_bytes = _Largest()
        self._open: Prefix | None = None

    def add(self, parts: list[Any], sizes: list[int]) -> None:
        for part, rows, size in _groups(parts, sizes):
            if self._open is not None and self._open.part == part:
                self._open = Prefix(part, self._open.rows + rows, self._open.bytes + size)
            else:
                self.end()
                self._open = Prefix(part, rows, size)

    def end(self) -> None:
        if self._open is not None:
            self.by_rows.add(self._open.rows, self._open)
            self.by_bytes.add(self._open.bytes, self._open)
            self._open = None


def _groups(parts: list[Any], sizes: list[int]) -> Iterator[tuple[Any, int, int]]:
    """Each part with how many rows in succession have it, and their bytes."""
    for part, members in groupby(zip(parts, sizes, strict=True), key=itemgetter(0)):
        group = [size for _, size in members]
        yield part, len(group), sum(group)
