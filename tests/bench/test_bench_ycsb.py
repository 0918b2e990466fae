"""YCSB: the mixes, the keys, who does what, and from when latencies count."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

import kvlayer
from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Lane, Meeting
from kvlayer.bench.latency import Histogram
from kvlayer.bench.store import BenchStore, bench_store
from kvlayer.bench.workers import Progress
from kvlayer.bench.workloads import TABLE, WORKLOADS, Workload, key_name
from kvlayer.bench.ycsb import Options, measure
from kvlayer.bench.ycsb_lane import PhaseResult, Plan, load_and_run
from kvlayer.table import Table
from servers.redis import RedisServer

MILLISECOND_US = 1000.0


class Barrier:
    """Lanes that are threads of the test."""

    def __init__(self, lanes: int) -> None:
        self._barrier = threading.Barrier(lanes)
        self._lock = threading.Lock()
        self.phases: list[str] = []
        self.reported = 0

    def wait(self, phase: str) -> float:
        with self._lock:
            self.phases.append(phase)
        self._barrier.wait(60)
        return time.monotonic()

    def report(self, operations: int, size: int) -> None:
        with self._lock:
            self.reported += operations


@pytest.fixture
def client() -> Iterator[kvlayer.Client]:
    with kvlayer.client({"storage_type": "local"}, namespace=uuid4().hex) as client:
        client.setup_namespace({TABLE: (str,)})
        yield client
        client.delete_namespace()


def run(client: kvlayer.Client, plan: Plan, lanes: int = 1) -> tuple[list[list[PhaseResult]], Barrier]:
    """What each of so many lanes did."""
    barrier = Barrier(lanes)

    def task(number: int) -> list[PhaseResult]:
        return load_and_run(Lane(client, number, lanes, cast(Meeting, barrier)), plan)

    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(task, range(lanes))), barrier


def plan(*workloads: str | Workload, **changes: Any) -> Plan:
    chosen = tuple(WORKLOADS[name] if isinstance(name, str) else name for name in workloads)
    defaults = Plan(chosen, records=100, value_size=1000, duration=60.0, operations=1000, target=None)
    return replace(defaults, **changes)


def done(result: PhaseResult) -> dict[str, int]:
    """Operations by their name."""
    return {name: Histogram.decoded(text).count for name, text in result.service.items()}


def test_the_mixes_are_those_of_the_paper() -> None:
    assert {name: (workload.mix, workload.distribution) for name, workload in WORKLOADS.items()} == {
        "A": ({"read": 50, "update": 50}, "zipfian"),
        "B": ({"read": 95, "update": 5}, "zipfian"),
        "C": ({"read": 100}, "zipfian"),
        "D": ({"read": 95, "insert": 5}, "latest"),
        "E": ({"scan": 95, "insert": 5}, "zipfian"),
        "F": ({"read": 50, "read_modify_write": 50}, "zipfian"),
    }


def test_keys_are_those_of_ycsb_padded() -> None:
    assert key_name(0) == "user6284781860667377211"
    names = [key_name(number) for number in range(10_000)]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {len("user") + 19}
    assert names != sorted(names)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_does_what_its_mix_says(client: kvlayer.Client, name: str) -> None:
    [[load, result]], barrier = run(client, plan(name, operations=2000))
    assert barrier.phases == ["load", f"run {name}"]
    assert done(load) == {"insert": 100}
    counts = done(result)
    assert sum(counts.values()) == result.operations == 2000
    assert barrier.reported == 2100
    assert result.missing == result.overdue == 0
    for operation, percent in WORKLOADS[name].mix.items():
        assert counts[operation] == pytest.approx(20 * percent, abs=120)
    rows = 100 + counts.get("insert", 0)
    assert sum(1 for _ in client.scan_keys(TABLE)) == rows


def test_the_lanes_share_the_records(client: kvlayer.Client) -> None:
    results, _ = run(client, plan("C", records=100, operations=10), lanes=3)
    assert [done(load)["insert"] for load, _ in results] == [34, 33, 33]
    assert [result.operations for _, result in results] == [4, 3, 3]
    rows = dict(client.scan(TABLE))
    assert set(rows) == {(key_name(number),) for number in range(100)}
    assert {len(value) for value in rows.values()} == {1000}
    assert len(set(rows.values())) == 100


@pytest.mark.parametrize("name", ["D", "E"])
def test_the_lanes_insert_records_of_their_own(client: kvlayer.Client, name: str) -> None:
    results, _ = run(client, plan(name, operations=1000), lanes=4)
    inserted = [done(result)["insert"] for _, result in results]
    assert all(count > 0 for count in inserted)
    keys = {key for (key,) in client.scan_keys(TABLE)}
    assert len(keys) == 100 + sum(inserted)
    assert keys >= {key_name(number) for number in range(100 + 4 * min(inserted))}


def test_loading_starts_with_an_empty_table(client: kvlayer.Client) -> None:
    client.put(TABLE, (("left over",), b""))
    run(client, plan("C", operations=1))
    assert list(client.get(TABLE, ("left over",))) == [(("left over",), None)]


def test_workload_d_reads_what_was_just_inserted(
    client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    get = Table.get

    def counting(self: Table, *keys: tuple[str]) -> Any:
        read.update(key for (key,) in keys)
        return get(self, *keys)

    monkeypatch.setattr(Table, "get", counting)
    mostly_inserts = Workload("D", "", {"read": 50, "insert": 50}, "latest")
    run(client, plan(mostly_inserts, operations=4000))
    loaded = {key_name(number) for number in range(100)}
    of_inserted = sum(count for key, count in read.items() if key not in loaded)
    assert of_inserted > 0.75 * read.total()


def test_scans_are_as_long_as_they_should_be(client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: Counter[int] = Counter()
    scan = Table.scan

    def counting(self: Table, *ranges: Any, limit: int) -> Any:
        limits[limit] += 1
        return scan(self, *ranges, limit=limit)

    monkeypatch.setattr(Table, "scan", counting)
    run(client, plan("E", operations=5000))
    assert set(limits) == set(range(1, 101))
    assert sum(limit * count for limit, count in limits.items()) / limits.total() == pytest.approx(
        50.5, abs=3
    )


@pytest.mark.parametrize("name", ["C", "E", "F"])
def test_a_record_that_is_not_there_is_counted(
    client: kvlayer.Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each put is lost, so that nothing is ever there.
    monkeypatch.setattr(Table, "put", lambda self, *pairs: None)
    [[_, result]], _ = run(client, plan(name, operations=100))
    counts = done(result)
    assert result.missing == sum(counts.values()) - counts.get("insert", 0) > 0


def _slowly(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    get = Table.get

    def slow(self: Table, *keys: tuple[str]) -> Any:
        time.sleep(seconds)
        return get(self, *keys)

    monkeypatch.setattr(Table, "get", slow)


def test_with_a_target_the_wait_for_slow_operations_counts(
    client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 50 operations are due within 5 ms, and each takes 2 ms: the last has to wait for all before it.
    _slowly(0.002, monkeypatch)
    [[_, result]], _ = run(client, plan("C", operations=50, target=10_000.0))
    due = Histogram.decoded(result.due["read"]).latency()
    service = Histogram.decoded(result.service["read"]).latency()
    assert due.operations == service.operations == 50
    assert due.max >= (50 * 2 - 5) * MILLISECOND_US
    assert due.p50 >= (25 * 2 - 2.5) * MILLISECOND_US
    assert due.mean > service.mean
    assert result.overdue == 0


def test_without_a_target_latencies_count_from_the_start(
    client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slowly(0.002, monkeypatch)
    [[_, result]], _ = run(client, plan("C", operations=20))
    assert result.due == {}
    assert Histogram.decoded(result.service["read"]).latency().p50 >= 2 * MILLISECOND_US


def test_what_was_due_and_never_started_is_counted(
    client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slowly(0.05, monkeypatch)
    slow = plan("C", operations=None, duration=0.2, target=10_000.0)
    results, _ = run(client, slow, lanes=2)
    assert [result.operations + result.overdue for _, result in results] == [1000, 1000]
    assert all(result.overdue >= 995 for _, result in results)


def test_a_duration_ends_a_phase(client: kvlayer.Client) -> None:
    [[load, result]], _ = run(client, plan("A", operations=None, duration=0.5))
    assert load.operations == 100
    assert result.operations > 0
    assert result.seconds >= 0.5


def test_a_low_target_ends_in_time_too(client: kvlayer.Client) -> None:
    # The second operation would be due in 1000 seconds.
    [[_, result]], _ = run(client, plan("A", operations=None, duration=0.5, target=0.001))
    assert (result.operations, result.overdue) == (1, 0)


def test_two_runs_ask_for_the_same_records(client: kvlayer.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str]] = []
    get = Table.get

    def listing(self: Table, *keys: tuple[str]) -> Any:
        asked.extend(keys)
        return get(self, *keys)

    monkeypatch.setattr(Table, "get", listing)
    run(client, plan("B"))
    first = asked.copy()
    asked.clear()
    run(client, plan("B"))
    assert asked == first


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"workloads": ()}, "workloads are among A, B, C, D, E, F"),
        ({"workloads": ("A", "G")}, "workloads are among A, B, C, D, E, F"),
        ({"distribution": "pareto"}, "a distribution is one of zipfian, latest, uniform, not pareto"),
        ({"records": 0}, "records: at least 1, not 0"),
        ({"operations": 0}, "operations: at least 1, not 0"),
        ({"workers": 0}, "workers: at least 1, not 0"),
        ({"threads": -1}, "threads: at least 1, not -1"),
        ({"value_size": -1}, "value size: at least 0, not -1"),
        ({"duration": 0.0}, "duration: above 0, not 0.0"),
        ({"duration": float("inf")}, "duration: above 0, not inf"),
        ({"target": 0.0}, "target: above 0, not 0.0"),
        ({"target": float("nan")}, "target: above 0, not nan"),
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(BenchError, match=problem):
        Options(**wrong)


@pytest.fixture
def in_memory() -> Iterator[BenchStore]:
    with bench_store("local://") as store:
        yield store


def test_all_workloads_run_on_the_records_they_need(in_memory: BenchStore) -> None:
    points = list(measure(in_memory, Options(records=50, operations=200)))
    assert [(point.workload, point.phase, point.distribution) for point in points] == [
        ("A", "load", None),
        ("A", "run", "zipfian"),
        ("B", "run", "zipfian"),
        ("C", "run", "zipfian"),
        ("F", "run", "zipfian"),
        ("D", "run", "latest"),
        ("E", "load", None),
        ("E", "run", "zipfian"),
    ]
    assert {point.missing for point in points} == {0}
    for point in points:
        assert set(point.latencies) == (
            {"insert"} if point.phase == "load" else set(WORKLOADS[point.workload].mix)
        )
        assert point.operations == (50 if point.phase == "load" else 200)
        assert sum(latency.operations for latency in point.latencies.values()) == point.operations
        assert point.service == {}
        assert point.rate > 0


def test_another_distribution_can_be_asked_for(in_memory: BenchStore) -> None:
    options = Options(workloads=("C",), records=50, operations=10, distribution="uniform")
    _, point = measure(in_memory, options)
    assert point.distribution == "uniform"


def test_a_store_for_one_process_gets_one_worker(in_memory: BenchStore) -> None:
    with pytest.raises(BenchError, match="one process alone can use this store, not 2"):
        measure(in_memory, Options(workers=2))


def test_scans_need_a_store_in_key_order(in_memory: BenchStore) -> None:
    unordered = replace(in_memory, capabilities=replace(in_memory.capabilities, ordered=False))
    with pytest.raises(BenchError, match="local does not scan in key order, which workload E needs"):
        measure(unordered, Options())
    assert list(measure(unordered, Options(workloads=("A",), records=10, operations=10)))


def test_threads_of_one_process(tmp_path: Path) -> None:
    with bench_store(f"sqlite:///{tmp_path}/ycsb.db", app_name="bench") as store:
        options = Options(workloads=("A",), records=100, operations=301, threads=3)
        load, point = measure(store, options)
    assert (load.operations, point.operations) == (100, 301)
    assert (point.workers, point.threads, point.records, point.value_size) == (1, 3, 100, 1000)


def test_processes_on_a_server_at_a_target_rate() -> None:
    seen: list[Progress] = []
    with RedisServer() as server, bench_store(server.config, app_name="bench") as store:
        options = Options(
            workloads=("F", "E"), records=200, value_size=50, duration=0.5, target=400.0, workers=2, threads=2
        )
        points = list(measure(store, options, progress=seen.append))
    assert [(point.workload, point.phase) for point in points] == [("F", "load"), ("F", "run"), ("E", "run")]
    for point in points:
        assert point.missing == 0
        if point.phase == "load":
            assert (point.operations, point.target, point.overdue, point.service) == (200, None, 0, {})
            continue
        assert point.target == 400.0
        # What was due was done, or is said to be missing.
        assert point.operations + point.overdue == 200
        assert point.seconds >= 0.5
        assert set(point.latencies) == set(point.service) == set(WORKLOADS[point.workload].mix)
        for name, latency in point.latencies.items():
            assert latency.operations == point.service[name].operations
            assert latency.mean >= point.service[name].mean * 0.998
            assert Histogram.decoded(latency.histogram).latency() == latency
    assert seen[-1].lanes == 4
    assert {progress.phase for progress in seen} <= {"", "load", "run F", "run E"}
