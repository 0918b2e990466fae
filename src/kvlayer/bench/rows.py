"""Rates of single operations by batch size and value size, and what a row costs the client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from string import ascii_lowercase
from typing import Final, Literal, TypeAlias, TypeVar, get_args

import kvlayer
from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Lane, Tables
from kvlayer.bench.results import RowsPoint
from kvlayer.bench.store import BenchStore
from kvlayer.bench.values import Values
from kvlayer.bench.workers import START_SECONDS, Progress, run_workers

Operation: TypeAlias = Literal["put", "get", "scan", "scan_keys", "delete", "increment"]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)

KEY_TYPES: Final = (str, int)
_NAME_LENGTH: Final = 8
KEY_SIZE: Final = _NAME_LENGTH + 1 + 8
"""Bytes of an encoded key: a name of 8 letters, its end, and an int."""

_ROWS: Final = "rows"
_COUNTERS: Final = "counters"
_COUNTERS_KEPT: Final = 10_000

_CHUNK_ROWS: Final = 1000
_CHUNK_BYTES: Final = 16 * 2**20
"""How much is made ready before the clock runs, in whole batches."""

_Key: TypeAlias = tuple[str, int]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Options:
    """What to measure. Raises BenchError for what can't be."""

    batch_sizes: tuple[int, ...] = (1, 10, 100, 1000, 10_000)
    """Rows in one call."""
    value_sizes: tuple[int, ...] = (100,)
    duration: float = 1.0
    """Seconds after which an operation has been measured enough, with at least one batch."""
    rows: int = 100_000
    """Rows after which it has been, too."""
    stored: int = 2**30
    """Most bytes of values that lie in the store at a time. A batch that is larger is left out."""

    def __post_init__(self) -> None:
        for what, sizes, least in (("batch size", self.batch_sizes, 1), ("value size", self.value_sizes, 0)):
            if not sizes or min(sizes) < least:
                raise BenchError(f"a {what} is at least {least}")
        if self.duration <= 0 or self.rows < 1:
            raise BenchError("there is at least 1 row, and some time, to measure")

    def fits(self, value_size: int, batch_size: int) -> bool:
        """Whether a batch may lie in the store."""
        return value_size * batch_size <= self.stored


def measure(
    store: BenchStore,
    options: Options,
    *,
    start_seconds: float = START_SECONDS,
    progress: Callable[[Progress], None] | None = None,
) -> list[RowsPoint]:
    """Measures in one thread of one process; points for what the store can do, and `options.fits` allows.

    Raises BenchError where rows are missing, and as `run_workers` does.
    """
    (points,) = run_workers(
        all_operations,
        options,
        store.config,
        workers=1,
        tables=Tables(
            key_types={_ROWS: KEY_TYPES, _COUNTERS: KEY_TYPES}, value_types={_COUNTERS: kvlayer.COUNTER}
        ),
        start_seconds=start_seconds,
        progress=progress,
    )
    measured: list[RowsPoint] = points
    return measured


def all_operations(lane: Lane, options: Options) -> list[RowsPoint]:
    """The task of the one lane."""
    points = []
    longest = lane.client.capabilities.max_value_bytes
    for value_size in options.value_sizes:
        if longest is None or value_size <= longest:
            for batch_size in options.batch_sizes:
                if options.fits(value_size, batch_size):
                    points += _OnRows(lane, options, batch_size, value_size).measure()
    if lane.client.capabilities.atomic_increment:
        points += [_on_counters(lane, options, batch_size) for batch_size in options.batch_sizes]
    return points


