"""The stores side by side, through kvlayer: throughput of many workers, rates by batch size, YCSB.

What `kvlayer bench` measures on one store is measured on each of them, one after the other, with the
server started for it. Stores and workers share the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

import msgspec

from benchmarks.harness import Grid, Progress
from benchmarks.stores import WITH_SERVER, comparison
from kvlayer.bench import published, rows, throughput, ycsb
from kvlayer.bench.results import Kind, Point, RowsPoint, Run, ThroughputPoint, YcsbPoint
from kvlayer.bench.store import BenchStore, bench_store

WORKERS: Final = (25, 50, 80, 100)

_IN_ONE_PROCESS: Final = frozenset({"accumulo"})
"""Stores of which a client needs a Java virtual machine: threads take the place of processes."""

_YCSB_CLIENTS: Final = 4

_Measure: TypeAlias = Callable[[BenchStore], Iterable[Point]]


def throughput_of_stores(
    seconds: float, progress: Progress, workers: Sequence[int] = WORKERS, stores: Sequence[str] = WITH_SERVER
) -> tuple[list[Run], Grid]:
    """Many workers that put, then read back, values of 1 MiB, on each store that is a server."""
    runs = []
    for store in stores:
        if store in _IN_ONE_PROCESS:
            each = [throughput.Options(workers=(1,), threads=number, duration=seconds) for number in workers]
        else:
            each = [throughput.Options(workers=tuple(workers), duration=seconds)]
        runs.append(_run("throughput", store, each[-1], progress, _throughput_of(each)))
    return runs, _throughput_grid(runs)


def _throughput_of(each: Sequence[throughput.Options]) -> _Measure:
    return lambda store: chain.from_iterable(throughput.measure(store, options) for options in each)


def rates_of_stores(
    seconds: float, progress: Progress, stores: Sequence[str] = ("local", "sqlite", *WITH_SERVER)
) -> tuple[list[Run], Grid]:
    """All operations by batch size, in one thread, on each store."""
    options = rows.Options(duration=seconds / 5)
    runs = [_run("rows", store, options, progress, lambda of: rows.measure(of, options)) for store in stores]
    return runs, _rates_grid(runs)


def ycsb_of_stores(
    seconds: float, progress: Progress, stores: Sequence[str] = ("sqlite", *WITH_SERVER)
) -> tuple[list[Run], Grid]:
    """YCSB's workloads with a few clients at full speed, on each store."""
    runs = []
    for store in stores:
        alone = store in _IN_ONE_PROCESS
        options = ycsb.Options(
            duration=seconds, workers=1 if alone else _YCSB_CLIENTS, threads=_YCSB_CLIENTS if alone else 1
        )
        runs.append(_run("ycsb", store, options, progress, _ycsb_of(options)))
    return runs, _ycsb_grid(runs)


def _ycsb_of(options: ycsb.Options) -> _Measure:
    return lambda store: ycsb.measure(store, options)


def _run(kind: Kind, store: str, options: Any, progress: Progress, measure: _Measure) -> Run:
    progress(f"{kind}: {store}")
    began = datetime.now(UTC)
    with _configured(store) as config, bench_store(config, app_name="kvlayer") as opened:
        points = list(measure(opened))
        return Run(
            kind=kind,
            storage_type=store,
            when=began,
            parameters=msgspec.to_builtins(options),
            environment=opened.environment,
            points=points,
        )


@contextmanager
def _configured(store: str) -> Iterator[Mapping[str, Any]]:
    """The configuration of a store that is there meanwhile."""
    if store in WITH_SERVER:
        server = comparison(store).server
        assert server is not None
        with server() as config:
            yield config
    elif store == "sqlite":
        with TemporaryDirectory() as folder:
            yield {"storage_type": "sqlite", "filename": os.path.join(folder, "benchmark.db")}
    else:
        yield {"storage_type": store}


def _throughput_grid(runs: Sequence[Run]) -> Grid:
    """MB/s by workers, beside what was published in 2014."""
    lines: list[tuple[str, ...]] = []
    for run in runs:
        for point in run.points:
            assert isinstance(point, ThroughputPoint)
            then = published.THROUGHPUT.get((run.storage_type, point.workers * point.threads))
            workers = (
                str(point.workers) if point.threads == 1 else f"{point.workers} × {point.threads} threads"
            )
            new = (f"{point.read_rate:,.1f}", f"{point.write_rate:,.1f}")
            old = ("", "") if then is None else (f"{then.read:.1f}", f"{then.write:.1f}")
            lines.append((workers, run.storage_type, *new, *old))
    return Grid(
        f"values of 1 MiB, one in a call; published: on {published.ORIGIN}",
        ("num_workers", "storage_type", "read MB/s", "write MB/s", "published read", "published write"),
        lines,
    )


def _rates_grid(runs: Sequence[Run]) -> Grid:
    """Rows a second by operation and batch size, a column for each store."""
    found = {
        (run.storage_type, point.operation, point.batch_size): point.rows_per_second
        for run in runs
        for point in run.points
        if isinstance(point, RowsPoint)
    }
    stores = [run.storage_type for run in runs]
    batches = sorted({batch for _, _, batch in found})
    lines = [
        (operation, f"{batch:,}", *(_rate(found.get((store, operation, batch))) for store in stores))
        for operation in rows.OPERATIONS
        for batch in batches
    ]
    return Grid("rows a second, values of 100 bytes, one thread", ("operation", "batch", *stores), lines)


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}"


def _ycsb_grid(runs: Sequence[Run]) -> Grid:
    """Operations a second and the 99th percentile of each workload's operations, a column for each store."""
    found = {
        (run.storage_type, point.workload, operation): f"{latency.operations / point.seconds:,.0f}/s,"
        f" {latency.p99 / 1000:,.3g} ms"
        for run in runs
        for point in run.points
        if isinstance(point, YcsbPoint) and point.phase == "run"
        for operation, latency in point.latencies.items()
    }
    stores = [run.storage_type for run in runs]
    cases = list(dict.fromkeys((workload, operation) for _, workload, operation in found))
    lines = [
        (
            workload,
            operation.replace("_", " "),
            *(found.get((store, workload, operation), "") for store in stores),
        )
        for workload, operation in cases
    ]
    return Grid(
        f"operations a second and their 99th percentile, {_YCSB_CLIENTS} clients at full speed",
        ("workload", "operation", *stores),
        lines,
    )


def draw(runs: Sequence[Run], folder: Path) -> None:
    """Draws the runs into a folder, as SVG."""
    from kvlayer.bench.plots import write_plots

    for file in write_plots(runs, folder):
        if file.suffix != ".svg":
            file.unlink()
