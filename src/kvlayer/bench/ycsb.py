"""YCSB's core workloads on any store: a load phase, then run phases, at full speed or at a target rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, Literal, get_args

from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Tables
from kvlayer.bench.latency import Histogram
from kvlayer.bench.results import Latency, YcsbPoint
from kvlayer.bench.store import BenchStore
from kvlayer.bench.workers import START_SECONDS, Progress, run_workers
from kvlayer.bench.workloads import TABLE, VALUE_SIZE, WORKLOADS, DistributionName, Workload
from kvlayer.bench.ycsb_lane import PhaseResult, Plan, load_and_run

DISTRIBUTIONS: Final[tuple[DistributionName, ...]] = get_args(DistributionName)


@dataclass(frozen=True)
class Options:
    """What to measure. Raises BenchError for what can't be."""

    workloads: tuple[str, ...] = tuple(WORKLOADS)
    """Names of workloads, A to F, which run in the order of `WORKLOADS` whatever their order here."""
    records: int = 10_000
    """Loaded before the first workload, and anew behind one that inserts."""
    value_size: int = VALUE_SIZE
    """Bytes of each record."""
    duration: float = 10.0
    """Seconds of each run phase."""
    operations: int | None = None
    """Operations of each run phase by all workers, whatever time that takes; None: `duration` decides."""
    target: float | None = None
    """Operations a second that all workers together start in a run phase; None: as fast as they can."""
    distribution: DistributionName | None = None
    """Of the records that operations choose; None: the workload's own."""
    workers: int = 1
    """Processes."""
    threads: int = 1
    """Threads of each process."""

    def __post_init__(self) -> None:
        if not self.workloads or not set(self.workloads) <= set(WORKLOADS):
            raise BenchError(f"workloads are among {', '.join(sorted(WORKLOADS))}, not {self.workloads}")
        if self.distribution not in (None, *DISTRIBUTIONS):
            raise BenchError(f"a distribution is one of {', '.join(DISTRIBUTIONS)}, not {self.distribution}")
        for name in ("records", "operations", "workers", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BenchError(f"{name}: at least 1, not {value}")
        if self.value_size < 0:
            raise BenchError(f"value size: at least 0, not {self.value_size}")
        for name in ("duration", "target"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise BenchError(f"{name}: above 0, not {value}")


def measure(
    store: BenchStore,
    options: Options,
    *,
    start_seconds: float = START_SECONDS,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[YcsbPoint]:
    """Loads and runs the workloads; the points of a load and what runs on it come together.

    Raises BenchError where the store can't do what is asked, and as `run_workers` does.
    """
    store.require_processes(options.workers)
    workloads = [workload for name, workload in WORKLOADS.items() if name in options.workloads]
    if not store.capabilities.ordered and any("scan" in workload.mix for workload in workloads):
        raise BenchError(f"{store.storage_type} does not scan in key order, which workload E needs")
    if options.distribution is not None:
        workloads = [replace(workload, distribution=options.distribution) for workload in workloads]
    return chain.from_iterable(
        _measure(store, options, group, start_seconds, progress) for group in _groups(workloads)
    )


def _groups(workloads: list[Workload]) -> Iterator[tuple[Workload, ...]]:
    """Workloads that run on the same records: one that inserts is the last to use them."""
    group: list[Workload] = []
    for workload in workloads:
        group.append(workload)
        if workload.inserts:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def _measure(
    store: BenchStore,
    options: Options,
    workloads: tuple[Workload, ...],
    start_seconds: float,
    progress: Callable[[Progress], None] | None,
) -> list[YcsbPoint]:
    plan = Plan(
        workloads,
        records=options.records,
        value_size=options.value_size,
        duration=options.duration,
        operations=options.operations,
        target=options.target,
    )
    lanes: list[list[PhaseResult]] = run_workers(
        load_and_run,
        plan,
        store.config,
        workers=options.workers,
        threads=options.threads,
        tables=Tables(key_types={TABLE: (str,)}),
        start_seconds=start_seconds,
        progress=progress,
    )
    load, *runs = zip(*lanes, strict=True)
    return [
        _point(options, workloads[0], "load", load),
        *(_point(options, workload, "run", run) for workload, run in zip(workloads, runs, strict=True)),
    ]


def _point(
    options: Options, workload: Workload, phase: Literal["load", "run"], lanes: tuple[PhaseResult, ...]
) -> YcsbPoint:
    service = _merged([lane.service for lane in lanes])
    due = _merged([lane.due for lane in lanes])
    return YcsbPoint(
        workload=workload.name,
        phase=phase,
        distribution=workload.distribution if phase == "run" else None,
        workers=options.workers,
        threads=options.threads,
        records=options.records,
        value_size=options.value_size,
        target=options.target if phase == "run" else None,
        operations=sum(lane.operations for lane in lanes),
        seconds=max(lane.seconds for lane in lanes),
        missing=sum(lane.missing for lane in lanes),
        overdue=sum(lane.overdue for lane in lanes),
        latencies=due or service,
        service=service if due else {},
    )


def _merged(lanes: list[dict[str, str]]) -> dict[str, Latency]:
    """Of each operation that was done at all, what all lanes measured."""
    merged = {name: Histogram.merged(Histogram.decoded(lane[name]) for lane in lanes) for name in lanes[0]}
    return {name: histogram.latency() for name, histogram in merged.items() if histogram.count}
