"""What the cluster holds: bucket types, objects with their siblings and tombstones, counters."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from sortedcontainers import SortedDict

from riak_double.erlang import stored_counter


@dataclass
class Knobs:
    """What a real cluster may do in one way or another."""

    tombstone_seconds: float | None = 3.0
    """How long a tombstone stays; None: for ever."""
    rows_per_frame: int = 100
    last_frame_is_empty: bool = True
    packed_counters: bool = False
    starting: bool = False
    """Whether the store is not up yet, though the nodes answer pings."""
    request_seconds: float = 0.0
    """How long each request takes; a connection has one at a time."""
    scans: bool = True
    """Whether the storage backend can scan."""


@dataclass
class BucketType:
    n_val: int = 3
    allow_mult: bool = False
    datatype: bytes = b""
    pw: int = 0


@dataclass(frozen=True)
class Content:
    value: bytes
    time: int
    """Microseconds; no two are equal."""
    number: int
    """Of the write; a vector clock is the number of the last write that somebody has seen."""
    deleted: bool = False


@dataclass
class Stored:
    contents: list[Content] = field(default_factory=list)
    counts: dict[bytes, tuple[int, int]] | None = None

    @property
    def is_tombstone(self) -> bool:
        return all(content.deleted for content in self.contents)

    @property
    def clock(self) -> int:
        return max(content.number for content in self.contents)


Bucket = tuple[bytes, bytes]
"""Bucket type and name."""


class Store:
    """One cluster's data. Its user holds a lock."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.types: dict[bytes, BucketType] = {
            b"default": BucketType(),
            b"siblings": BucketType(allow_mult=True),
            b"counters": BucketType(allow_mult=True, datatype=b"counter"),
        }
        self.n_vals: dict[Bucket, int] = {}
        self._buckets: dict[Bucket, SortedDict[bytes, Stored]] = {}
        self._to_reap: list[tuple[float, int, Bucket, bytes]] = []
        self._number = 0
        self._last_time = 0

    def get(self, bucket: Bucket, key: bytes) -> Stored | None:
        self._reap()
        objects = self._buckets.get(bucket)
        return None if objects is None else objects.get(key)

    def put(
        self, bucket: Bucket, key: bytes, value: bytes, clock: int | None, *, deleted: bool = False
    ) -> Stored:
        """Adds a content and removes those that the writer has seen; all others, where siblings aren't kept."""
        self._reap()
        stored = self._buckets.setdefault(bucket, SortedDict()).setdefault(key, Stored())
        new = self._content(value, deleted)
        if not self.types[bucket[0]].allow_mult or self.types[bucket[0]].datatype:
            stored.contents = [new]
        else:
            stored.contents = [one for one in stored.contents if clock is None or one.number > clock]
            stored.contents.append(new)
        if stored.is_tombstone:
            self._mourn(bucket, key, new)
        return stored

    def delete(self, bucket: Bucket, key: bytes, clock: int | None) -> None:
        stored = self.get(bucket, key)
        if stored is None or stored.is_tombstone:
            return
        self.put(bucket, key, b"", stored.clock if clock is None else clock, deleted=True).counts = None

    def count(self, bucket: Bucket, key: bytes, delta: int) -> int:
        """Adds to a counter, through one of the cluster's vnodes; the new value."""
        stored = self.get(bucket, key)
        counts = dict(stored.counts) if stored is not None and stored.counts is not None else {}
        if delta:
            actor = b"vnode-%d" % (self._number % 3)
            plus, minus = counts.get(actor, (0, 0))
            counts[actor] = (plus + max(delta, 0), minus + max(-delta, 0))
        value = stored_counter(counts, packed=self.knobs.packed_counters)
        self.put(bucket, key, value, None).counts = counts
        return self.counter(counts)

    @staticmethod
    def counter(counts: dict[bytes, tuple[int, int]]) -> int:
        return sum(plus - minus for plus, minus in counts.values())

    def items(
        self,
        bucket: Bucket,
        start: bytes,
        end: bytes | None,
        inclusive: tuple[bool, bool],
        behind: bytes | None,
        most: int | None,
    ) -> list[tuple[bytes, Stored]]:
        """A range in key order, tombstones included; `behind` is where an earlier page ended."""
        self._reap()
        objects = self._buckets.get(bucket)
        if objects is None:
            return []
        if behind is not None and behind >= start:
            start, inclusive = behind, (False, inclusive[1])
        keys: Iterator[bytes] = objects.irange(start, end, inclusive)
        return [(key, objects[key]) for key in islice(keys, most)]

    def _content(self, value: bytes, deleted: bool) -> Content:
        self._number += 1
        self._last_time = max(self._last_time + 1, time.time_ns() // 1000)
        return Content(value, self._last_time, self._number, deleted)

    def _mourn(self, bucket: Bucket, key: bytes, tombstone: Content) -> None:
        if self.knobs.tombstone_seconds is not None:
            due = time.monotonic() + self.knobs.tombstone_seconds
            heapq.heappush(self._to_reap, (due, tombstone.number, bucket, key))

    def _reap(self) -> None:
        now = time.monotonic()
        while self._to_reap and self._to_reap[0][0] <= now:
            _, number, bucket, key = heapq.heappop(self._to_reap)
            objects = self._buckets.get(bucket)
            stored = None if objects is None else objects.get(key)
            if objects is not None and stored is not None and stored.is_tombstone and stored.clock == number:
                del objects[key]
                if not objects:
                    del self._buckets[bucket]