class _OnRows:
    """The operations on rows of one size, in batches of one size."""

    def __init__(self, lane: Lane, options: Options, batch_size: int, value_size: int) -> None:
        self._clock = _Clock(lane, options, batch_size, value_size)
        self._table = lane.client.table(_ROWS)
        self._batch_size = batch_size
        self._random = Random()  # noqa: S311 - for an order, not for a secret
        self._values = Values(value_size, self._random)
        fitting = options.stored // value_size if value_size else options.rows
        self._keys = _keys(self._random, max(batch_size, min(options.rows, fitting)))

    def measure(self) -> list[RowsPoint]:
        """Puts rows, reads them in each way, and removes them."""
        measure, row = self._clock.measure, KEY_SIZE + self._values.size
        put = measure("put", row, self._rows(), self._put)
        del self._keys[put.rows :]
        points = [
            put,
            measure("get", row, self._again_and_again(), self._get),
            measure("scan", row, self._starts(), self._scan),
            measure("scan_keys", KEY_SIZE, self._starts(), self._scan_keys),
            measure("delete", KEY_SIZE, _in_batches(self._keys, self._batch_size), self._delete),
        ]
        self._table.clear()
        return points

    def _rows(self) -> Iterator[list[tuple[_Key, bytes]]]:
        values = self._values
        for keys in _in_batches(self._keys, self._batch_size):
            yield [(key, values.at(values.place())) for key in keys]

    def _again_and_again(self) -> Iterator[list[_Key]]:
        """Batches of keys in random order, without an end."""
        while True:
            self._random.shuffle(self._keys)
            yield from _in_batches(self._keys, self._batch_size)

    def _starts(self) -> Iterator[_Key]:
        """Keys behind which there are enough for a batch, in random order, without an end."""
        starts = sorted(self._keys)[: len(self._keys) - self._batch_size + 1]
        while True:
            yield self._random.choice(starts)

    def _put(self, rows: list[tuple[_Key, bytes]]) -> int:
        self._table.put(*rows)
        return len(rows)

    def _get(self, keys: list[_Key]) -> int:
        return sum(value is not None for _, value in self._table.get(*keys))

    def _scan(self, start: _Key) -> int:
        return len(list(self._table.scan((start, None), limit=self._batch_size)))

    def _scan_keys(self, start: _Key) -> int:
        return len(list(self._table.scan_keys((start, None), limit=self._batch_size)))

    def _delete(self, keys: list[_Key]) -> int:
        self._table.delete(*keys)
        return len(keys)


def _on_counters(lane: Lane, options: Options, batch_size: int) -> RowsPoint:
    table = lane.client.table(_COUNTERS)
    keys = _keys(Random(), max(batch_size, min(options.rows, _COUNTERS_KEPT)))  # noqa: S311 - no secret

    def batches() -> Iterator[list[tuple[_Key, int]]]:
        while True:
            for batch in _in_batches(keys, batch_size):
                yield [(key, 1) for key in batch]

    clock = _Clock(lane, options, batch_size, None)
    point = clock.measure("increment", KEY_SIZE, batches(), lambda deltas: len(table.increment(*deltas)))
    table.clear()
    return point


class _Clock:
    """Measures operations, with all that they need made ready before."""

    def __init__(self, lane: Lane, options: Options, batch_size: int, value_size: int | None) -> None:
        self._lane = lane
        self._options = options
        self._batch_size = batch_size
        self._value_size = value_size
        batch_bytes = batch_size * (KEY_SIZE + (value_size or 0))
        self._chunk = max(1, min(_CHUNK_ROWS // batch_size, _CHUNK_BYTES // batch_bytes))

    def measure(
        self, operation: Operation, row_size: int, batches: Iterator[_T], run: Callable[[_T], int]
    ) -> RowsPoint:
        """Runs batches until the time is up, or there were enough rows. `run` tells how many rows a batch
        had; raises BenchError where some are missing."""
        self._lane.wait_for_all(operation)
        rows, seconds, cpu = 0, 0.0, 0.0
        while chunk := list(islice(batches, self._chunk)):
            done, expected = 0, 0
            cpu_began, began = time.process_time(), time.perf_counter()
            for batch in chunk:
                done += run(batch)
                expected += self._batch_size
                passed = seconds + time.perf_counter() - began
                if passed >= self._options.duration or rows + done >= self._options.rows:
                    break
            seconds += time.perf_counter() - began
            cpu += time.process_time() - cpu_began
            if done != expected:
                raise BenchError(
                    f"{operation} in batches of {self._batch_size}: {expected - done} rows are missing"
                )
            rows += done
            self._lane.report(done, done * row_size)
            if seconds >= self._options.duration or rows >= self._options.rows:
                break
        return RowsPoint(
            operation=operation,
            batch_size=self._batch_size,
            value_size=self._value_size,
            rows=rows,
            size=rows * row_size,
            seconds=seconds,
            cpu_seconds=cpu,
        )


def _keys(random: Random, count: int) -> list[_Key]:
    """Different keys, in no order."""
    return [
        ("".join(random.choices(ascii_lowercase, k=_NAME_LENGTH)), number)
        for number in random.sample(range(count), count)
    ]


def _in_batches(keys: list[_Key], size: int) -> Iterator[list[_Key]]:
    """Full batches."""
    for position in range(0, len(keys) - size + 1, size):
        yield keys[position : position + size]
