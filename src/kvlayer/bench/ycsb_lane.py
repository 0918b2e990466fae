"""What one thread of a YCSB load does: it loads its share of the records, then runs the workloads."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from kvlayer.bench.distributions import Distribution, Latest, ScrambledZipfian, Uniform
from kvlayer.bench.lanes import Lane
from kvlayer.bench.latency import LatencyRecorder
from kvlayer.bench.pacing import Schedule, sleep_until
from kvlayer.bench.values import Values
from kvlayer.bench.workloads import LONGEST_SCAN, TABLE, DistributionName, OperationName, Workload, key_name

_NANOSECONDS: Final = 10**9
_REPORT_NANOSECONDS: Final = _NANOSECONDS // 10


@dataclass(frozen=True)
class Plan:
    """What all lanes are to do; the numbers are for all of them together."""

    workloads: tuple[Workload, ...]
    records: int
    value_size: int
    duration: float
    """Seconds of each workload, where `operations` is None."""
    operations: int | None
    """Of each workload."""
    target: float | None
    """Operations a second."""


class PhaseResult(NamedTuple):
    """What one lane did in one phase."""

    operations: int
    missing: int
    overdue: int
    seconds: float
    """From the common beginning until this lane had ended."""
    due: dict[str, str]
    """Of each operation, the encoded histogram of its times from when it was due; empty without a target."""
    service: dict[str, str]
    """The same from when it began."""


def load_and_run(lane: Lane, plan: Plan) -> list[PhaseResult]:
    """The task of each lane: the result of the load phase, then those of the workloads."""
    if lane.number == 0:
        lane.client.clear_table(TABLE)
    return [_load(lane, plan), *(_run(lane, plan, workload) for workload in plan.workloads)]


class Operation:
    """An operation of a workload, and what was measured of it."""

    __slots__ = ("begun", "call", "choose", "due")

    def __init__(self, choose: Callable[[], str], call: Callable[[str], int]) -> None:
        self.choose = choose
        """Chooses the key of the next one."""
        self.call = call
        """Does it with a key; returns how many records were missing."""
        self.due = LatencyRecorder()
        """Latencies from when it was due."""
        self.begun = LatencyRecorder()
        """Latencies from when it began."""


class _Records:
    """The operations of one lane on the records, and which of them they choose.

    A lane knows of the records that were loaded, and of those that it inserted itself.
    """

    def __init__(self, lane: Lane, plan: Plan, random: Random, chosen: DistributionName = "uniform") -> None:
        self._table = lane.client.table(TABLE)
        self._lane = lane
        self._loaded = plan.records
        self._inserted = 0
        self._values = Values(plan.value_size, random)
        self._random = random
        self._distribution = _distribution(chosen, plan.records, random)

    def operation(self, name: OperationName) -> Operation:
        """An operation of the workloads, by its name."""
        match name:
            case "read":
                return Operation(self._existing, self._read)
            case "update":
                return Operation(self._existing, self._update)
            case "insert":
                return Operation(self._another, self._insert)
            case "scan":
                return Operation(self._existing, self._scan)
            case "read_modify_write":
                return Operation(self._existing, self._read_modify_write)

    def load(self) -> Operation:
        """Inserts the records that this lane is to load."""
        return Operation(self._next_to_load, self._insert)

    def _existing(self) -> str:
        number = self._distribution.draw()
        if number >= self._loaded:
            number = self._mine(self._loaded, number - self._loaded)
        return key_name(number)

    def _another(self) -> str:
        return key_name(self._mine(self._loaded, self._inserted))

    def _next_to_load(self) -> str:
        return key_name(self._mine(0, self._inserted))

    def _mine(self, first: int, count: int) -> int:
        """The numbers from `first` on are given to the lanes in turns: one of those of this lane."""
        return first + self._lane.number + count * self._lane.count

    def _value(self) -> bytes:
        return self._values.at(self._values.place())

    def _read(self, key: str) -> int:
        return sum(value is None for _, value in self._table.get((key,)))

    def _update(self, key: str) -> int:
        self._table.put(((key,), self._value()))
        return 0

    def _insert(self, key: str) -> int:
        self._table.put(((key,), self._value()))
        self._inserted += 1
        if isinstance(self._distribution, Latest):
            self._distribution.add()
        return 0

    def _scan(self, key: str) -> int:
        length = 1 + int(self._random.random() * LONGEST_SCAN)
        rows = list(self._table.scan(((key,), ()), limit=length))
        return int(not rows or rows[0][0] != (key,))

    def _read_modify_write(self, key: str) -> int:
        missing = self._read(key)
        self._table.put(((key,), self._value()))
        return missing


def _load(lane: Lane, plan: Plan) -> PhaseResult:
    insert = _Records(lane, plan, _random(lane, "load")).load()
    begin = lane.wait_for_all("load")
    return _measure(lane, begin, {"insert": insert}, lambda: insert, _share(plan.records, lane))


def _run(lane: Lane, plan: Plan, workload: Workload) -> PhaseResult:
    random = _random(lane, workload.name)
    records = _Records(lane, plan, random, workload.distribution)
    operations = {name: records.operation(name) for name in workload.mix}
    percent = [operations[name] for name, share in workload.mix.items() for _ in range(share)]
    draw = random.random
    limit = None if plan.operations is None else _share(plan.operations, lane)
    schedule = None if plan.target is None else Schedule(plan.target, lane.number, lane.count)
    begin = lane.wait_for_all(f"run {workload.name}")
    return _measure(
        lane,
        begin,
        operations,
        lambda: percent[int(draw() * 100)],
        limit,
        plan.duration if limit is None else None,
        schedule,
    )


def _measure(
    lane: Lane,
    begin: float,
    operations: dict[OperationName, Operation],
    draw: Callable[[], Operation],
    limit: int | None,
    duration: float | None = None,
    schedule: Schedule | None = None,
) -> PhaseResult:
    """Does what is drawn, `limit` times or for `duration` seconds; by a schedule, if there is one."""
    clock = time.perf_counter_ns
    start = reported_at = clock()
    deadline = sys.maxsize if duration is None else start + int(duration * _NANOSECONDS)
    done = reported = missing = 0
    if schedule is not None:
        schedule.start(start)
    while done != limit:
        operation = draw()
        key = operation.choose()
        if schedule is not None:
            due = schedule.next()
            sleep_until(min(due, deadline))
        begun = clock()
        if begun >= deadline:
            break
        missing += operation.call(key)
        ended = clock()
        operation.begun.record(ended - begun)
        if schedule is not None:
            operation.due.record(ended - due)
        done += 1
        if ended - reported_at >= _REPORT_NANOSECONDS:
            lane.report(done - reported)
            reported, reported_at = done, ended
    seconds = time.monotonic() - begin
    lane.report(done - reported)
    return PhaseResult(
        done,
        missing,
        0 if schedule is None or limit is not None else schedule.due(deadline - 1) - done,
        seconds,
        {} if schedule is None else {name: _encoded(operation.due) for name, operation in operations.items()},
        {name: _encoded(operation.begun) for name, operation in operations.items()},
    )


def _encoded(recorder: LatencyRecorder) -> str:
    return recorder.histogram().encoded()


def _share(total: int, lane: Lane) -> int:
    """How many of a number of things fall to this lane, if the lanes take turns."""
    return (total - lane.number + lane.count - 1) // lane.count


def _random(lane: Lane, phase: str) -> Random:
    """The same for each run, so that runs do the same, and another for each lane and phase."""
    return Random(f"{phase} {lane.number}")  # noqa: S311 - for a load, not for a secret


def _distribution(name: DistributionName, records: int, random: Random) -> Distribution:
    match name:
        case "zipfian":
            return ScrambledZipfian(records, random)
        case "latest":
            return Latest(records, random)
        case "uniform":
            return Uniform(records, random)
