"""Throughput: many processes put large values at the same time, then all read theirs back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final
from uuid import UUID

import kvlayer
from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Lane, Tables
from kvlayer.bench.results import ThroughputPoint
from kvlayer.bench.store import BenchStore
from kvlayer.bench.values import Values
from kvlayer.bench.workers import START_SECONDS, Progress, run_workers

_TABLE: Final = "values"


@dataclass(frozen=True)
class Options:
    """What to measure. Raises BenchError for what can't be."""

    workers: tuple[int, ...] = (25, 50, 100)
    """Processes; each number is measured on its own, in an empty table."""
    threads: int = 1
    """Threads of each process."""
    value_size: int = 2**20
    batch_size: int = 1
    """Values in one `put` and in one `get`."""
    duration: float = 10.0
    """Seconds for which they put, and seconds for which they read."""
    values: int | None = None
    """Values that each thread puts, and reads, whatever time that takes; None: `duration` decides."""
    stored: int = 2**30
    """Most bytes of values that lie in the store at a time. Beyond its share a thread overwrites its oldest
    values."""

    def __post_init__(self) -> None:
        for name in ("threads", "value_size", "batch_size"):
            if getattr(self, name) < 1:
                raise BenchError(f"{name.replace('_', ' ')} is at least 1")
        if not self.workers or min(self.workers) < 1:
            raise BenchError("there is at least 1 worker")
        if self.duration <= 0 or (self.values is not None and self.values < 1):
            raise BenchError("there is at least 1 value, and some time, to measure")
        most = max(self.workers) * self.threads * self.batch_size * self.value_size
        if most > self.stored:
            raise BenchError(
                f"{max(self.workers) * self.threads} threads with {self.batch_size} values of"
                f" {self.value_size} bytes each need {most} bytes in the store, and {self.stored} are allowed"
            )

    def share(self, workers: int) -> int:
        """Values that each thread keeps in the store, of so many workers."""
        kept = self.stored // (workers * self.threads * self.value_size)
        return kept - kept % self.batch_size


def measure(
    store: BenchStore,
    options: Options,
    *,
    start_seconds: float = START_SECONDS,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[ThroughputPoint]:
    """Measures each number of workers; a point comes as soon as it is there.

    Raises BenchError where a value comes back changed or missing; and as `run_workers` does.
    """
    store.require_processes(max(options.workers))
    for workers in options.workers:
        lanes: list[_LaneResult] = run_workers(
            put_and_get,
            (options, workers),
            store.config,
            workers=workers,
            threads=options.threads,
            tables=Tables(key_types={_TABLE: (UUID,)}),
            start_seconds=start_seconds,
            progress=progress,
        )
        yield _point(options, workers, lanes)
        if store.capabilities.concurrent_processes:  # else the rows went with the process
            with kvlayer.client(store.config) as client:
                client.clear_table(_TABLE)


@dataclass(frozen=True)
class _PhaseResult:
    """What one thread did in one phase."""

    values: int
    begin: float
    end: float
    cpu: float


@dataclass(frozen=True)
class _LaneResult:
    write: _PhaseResult
    read: _PhaseResult


def put_and_get(lane: Lane, arguments: tuple[Options, int]) -> _LaneResult:
    """The task of each lane."""
    options, workers = arguments
    return _Writer(lane, options, options.share(workers)).run()


class _Writer:
    """What one thread puts, and remembers of it."""

    def __init__(self, lane: Lane, options: Options, share: int) -> None:
        self._lane = lane
        self._options = options
        self._share = share
        self._table = lane.client.table(_TABLE)
        self._random = Random()  # noqa: S311 - for an order, not for a secret
        self._values = Values(options.value_size, self._random)
        self._written: list[tuple[UUID, int]] = []
        self._next = 0

    def run(self) -> _LaneResult:
        """Both phases."""
        self._warm_up()
        write = self._phase("write", self._put)
        order = self._shuffled()
        read = self._phase("read", lambda count: self._get(list(islice(order, count))))
        return _LaneResult(write, read)

    def _warm_up(self) -> None:
        """Has connections made and modules imported before the clock runs."""
        key, place = (UUID(int=self._random.getrandbits(128), version=4),), self._values.place()
        self._table.put((key, self._values.at(place)))
        list(self._table.get(key))
        self._table.delete(key)

    def _phase(self, name: str, move: Callable[[int], None]) -> _PhaseResult:
        """Calls `move` with numbers of values until all are done that were asked for, or the time is up."""
        wanted = self._options.values
        batch = self._options.batch_size
        begin = self._lane.wait_for_all(name)
        cpu = time.thread_time()
        done = 0
        while True:
            count = batch if wanted is None else min(batch, wanted - done)
            move(count)
            done += count
            self._lane.report(count, count * self._options.value_size)
            now = time.monotonic()
            if done == wanted or (wanted is None and now - begin >= self._options.duration):
                return _PhaseResult(done, begin, now, time.thread_time() - cpu)

    def _put(self, count: int) -> None:
        rows = []
        for _ in range(count):
            place = self._values.place()
            rows.append(((self._key(place),), self._values.at(place)))
        self._table.put(*rows)

    def _key(self, place: int) -> UUID:
        """A new key, or the oldest one if as many are stored as may be; `place` is that of its new value."""
        if len(self._written) < self._share:
            key = UUID(int=self._random.getrandbits(128), version=4)
            self._written.append((key, place))
            return key
        key, _ = self._written[self._next]
        self._written[self._next] = (key, place)
        self._next = (self._next + 1) % self._share
        return key

    def _shuffled(self) -> Iterator[tuple[UUID, int]]:
        """What was written, in random order, again and again."""
        while True:
            self._random.shuffle(self._written)
            yield from self._written

    def _get(self, wanted: list[tuple[UUID, int]]) -> None:
        found = self._table.get(*((key,) for key, _ in wanted))
        for (key, value), (_, place) in zip(found, wanted, strict=True):
            if not self._values.is_at(place, value):
                what = "is missing" if value is None else "came back changed"
                raise BenchError(f"the value of {key[0]} {what}")


def _point(options: Options, workers: int, lanes: list[_LaneResult]) -> ThroughputPoint:
    writes, reads = [lane.write for lane in lanes], [lane.read for lane in lanes]
    return ThroughputPoint(
        workers=workers,
        threads=options.threads,
        value_size=options.value_size,
        batch_size=options.batch_size,
        written=sum(phase.values for phase in writes),
        write_seconds=_seconds(writes),
        write_cpu_seconds=sum(phase.cpu for phase in writes),
        read=sum(phase.values for phase in reads),
        read_seconds=_seconds(reads),
        read_cpu_seconds=sum(phase.cpu for phase in reads),
    )


def _seconds(phases: list[_PhaseResult]) -> float:
    """From the common beginning to the last end."""
    return max(phase.end for phase in phases) - min(phase.begin for phase in phases)
