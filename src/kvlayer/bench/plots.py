"""Pictures of results, PNG and SVG: throughput, rates by batch size, latencies, stores side by side."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from kvlayer.bench import published
from kvlayer.bench.latency import Histogram
from kvlayer.bench.plot_style import (
    LINES,
    Labelled,
    LineStyle,
    add_legend,
    labelled,
    panels,
    save,
    set_logarithmic,
    set_percentiles,
    style,
)
from kvlayer.bench.results import Kind, Point, RowsPoint, Run, ThroughputPoint, YcsbPoint
from kvlayer.bench.rows import OPERATIONS, Operation
from kvlayer.bench.workloads import WORKLOADS

_P = TypeVar("_P", bound=Point)
_X = TypeVar("_X", int, str)
_Named: TypeAlias = tuple[str, Figure]

_BATCH: Final = 1000
"""The batch size at which stores are set side by side, if all were measured at it."""

_MARKED: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
"""Shares of the operations at which a curve of latencies carries its store's marker."""

_WIDE: Final = 8
"""How many times the fewest workers the most ones are, to need a logarithmic axis."""

_SHORTEST: Final = 0.001
"""µs; a logarithmic axis has no place for 0."""

_THEN: Final[dict[str, Any]] = {"linestyle": "--", "markerfacecolor": "white", "linewidth": 1.0}
"""How published figures are drawn."""


