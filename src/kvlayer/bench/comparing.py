"""Two runs of the same benchmark side by side: ratios, and what else differs than what was to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from kvlayer.bench.errors import BenchError
from kvlayer.bench.results import Environment, Fact, Kind, Point, RowsPoint, Run, ThroughputPoint, YcsbPoint

Verdict: TypeAlias = Literal["better", "worse", "equal"]

_EQUAL: Final = 0.005
"""How far from 1 a ratio is still shown as 1.00."""

_CHOSEN: Final[dict[Kind, frozenset[str]]] = {
    "throughput": frozenset({"workers"}),
    "rows": frozenset({"batch_sizes"}),
    "ycsb": frozenset({"workloads"}),
}
"""Parameters that say which points there are; the others say how they were measured."""


@dataclass(frozen=True)
class ComparedLine:
    """One figure of one point, in both runs; the middle one, where a run has several rounds."""

    what: str
    unit: str
    a: float | None
    """None where the first run has no such point."""
    b: float | None
    """None where the second run has no such point."""
    a_spread: tuple[float, float] | None
    """The lowest and the highest of several rounds."""
    b_spread: tuple[float, float] | None
    ratio: float | None
    """b / a, where there are both."""
    verdict: Verdict | None
    """What b is, seen from a: more is better in a rate, less in a time. `equal` also where one's spread
    reaches into the other's."""


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    title_a: str
    title_b: str
    lines: list[ComparedLine]
    remarks: list[str]
    """What makes the runs less comparable, each in a sentence."""


class _Figure(NamedTuple):
    what: str
    unit: str
    value: float
    more_is_better: bool


def compare(a: Run, b: Run) -> Comparison:
    """Puts two runs side by side. Raises BenchError where they are of different benchmarks."""
    if a.kind != b.kind:
        raise BenchError(f"a run of `{a.kind}` can't be compared with one of `{b.kind}`")
    lines = list(_lines(a, b))
    remarks = [*_parameters(a, b), *_environments(a, b), *_reservations("A", a), *_reservations("B", b)]
    if all(line.ratio is None for line in lines):
        remarks.append("the runs have no point in common")
    return Comparison(_title(a), _title(b), lines, remarks)


def _title(run: Run) -> str:
    return f"{run.storage_type}, {run.when:%Y-%m-%d %H:%M}"


def _lines(a: Run, b: Run) -> Iterator[ComparedLine]:
    with_sizes = any(len(_value_sizes(run)) > 1 for run in (a, b))
    ours, theirs = _rounds(a, with_sizes), _rounds(b, with_sizes)
    for what in {**ours, **theirs}:
        yield _line(ours.get(what, []), theirs.get(what, []))


def _line(ours: list[_Figure], theirs: list[_Figure]) -> ComparedLine:
    figure = (ours or theirs)[0]
    a, b = ([round_.value for round_ in rounds] for rounds in (ours, theirs))
    middle_a, middle_b = (median(values) if values else None for values in (a, b))
    ratio = middle_b / middle_a if middle_a and middle_b is not None else None
    return ComparedLine(
        figure.what,
        figure.unit,
        middle_a,
        middle_b,
        _spread(a),
        _spread(b),
        ratio,
        None if ratio is None else _verdict(ratio, figure.more_is_better, _meet(a, b)),
    )


