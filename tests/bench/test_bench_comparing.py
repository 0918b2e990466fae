"""Which points of two runs belong together, what is better, and what makes a comparison unfair."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from bench.made_runs import ENVIRONMENT, HOST, latency, made_run, rows_point, throughput_point, ycsb_point
from kvlayer.bench.comparing import ComparedLine, Comparison, compare
from kvlayer.bench.errors import BenchError


def about(value: float, rel: float | None = None) -> Any:
    return pytest.approx(value, rel=rel)


def lines(comparison: Comparison) -> dict[str, ComparedLine]:
    """By what they are of, which is never the same twice."""
    assert len({line.what for line in comparison.lines}) == len(comparison.lines)
    return {line.what: line for line in comparison.lines}


def test_throughput_is_compared_by_the_number_of_workers() -> None:
    a = made_run("throughput", [throughput_point(25, 50.0, 100.0), throughput_point(50, 60.0, 110.0)])
    b = made_run("throughput", [throughput_point(50, 30.0, 220.0), throughput_point(100, 70.0, 120.0)])
    found = lines(compare(a, b))
    assert list(found) == [
        "25 workers: read",
        "25 workers: write",
        "50 workers: read",
        "50 workers: write",
        "100 workers: read",
        "100 workers: write",
    ]
    read, write = found["50 workers: read"], found["50 workers: write"]
    assert (read.unit, read.a, read.b, read.ratio) == ("MB/s", *map(about, (110.0, 220.0, 2.0)))
    assert (read.verdict, write.verdict) == ("better", "worse")
    assert write.ratio == about(0.5)
    only_a, only_b = found["25 workers: read"], found["100 workers: read"]
    assert (only_a.a, only_a.b, only_a.ratio, only_a.verdict) == (about(100.0), None, None, None)
    assert (only_b.a, only_b.b, only_b.ratio, only_b.verdict) == (None, about(120.0), None, None)


def test_rows_are_compared_by_operation_and_batch_size() -> None:
    a = made_run("rows", [rows_point("put", 1000, 100_000, cpu=4.0), rows_point("get", 1000, 50_000)])
    b = made_run("rows", [rows_point("put", 1000, 200_000, cpu=6.0), rows_point("get", 10, 50_000)])
    found = lines(compare(a, b))
    rate, cpu = found["put, batches of 1000"], found["put, batches of 1000: client's CPU"]
    assert (rate.unit, rate.ratio, rate.verdict) == ("rows/s", about(2.0), "better")
    # Less is better in what is spent.
    assert (cpu.unit, cpu.a, cpu.b, cpu.verdict) == ("µs/row", *map(about, (4.0, 6.0)), "worse")
    assert found["get, batches of 1000"].b is None
    assert found["get, batches of 10"].a is None


def test_rows_are_compared_by_value_size_where_there_are_several() -> None:
    a = made_run("rows", [rows_point("put", 1, 100.0, value_size=size) for size in (100, 1000)])
    b = made_run("rows", [rows_point("put", 1, 300.0, value_size=1000)])
    found = lines(compare(a, b))
    assert found["put, batches of 1, values of 1000 bytes"].ratio == about(3.0)
    assert found["put, batches of 1, values of 100 bytes"].b is None


def test_one_value_size_is_compared_with_another_but_not_without_a_word() -> None:
    a = made_run("rows", [rows_point("put", 1, 100.0)], parameters={"value_sizes": [100]})
    b = made_run("rows", [rows_point("put", 1, 50.0, value_size=1000)], parameters={"value_sizes": [1000]})
    comparison = compare(a, b)
    assert lines(comparison)["put, batches of 1"].ratio == about(0.5)
    assert comparison.remarks == ["value sizes: 100 in A, 1000 in B"]


def test_ycsb_is_compared_by_workload_and_percentile() -> None:
    a = made_run("ycsb", [ycsb_point("A", 1000.0, {"read": latency(100.0), "update": latency(300.0)})])
    b = made_run("ycsb", [ycsb_point("A", 1500.0, {"read": latency(50.0), "update": latency(600.0)})])
    found = lines(compare(a, b))
    assert found["workload A"].ratio == about(1.5)
    assert found["workload A"].unit == "operations/s"
    for percentile in ("p50", "p99", "p99.9"):
        read, update = (found[f"workload A: {name}, {percentile}"] for name in ("read", "update"))
        assert (read.unit, read.verdict, read.ratio) == ("µs", "better", about(0.5, rel=0.01))
        assert (update.verdict, update.ratio) == ("worse", about(2.0, rel=0.01))


def test_loads_are_rounds_of_the_same() -> None:
    rates = {"A": 100.0, "E": 300.0}
    points = [ycsb_point(name, rate, {}, phase="load", distribution=None) for name, rate in rates.items()]
    a, b = made_run("ycsb", [*points]), made_run("ycsb", [points[1]])
    load = lines(compare(a, b))["load"]
    assert (load.a, load.a_spread) == (about(200.0), (about(100.0), about(300.0)))
    assert (load.b, load.b_spread) == (about(300.0), None)


def rounds(*rates: float) -> list[Any]:
    return [throughput_point(25, rate, rate) for rate in rates]


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ((100.0, 110.0, 104.0), (105.0, 120.0, 130.0), "equal"),
        ((100.0, 110.0, 104.0), (111.0, 120.0, 130.0), "better"),
        ((100.0, 110.0, 104.0), (99.0, 90.0), "worse"),
        ((100.0, 110.0, 104.0), (107.0,), "equal"),
        ((100.0,), (100.4,), "equal"),
        ((100.0,), (101.0,), "better"),
        ((100.0,), (99.0,), "worse"),
    ],
)
def test_several_rounds_have_a_middle_and_a_spread(
    a: tuple[float, ...], b: tuple[float, ...], verdict: str
) -> None:
    line = compare(made_run("throughput", rounds(*a)), made_run("throughput", rounds(*b))).lines[0]
    assert line.verdict == verdict
    if len(a) == 3:
        assert line.a == about(104.0)
        assert line.a_spread == (about(100.0), about(110.0))
    else:
        assert line.a_spread is None


def test_runs_that_differ_in_nothing_get_no_remark() -> None:
    run = made_run("throughput", rounds(100.0), parameters={"value_size": 100, "workers": [25]})
    comparison = compare(run, run)
    assert comparison.remarks == []
    assert {line.verdict for line in comparison.lines} == {"equal"}


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"host": msgspec.structs.replace(HOST, cores=64)}, "machine, cores: 2 in A, 64 in B"),
        ({"kvlayer": "1.1.0"}, "kvlayer: 1.0.0 in A, 1.1.0 in B"),
        ({"python": "CPython 3.13.0"}, "Python: CPython 3.11.7 in A, CPython 3.13.0 in B"),
        ({"driver": {"redis": "7.1.0"}}, "driver, redis: 7.0.0 in A, 7.1.0 in B"),
        ({"store": {"version": "8.2.0"}}, "store, version: 8.0.0 in A, 8.2.0 in B"),
        ({"key_codec": "C"}, "key codec: Python in A, C in B"),
        ({"durability": {"append_only": False}}, "durability, append only: True in A, False in B"),
        ({"durability": {}}, "durability, append only: True in A, not set in B"),
    ],
)
def test_other_environments_are_told(change: dict[str, Any], remark: str) -> None:
    other = msgspec.structs.replace(ENVIRONMENT, **change)
    a, b = (made_run("throughput", rounds(1.0), environment=env) for env in (ENVIRONMENT, other))
    assert compare(a, b).remarks == [remark]


def test_how_full_a_store_was_is_no_difference() -> None:
    other = msgspec.structs.replace(ENVIRONMENT, store={"version": "8.0.0", "memory_bytes": 10**9})
    a, b = (made_run("throughput", rounds(1.0), environment=env) for env in (ENVIRONMENT, other))
    assert compare(a, b).remarks == []


def test_a_setting_that_is_one_of_durability_is_told_once() -> None:
    facts = [{"append_only": False}, {"append_only": True}]
    environments = [msgspec.structs.replace(ENVIRONMENT, store=fact, durability=fact) for fact in facts]
    a, b = (made_run("throughput", rounds(1.0), environment=env) for env in environments)
    assert compare(a, b).remarks == ["durability, append only: False in A, True in B"]


def test_other_parameters_are_told() -> None:
    a = made_run("throughput", rounds(1.0), parameters={"value_size": 100, "threads": 1, "workers": [25]})
    b = made_run("throughput", rounds(1.0), parameters={"value_size": 10, "threads": 1, "workers": [50]})
    # Which numbers of workers were measured shows in the lines.
    assert compare(a, b).remarks == ["value size: 100 in A, 10 in B"]


def test_two_stores_differ_in_driver_and_version_by_nature() -> None:
    other = msgspec.structs.replace(
        ENVIRONMENT, driver={"psycopg": "3.3.6"}, store={"version": "17"}, durability={"synchronous": "on"}
    )
    a = made_run("throughput", rounds(1.0))
    b = made_run("throughput", rounds(1.0), "postgres", environment=other)
    comparison = compare(a, b)
    assert comparison.remarks == [
        "durability, append only: True in A, not set in B",
        "durability, synchronous: not set in A, on in B",
    ]
    assert (comparison.title_a, comparison.title_b) == (
        "redis, 2026-11-22 21:30",
        "postgres, 2026-11-22 21:30",
    )


def test_latencies_from_other_moments_are_told() -> None:
    a = made_run("ycsb", [ycsb_point("C", 10.0, {"read": latency(1.0)})], parameters={"target": None})
    b = made_run("ycsb", [ycsb_point("C", 10.0, {"read": latency(1.0)})], parameters={"target": 10.0})
    assert compare(a, b).remarks == [
        "target: not set in A, 10.0 in B",
        "with a target rate latencies count from the intended start, without one from the actual start",
    ]


def test_a_target_that_was_missed_and_records_that_were_are_told() -> None:
    point = ycsb_point("C", 10.0, {"read": latency(1.0)})
    a, b = (
        made_run("ycsb", [msgspec.structs.replace(point, **change)])
        for change in ({"overdue": 120}, {"missing": 3})
    )
    assert compare(a, b).remarks == [
        "A did not hold its target rate in workload C: 120 operations were due and not started",
        "B missed 3 records in workload C",
    ]


def test_runs_without_a_common_point_are_told() -> None:
    a, b = made_run("rows", [rows_point("put", 1, 1.0)]), made_run("rows", [rows_point("get", 1, 1.0)])
    assert compare(a, b).remarks == ["the runs have no point in common"]


def test_runs_of_different_benchmarks_are_refused() -> None:
    a, b = made_run("throughput", rounds(1.0)), made_run("rows", [rows_point("put", 1, 1.0)])
    with pytest.raises(
        BenchError, match=re.escape("a run of `throughput` can't be compared with one of `rows`")
    ):
        compare(a, b)
