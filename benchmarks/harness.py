"""Runs two contenders on the same rows, in turns, and says how they compare.

A contender is one way to keep a table: kvlayer, or the bare store as a good engineer would use it.
Both are given the same batches of the same rows; kvlayer gets tuples as keys, the bare store bytes
that are ready to be stored. In each round both begin with a fresh table; in each operation they take
turns batch by batch (in a scan: after as many rows), and who goes first alternates, so that what else
the machine does meets both. Python's garbage collector runs as in any program; only the benchmark's own
rows are kept out of its sight.
"""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Final, TypeAlias

from benchmarks.workload import Batches, Workload, in_batches

OPERATIONS: Final = ("put", "get", "scan", "scan_keys", "delete")
"""What is timed, in the order in which a round does it."""

WITH_ONE_ROW: Final = ("put", "get", "scan", "scan_keys", "put one", "get one", "delete")
"""The same with calls for a single row each, which overwrite and read rows that are there."""

_CALLS: Final = 4000  # of one row each; they take long
_CALLS_IN_A_STEP: Final = 20

Progress: TypeAlias = Callable[[str], None]
"""Tells the user what happens now."""

Step: TypeAlias = Callable[[], object]
"""A part of an operation that is timed as a whole."""


class Contender(ABC):
    """One table in one store. It is made with a fresh, empty table."""

    takes_encoded: ClassVar[bool]
    """Whether keys are given to it, and answered by it, as bytes that are ready to be stored."""

    @abstractmethod
    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        """Writes a batch; when it returns, the rows are as safe as this store makes them."""

    @abstractmethod
    def get(self, keys: list[Any]) -> list[Any]:
        """The values of a batch of keys in their order, with or without the keys."""

    @abstractmethod
    def scan(self) -> Iterable[tuple[Any, bytes]]:
        """All rows in key order, in constant memory."""

    @abstractmethod
    def scan_keys(self) -> Iterable[Any]:
        """All keys in order, in constant memory."""

    @abstractmethod
    def delete(self, keys: list[Any]) -> None:
        """Removes a batch of keys."""

    @abstractmethod
    def close(self) -> None:
        """Removes the table and frees what is held."""

    def put_one(self, key: Any, value: bytes) -> None:
        """Writes one row, in the way that suits it best."""
        self.put([(key, value)])

    def get_one(self, key: Any) -> Any:
        """The value of one key, in the way that suits it best."""
        (value,) = self.get([key])
        return value

    def batches(self, workload: Workload) -> Batches:
        """The rows in the form that this contender takes."""
        return workload.encoded if self.takes_encoded else workload.plain


