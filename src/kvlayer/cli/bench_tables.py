"""The results of benchmarks as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from kvlayer.bench import published
from kvlayer.bench.results import Kind, RowsPoint, Run, ThroughputPoint, YcsbPoint
from kvlayer.bench.rows import OPERATIONS
from kvlayer.cli.terminal import duration, number, size

_MB: Final = "1 MB is 1,000,000 bytes"


@dataclass(frozen=True)
class ResultTable:
    """A table, and what has to be known to read it."""

    texts: list[str]
    """The titles of the first columns, which hold texts."""
    numbers: list[str]
    """The titles of the others."""
    lines: list[list[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def table_of(run: Run) -> ResultTable:
    """The table of a run."""
    return _TABLES[run.kind](run)


def _throughput(run: Run) -> ResultTable:
    points = [point for point in run.points if isinstance(point, ThroughputPoint)]
    # Where a process is dear, as with a JVM, threads take the place of the processes of then.
    known = {
        point: published.THROUGHPUT.get((run.storage_type, point.workers * point.threads)) for point in points
    }
    compared = any(known.values())
    table = ResultTable(
        ["num_workers", "storage_type"],
        ["read MB/s", "write MB/s", *(["read then", "write then"] if compared else [])],
    )
    for point, then in known.items():
        workers = str(point.workers) if point.threads == 1 else f"{point.workers} × {point.threads}"
        line = [workers, run.storage_type, f"{point.read_rate:,.1f}", f"{point.write_rate:,.1f}"]
        if compared:
            line += ["", ""] if then is None else [f"{then.read:.1f}", f"{then.write:.1f}"]
        table.lines.append(line)
    if points:
        table.remarks.append(
            f"values of {size(points[0].value_size)}, {number(points[0].batch_size)} in a call; {_MB}"
        )
        table.remarks.append(f"at most {size(run.parameters['stored'])} of values were stored at a time")
    if compared:
        table.remarks.append(f"then: what kvlayer published, taken on {published.ORIGIN}")
    return table


def _rows(run: Run) -> ResultTable:
    found = {
        (point.operation, point.value_size, point.batch_size): point
        for point in run.points
        if isinstance(point, RowsPoint)
    }
    table = ResultTable(["operation"], ["value", "batch", "rows/s", "MB/s", "client µs/row"], remarks=[_MB])
    for value_size in run.parameters["value_sizes"]:
        for operation in OPERATIONS[:-1]:
            for batch in run.parameters["batch_sizes"]:
                point = found.get((operation, value_size, batch))
                table.lines.append([operation, size(value_size), number(batch), *_rates(point)])
    for batch in run.parameters["batch_sizes"]:
        point = found.get((OPERATIONS[-1], None, batch))
        table.lines.append([OPERATIONS[-1], "", number(batch), *_rates(point)])
    return table


def _rates(point: RowsPoint | None) -> list[str]:
    """Blank for what the store can't do, or what was too large."""
    if point is None:
        return ["", "", ""]
    return [f"{point.rows_per_second:,.0f}", f"{point.rate:,.1f}", f"{point.cpu_per_row:,.2f}"]


def _ycsb(run: Run) -> ResultTable:
    table = ResultTable(
        ["workload", "phase", "operation"],
        ["operations", "operations/s", "p50", "p95", "p99", "p99.9", "max"],
    )
    for point in run.points:
        if not isinstance(point, YcsbPoint):
            continue
        for operation, latency in point.latencies.items():
            times = (latency.p50, latency.p95, latency.p99, latency.p999, latency.max)
            rate = latency.operations / point.seconds
            table.lines.append(
                [
                    point.workload,
                    point.phase,
                    operation.replace("_", " "),
                    number(latency.operations),
                    f"{rate:,.0f}",
                    *(duration(microseconds / 1e6) for microseconds in times),
                ]
            )
        table.remarks.extend(_what_went_wrong(point))
    target = run.parameters.get("target")
    table.remarks.append(
        "run: latency from the actual start; what would have waited behind a slow operation is not in it"
        if target is None
        else f"run: latency from the intended start, at {target:,.12g} operations/s of all workers together"
    )
    return table


def _what_went_wrong(point: YcsbPoint) -> Iterable[str]:
    place = f"workload {point.workload}, {point.phase}:"
    if point.missing:
        yield f"{place} {number(point.missing)} operations found no record"
    if point.overdue:
        yield f"{place} {number(point.overdue)} operations that the target asked for were not begun"


_TABLES: Final[dict[Kind, Callable[[Run], ResultTable]]] = {
    "throughput": _throughput,
    "rows": _rows,
    "ycsb": _ycsb,
}
