"""Runs of benchmarks that nobody ran, for what is made of results."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from kvlayer.bench.latency import LatencyRecorder
from kvlayer.bench.results import (
    Environment,
    Host,
    Kind,
    Latency,
    Point,
    RowsPoint,
    Run,
    ThroughputPoint,
    YcsbPoint,
)

HOST = Host(system="Linux 6.1 x86_64", processor="Some processor", cores=2, memory_bytes=8 * 2**30)

ENVIRONMENT = Environment(
    kvlayer="1.0.0",
    python="CPython 3.11.7",
    driver={"redis": "7.0.0"},
    store={"version": "8.0.0"},
    durability={"append_only": True},
    host=HOST,
)


def made_run(kind: Kind, points: list[Point], storage_type: str = "redis", **changes: Any) -> Run:
    """A run with these points; `changes` are other fields of it."""
    run = Run(
        kind=kind,
        storage_type=storage_type,
        when=datetime(2026, 11, 22, 21, 30, tzinfo=UTC),
        parameters={},
        environment=ENVIRONMENT,
        points=points,
    )
    return msgspec.structs.replace(run, **changes)


def throughput_point(workers: int, write_rate: float, read_rate: float) -> ThroughputPoint:
    """MB/s, by values of 1 MB."""
    return ThroughputPoint(
        workers=workers,
        threads=1,
        value_size=1_000_000,
        batch_size=1,
        written=1000,
        write_seconds=1000 / write_rate,
        write_cpu_seconds=1.0,
        read=1000,
        read_seconds=1000 / read_rate,
        read_cpu_seconds=1.0,
    )


def rows_point(
    operation: Any, batch_size: int, rows_per_second: float, value_size: int | None = 100, cpu: float = 1.0
) -> RowsPoint:
    """100,000 rows; `cpu` is µs for each."""
    return RowsPoint(
        operation=operation,
        batch_size=batch_size,
        value_size=value_size,
        rows=100_000,
        size=100_000 * (17 + (value_size or 0)),
        seconds=100_000 / rows_per_second,
        cpu_seconds=cpu / 10,
    )


def latency(median: float, operations: int = 1000) -> Latency:
    """Latencies around a median of so many microseconds, always the same."""
    random = Random(1)
    recorder = LatencyRecorder()
    for _ in range(operations):
        recorder.record(int(median * 1000 * random.lognormvariate(0, 0.5)))
    return recorder.histogram().latency()


def ycsb_point(workload: str, rate: float, latencies: dict[str, Latency], **changes: Any) -> YcsbPoint:
    """A run phase of 10 seconds, unless `changes` say otherwise."""
    point = YcsbPoint(
        workload=workload,
        phase="run",
        distribution="zipfian",
        workers=4,
        threads=1,
        records=10_000,
        value_size=1000,
        target=None,
        operations=round(rate * 10),
        seconds=10.0,
        missing=0,
        overdue=0,
        latencies=latencies,
        service={},
    )
    return msgspec.structs.replace(point, **changes)