@dataclass(frozen=True, slots=True)
class Comparison:
    """A backend of kvlayer and the bare store below it."""

    store: str
    """The storage type."""
    baseline: str
    """What kvlayer is compared with."""
    targets: Mapping[str, float]
    """For some operations, the least share of the bare store's rate that kvlayer is to reach."""
    open: Callable[[], AbstractContextManager[tuple[Contender, Contender]]]
    """Opens kvlayer and the bare store, each with a fresh table."""
    operations: tuple[str, ...] = OPERATIONS
    """What is compared."""
    server: Callable[[], AbstractContextManager[Mapping[str, Any]]] | None = None
    """Starts the server, where it takes one, and gives kvlayer's configuration."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one operation cost in kvlayer and in what it is compared with, and their ratio."""

    subject: str
    operation: str
    baseline: str
    kvlayer_us: float
    """Microseconds for each row (or key), in the best round."""
    baseline_us: float
    ratios: list[float]
    """kvlayer's rate as a share of the baseline's, in each round."""
    target: float | None = None
    batch_size: int | None = None

    @property
    def ratio(self) -> float:
        """kvlayer's best rate as a share of the baseline's best."""
        return self.baseline_us / self.kvlayer_us

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.ratio >= self.target


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with a limit of its own, where there is nothing to compare with."""

    subject: str
    value: float
    unit: str
    limit: float
    """The figure is to be below it."""
    note: str
    """What else a reader should know: the spread, or where it started from."""

    @property
    def met(self) -> bool:
        """Whether the figure is below its limit."""
        return self.value < self.limit


@dataclass(frozen=True, slots=True)
class Standing:
    """How one of several contenders did that keep rows equally safe."""

    durability: str
    store: str
    version: str
    """Of the library; empty for what Python has itself."""
    ordered: bool
    """Whether it keeps rows in key order."""
    batch_size: int
    """Rows in a batch; 1: it was given them one by one."""
    store_us: Mapping[str, float]
    """Microseconds for each row, by operation, in the best round; without what it can't do."""
    kvlayer_us: Mapping[str, float]
    """The same of kvlayer."""
    ratios: Mapping[str, list[float]]
    """kvlayer's rate as a multiple of the store's, by operation, in each round; empty for kvlayer."""

    def ratio(self, operation: str) -> float | None:
        """kvlayer's best rate as a multiple of the store's best; None for kvlayer itself."""
        return self.store_us[operation] / self.kvlayer_us[operation] if self.ratios else None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of figures that compare stores, where no ratio says it all."""

    title: str
    columns: tuple[str, ...]
    lines: list[tuple[str, ...]]


def compare(
    comparison: Comparison,
    workload: Workload,
    rounds: int,
    progress: Progress,
    operations: tuple[str, ...] | None = None,
) -> list[Measurement]:
    """Runs all rounds, of the comparison's operations or only of some.

    Raises AssertionError where the two don't give the same answers.
    """
    operations = operations or comparison.operations
    check(comparison, Workload.make(min(workload.rows, 2500), min(workload.batch_size, 1000)))
    seconds: dict[str, list[tuple[float, float]]] = {operation: [] for operation in operations}
    for number in range(1, rounds + 1):
        progress(
            f"{comparison.store}: round {number} of {rounds}, {workload.rows:,} rows"
            f" in batches of {workload.batch_size:,}"
        )
        with comparison.open() as (ours, bare):
            for operation in operations:
                seconds[operation].append(in_turns(ours, bare, operation, workload))
    return [
        Measurement(
            subject=comparison.store,
            operation=operation,
            baseline=comparison.baseline,
            kvlayer_us=min(mine for mine, _ in times) / _rows(operation, workload) * 1e6,
            baseline_us=min(other for _, other in times) / _rows(operation, workload) * 1e6,
            ratios=[other / mine for mine, other in times],
            target=comparison.targets.get(operation),
            batch_size=1 if operation.endswith(" one") else workload.batch_size,
        )
        for operation, times in seconds.items()
    ]


def in_turns(ours: Contender, bare: Contender, operation: str, workload: Workload) -> tuple[float, float]:
    """The seconds that each contender takes for one operation on all rows."""
    other, mine = take_turns([_steps(bare, operation, workload), _steps(ours, operation, workload)])
    return mine, other


def take_turns(contenders: Sequence[Iterable[Step]]) -> list[float]:
    """The seconds that each contender's steps take, of which all have the same number.

    All take the first step, then all take the second one, and each time another one goes first.
    """
    seconds = [0.0] * len(contenders)
    gc.collect()
    gc.freeze()
    try:
        for number, steps in enumerate(zip(*contenders, strict=True)):
            for turn in range(number, number + len(steps)):
                at = turn % len(steps)
                seconds[at] += _seconds(steps[at])
    finally:
        gc.unfreeze()
    return seconds


def _rows(operation: str, workload: Workload) -> int:
    """How many rows an operation moves."""
    return min(workload.rows, _CALLS) if operation.endswith(" one") else workload.rows


def _steps(contender: Contender, operation: str, workload: Workload) -> Iterator[Step]:
    """An operation as steps of one batch each, or of some calls, to be called one after the other."""
    if operation.endswith(" one"):
        yield from _steps_of_calls(contender, operation, workload)
        return
    act = getattr(contender, operation)
    if operation in ("scan", "scan_keys"):
        answers = iter(act())
        for _ in range(0, workload.rows + 1, workload.batch_size):  # one row more: the scan has to end
            yield lambda: deque(islice(answers, workload.batch_size), maxlen=0)
    else:
        for batch in getattr(contender.batches(workload), operation):
            yield partial(act, batch)


def _steps_of_calls(contender: Contender, operation: str, workload: Workload) -> Iterator[Step]:
    batches = contender.batches(workload)
    if operation == "put one":
        calls = [partial(contender.put_one, *row) for batch in batches.put for row in batch]
    else:
        calls = [partial(contender.get_one, key) for batch in batches.get for key in batch]
    for some in in_batches(calls[: _rows(operation, workload)], _CALLS_IN_A_STEP):
        yield partial(_call_all, some)


def _call_all(calls: list[Step]) -> None:
    for call in calls:
        call()


def _seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def check(comparison: Comparison, workload: Workload) -> None:
    """Does everything once and raises AssertionError where a contender gives wrong answers."""
    with comparison.open() as contenders:
        for contender in contenders:
            batches = contender.batches(workload)
            for batch in batches.put:
                contender.put(batch)
            rows = {key: value for batch in batches.put for key, value in batch}
            wanted = [(key, rows[key]) for batch in batches.get for key in batch]
            found = [answer for batch in batches.get for answer in contender.get(batch)]
            values = [value for _, value in wanted]
            answers = {
                "get": found in (wanted, values),
                "scan": list(contender.scan()) == sorted(rows.items()),
                "scan_keys": list(contender.scan_keys()) == sorted(rows),
            }
            first = next(iter(rows))
            contender.put_one(first, b"another")
            answers["get_one"] = contender.get_one(first) == b"another"
            for batch in batches.delete:
                contender.delete(batch)
            answers["delete"] = not list(contender.scan())
            wrong = [operation for operation, right in answers.items() if not right]
            if wrong:
                raise AssertionError(f"{type(contender).__name__} gives wrong answers: {', '.join(wrong)}")