def write_plots(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draws runs into a folder, which is made if need be; the files that were written.

    Runs of one kind come into the same pictures: `throughput`, `rows` (rates by batch size), `latency` (of
    YCSB's workloads); several of them also into `stores-rows` and `stores-ycsb`. Of several rounds the middle
    rate is drawn, and all latencies. Raises BrokenResults for a histogram that is none, and OSError where
    files can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with style():
        for kind, draw in _PLOTS.items():
            chosen = labelled([run for run in runs if run.kind == kind and run.points])
            if chosen:
                for name, figure in draw(chosen):
                    written += save(figure, folder, name)
    return written


def _throughput(runs: list[Labelled]) -> Iterator[_Named]:
    points = {shown: _points(shown.run, ThroughputPoint) for shown in runs}
    sizes = {point.value_size for found in points.values() for point in found}
    threaded = any(point.threads > 1 for found in points.values() for point in found)
    heading = f"Throughput by number of workers, values of {_listed(sizes)} bytes"
    figure, (read, write) = panels(["read", "write"], heading, columns=2)
    for plot, name in ((read, "read"), (write, "write")):
        workers: set[int] = set()
        for shown, found in points.items():
            then = {number: getattr(rates, name) for number, rates in _published(shown.run).items()}
            # Where a process is dear, as with a JVM, threads take the place of processes.
            rates = _middles(
                (point.workers * point.threads, getattr(point, f"{name}_rate")) for point in found
            )
            _draw(plot, shown, then, **_THEN)
            _draw(plot, shown, rates)
            workers |= {*then, *rates}
        plot.set_xlabel("worker processes × threads of each" if threaded else "worker processes")
        plot.set_ylabel("MB/s")
        plot.set_ylim(bottom=0)
        if max(workers) > _WIDE * min(workers):
            set_logarithmic(plot.xaxis)
        plot.xaxis.set_major_locator(FixedLocator(sorted(workers)))
    then_handles = _published_handles(runs)
    note = f"published: taken on {published.ORIGIN}" if then_handles else None
    add_legend(figure, [*map(_handle, runs), *then_handles], runs, note)
    yield "throughput", figure


def _published(run: Run) -> dict[int, published.Published]:
    """What was published of a store, by the number of workers."""
    found = {
        workers: rates for (name, workers), rates in published.THROUGHPUT.items() if name == run.storage_type
    }
    return dict(sorted(found.items()))


def _published_handles(runs: list[Labelled]) -> list[Line2D]:
    of_stores = {shown.run.storage_type: shown for shown in runs if _published(shown.run)}
    return [_handle(shown, f"{name}, published", **_THEN) for name, shown in of_stores.items()]


def _rows(runs: list[Labelled]) -> Iterator[_Named]:
    points = {shown: _points(shown.run, RowsPoint) for shown in runs}
    measured = [point for found in points.values() for point in found]
    operations = [name for name in OPERATIONS if any(point.operation == name for point in measured)]
    sizes = sorted({point.value_size for point in measured if point.value_size is not None})
    lines = {size: LINES[number % len(LINES)] for number, size in enumerate(sizes)}
    heading = f"Rows a second by batch size, values of {_listed(sizes)} bytes, one thread"
    figure, axes = panels(operations, heading, columns=3)
    for plot, operation in zip(axes, operations, strict=True):
        for shown, found in points.items():
            for size in (None, *sizes):
                rates = _middles(
                    (point.batch_size, point.rows_per_second)
                    for point in found
                    if (point.operation, point.value_size) == (operation, size)
                )
                _draw(plot, shown, rates, linestyle="-" if size is None else lines[size])
        plot.set_xlabel("rows in a call")
    figure.supylabel("rows/s", fontsize="medium")
    for plot in figure.axes:
        set_logarithmic(plot.xaxis)
        set_logarithmic(plot.yaxis)
    add_legend(figure, [*map(_handle, runs), *_line_handles(lines, "{:,} bytes")], runs)
    yield "rows", figure
    yield from _stores_by_rows(points, operations)


def _stores_by_rows(
    points: dict[Labelled, list[RowsPoint]], operations: Sequence[Operation]
) -> Iterator[_Named]:
    """All stores at one batch size and one value size, if they have one of each in common."""
    batches = set.intersection(*({point.batch_size for point in found} for found in points.values()))
    sizes = set.intersection(*({point.value_size for point in found} for found in points.values())) - {None}
    if len(points) < 2 or not batches or not sizes:
        return
    batch = _BATCH if _BATCH in batches else max(batches)
    size = min(size for size in sizes if size is not None)
    rates = {
        shown: _middles(
            (point.operation, point.rows_per_second)
            for point in found
            if point.batch_size == batch and point.value_size in (size, None)
        )
        for shown, found in points.items()
    }
    heading = f"Rows a second, batches of {batch:,}, values of {size:,} bytes, one thread"
    yield "stores-rows", _side_by_side(rates, {name: name for name in operations}, heading, "rows/s")


def _latency(runs: list[Labelled]) -> Iterator[_Named]:
    points = {
        shown: [point for point in _points(shown.run, YcsbPoint) if point.phase == "run"] for shown in runs
    }
    measured = [point for found in points.values() for point in found]
    workloads = sorted({point.workload for point in measured} & set(WORKLOADS))
    if not workloads:
        return
    operations = list(dict.fromkeys(name for point in measured for name in point.latencies))
    lines = {name: LINES[number % len(LINES)] for number, name in enumerate(operations)}
    titles = [f"{name}: {WORKLOADS[name].summary}" for name in workloads]
    heading = f"YCSB with {_clients(measured)}: latency from {_from_when(measured)}"
    figure, axes = panels(titles, heading, columns=2)
    for plot, workload in zip(axes, workloads, strict=True):
        for shown, found in points.items():
            for operation, line in lines.items():
                rounds = [
                    Histogram.decoded(point.latencies[operation].histogram)
                    for point in found
                    if point.workload == workload and operation in point.latencies
                ]
                _draw_latencies(plot, shown, Histogram.merged(rounds), line)
        plot.set_xlabel("percentile")
    figure.supylabel("latency", fontsize="medium")
    for plot in figure.axes:
        set_logarithmic(plot.yaxis, unit="s")
        set_percentiles(plot)
    add_legend(figure, [*map(_handle, runs), *_line_handles(lines, "{}")], runs)
    yield "latency", figure
    yield from _stores_by_ycsb(points, workloads)


def _draw_latencies(plot: Axes, shown: Labelled, histogram: Histogram, line: LineStyle) -> None:
    curve = histogram.curve()
    shares = [share for share, _ in curve]
    # The longest one lies at a share of 1, which is nowhere on this axis: it is drawn where the share of
    # all but one lies.
    plot.plot(
        [1 / max(1 - share, 1 / histogram.count) for share in shares],
        [max(microseconds, _SHORTEST) / 1e6 for _, microseconds in curve],
        color=shown.colour,
        linestyle=line,
        marker=shown.marker,
        markevery=[at for at in (bisect(shares, share) for share in _MARKED) if at < len(shares)],
    )


def _from_when(points: Sequence[YcsbPoint]) -> str:
    """From which moment latencies count, which depends on whether there was a target."""
    targets = {point.target for point in points}
    if targets == {None}:
        return "the actual start, at full speed"
    if None in targets:
        return "the actual start, or the intended one where there is a target"
    return f"the intended start, at a target of {_listed(t for t in targets if t is not None)} operations/s"


def _stores_by_ycsb(points: dict[Labelled, list[YcsbPoint]], workloads: Sequence[str]) -> Iterator[_Named]:
    if len(points) < 2:
        return
    rates = {
        shown: _middles((point.workload, point.rate) for point in found) for shown, found in points.items()
    }
    measured = [point for found in points.values() for point in found]
    heading = f"Operations a second of YCSB's workloads with {_clients(measured)}"
    names = {name: f"{name}: {WORKLOADS[name].summary}" for name in workloads}
    yield "stores-ycsb", _side_by_side(rates, names, heading, "operations/s")


def _clients(points: Sequence[YcsbPoint]) -> str:
    numbers = {point.workers * point.threads for point in points}
    return f"{_listed(numbers)} client{'' if numbers == {1} else 's'}"


def _side_by_side(
    rates: dict[Labelled, dict[str, float]], groups: dict[str, str], heading: str, unit: str
) -> Figure:
    """A dot for each store in a line for each group, under the names that `groups` gives them."""
    runs = list(rates)
    figure, (plot,) = panels([""], heading, columns=1)
    for place, group in enumerate(groups):
        for number, (shown, of_store) in enumerate(rates.items()):
            if group in of_store:
                at = place + (number - (len(runs) - 1) / 2) * 0.6 / len(runs)
                plot.plot(of_store[group], at, color=shown.colour, marker=shown.marker, linestyle="")
    set_logarithmic(plot.xaxis)
    plot.set_xlabel(unit)
    plot.set_yticks(range(len(groups)), list(groups.values()))
    plot.invert_yaxis()
    add_legend(figure, [_handle(shown, linestyle="") for shown in runs], runs)
    return figure


def _points(run: Run, kind: type[_P]) -> list[_P]:
    return [point for point in run.points if isinstance(point, kind)]


def _middles(pairs: Iterable[tuple[_X, float]]) -> dict[_X, float]:
    """The middle one of the rounds of each, in order."""
    rounds: dict[_X, list[float]] = {}
    for name, value in pairs:
        rounds.setdefault(name, []).append(value)
    return {name: median(rounds[name]) for name in sorted(rounds)}


def _draw(plot: Axes, shown: Labelled, line: dict[int, float], **looks: Any) -> None:
    plot.plot(list(line), list(line.values()), **{"color": shown.colour, "marker": shown.marker, **looks})


def _handle(shown: Labelled, label: str | None = None, **looks: Any) -> Line2D:
    return Line2D([], [], label=label or shown.label, color=shown.colour, marker=shown.marker, **looks)


def _line_handles(lines: dict[_X, LineStyle], label: str) -> list[Line2D]:
    """What the kinds of lines mean, where there are several."""
    if len(lines) < 2:
        return []
    return [
        Line2D([], [], label=label.format(name).replace("_", " "), color="#555555", linestyle=line)
        for name, line in lines.items()
    ]


def _listed(numbers: Iterable[float]) -> str:
    return " and ".join(f"{number:,.12g}" for number in sorted(numbers))


_PLOTS: Final[dict[Kind, Callable[[list[Labelled]], Iterator[_Named]]]] = {
    "throughput": _throughput,
    "rows": _rows,
    "ycsb": _latency,
}