def _spread(values: list[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if len(values) > 1 else None


def _meet(a: list[float], b: list[float]) -> bool:
    """Whether the rounds of one reach into those of the other."""
    return min(a) <= max(b) and min(b) <= max(a)


def _verdict(ratio: float, more_is_better: bool, meet: bool) -> Verdict:
    if meet or abs(ratio - 1) < _EQUAL:
        return "equal"
    return "better" if (ratio > 1) == more_is_better else "worse"


def _rounds(run: Run, with_sizes: bool) -> dict[str, list[_Figure]]:
    """The figures of a run by what they are of; several of the same are rounds."""
    rounds: dict[str, list[_Figure]] = {}
    for point in run.points:
        for figure in _figures(point, with_sizes):
            rounds.setdefault(figure.what, []).append(figure)
    return rounds


def _figures(point: Point, with_sizes: bool) -> Iterator[_Figure]:
    match point:
        case ThroughputPoint():
            workers = f"{point.workers} workers"
            yield _Figure(f"{workers}: read", "MB/s", point.read_rate, more_is_better=True)
            yield _Figure(f"{workers}: write", "MB/s", point.write_rate, more_is_better=True)
        case RowsPoint():
            what = f"{point.operation}, batches of {point.batch_size}"
            if with_sizes and point.value_size is not None:
                what += f", values of {point.value_size} bytes"
            yield _Figure(what, "rows/s", point.rows_per_second, more_is_better=True)
            yield _Figure(f"{what}: client's CPU", "µs/row", point.cpu_per_row, more_is_better=False)
        case YcsbPoint():
            # All loads do the same, so they are rounds of one.
            what = "load" if point.phase == "load" else f"workload {point.workload}"
            yield _Figure(what, "operations/s", point.rate, more_is_better=True)
            for operation, latency in point.latencies.items():
                for name, value in (("p50", latency.p50), ("p99", latency.p99), ("p99.9", latency.p999)):
                    yield _Figure(f"{what}: {operation}, {name}", "µs", value, more_is_better=False)


def _value_sizes(run: Run) -> set[int]:
    return {
        point.value_size
        for point in run.points
        if isinstance(point, RowsPoint) and point.value_size is not None
    }


def _parameters(a: Run, b: Run) -> Iterator[str]:
    yield from _differences("", a.parameters, b.parameters, but=_CHOSEN[a.kind])
    if (a.parameters.get("target") is None) != (b.parameters.get("target") is None):
        yield "with a target rate latencies count from the intended start, without one from the actual start"


def _environments(a: Run, b: Run) -> Iterator[str]:
    ours, theirs = a.environment, b.environment
    host_a, host_b = msgspec.structs.asdict(ours.host), msgspec.structs.asdict(theirs.host)
    yield from _differences("machine, ", host_a, host_b)
    yield from _differences("", {"kvlayer": ours.kvlayer}, {"kvlayer": theirs.kvlayer})
    yield from _differences("", {"Python": ours.python}, {"Python": theirs.python})
    yield from _differences("", {"key_codec": ours.key_codec}, {"key_codec": theirs.key_codec})
    yield from _differences("durability, ", ours.durability, theirs.durability)
    if a.storage_type == b.storage_type:  # else they are what is compared
        yield from _differences("driver, ", ours.driver, theirs.driver)
        yield from _differences("store, ", _settings(ours), _settings(theirs))


def _settings(environment: Environment) -> dict[str, Fact]:
    """What a store tells of how it is set up. Its numbers tell how full it is, and `durability` is apart."""
    return {
        name: fact
        for name, fact in environment.store.items()
        if isinstance(fact, str | bool) and name not in environment.durability
    }


def _differences(
    place: str, a: Mapping[str, Any], b: Mapping[str, Any], but: frozenset[str] = frozenset()
) -> Iterator[str]:
    for name in {**a, **b}:
        if name not in but and a.get(name) != b.get(name):
            yield f"{place}{name.replace('_', ' ')}: {_shown(a.get(name))} in A, {_shown(b.get(name))} in B"


def _shown(value: object) -> str:
    match value:
        case None:
            return "not set"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _reservations(name: str, run: Run) -> Iterator[str]:
    """Points of a run that don't mean what their figures say."""
    for point in run.points:
        if isinstance(point, YcsbPoint) and point.overdue:
            yield (
                f"{name} did not hold its target rate in workload {point.workload}:"
                f" {point.overdue} operations were due and not started"
            )
        if isinstance(point, YcsbPoint) and point.missing:
            yield f"{name} missed {point.missing} records in workload {point.workload}"
