"""Throughput: what is put, how much of it is kept, and that it comes back as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

import kvlayer
from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Lane, Meeting
from kvlayer.bench.published import THROUGHPUT
from kvlayer.bench.store import bench_store
from kvlayer.bench.throughput import Options, measure, put_and_get
from kvlayer.bench.values import Values
from kvlayer.bench.workers import Progress

KIB = 1024


class AloneWith(Meeting):
    """The meeting of one lane in the test's own process; calls a function before each phase."""

    def __init__(self, before: Callable[[str], None]) -> None:
        super().__init__(1, lambda message: None)
        self._before = before

    def wait(self, phase: str) -> float:
        self._before(phase)
        return time.monotonic()


@pytest.fixture
def client() -> Iterator[kvlayer.Client]:
    with kvlayer.client({"storage_type": "local"}, namespace="throughput") as client:
        client.setup_namespace({"values": (UUID,)})
        yield client
        client.delete_namespace()


def run_alone(
    client: kvlayer.Client, options: Options, before: Callable[[str], None] = lambda phase: None
) -> Any:
    return put_and_get(Lane(client, 0, 1, AloneWith(before)), (options, 1))


class TestInProcesses:
    def test_of_each_number_of_workers(self, tmp_path: Path) -> None:
        config = {"storage_type": "sqlite", "filename": str(tmp_path / "a.db"), "app_name": "app"}
        options = Options(workers=(1, 2), threads=2, value_size=10 * KIB, batch_size=3, values=7)
        told: list[Progress] = []
        with bench_store(config) as store:
            points = list(measure(store, options, progress=told.append))
            with kvlayer.client(store.config) as client:
                assert list(client.scan_keys("values")) == []
        assert [(point.workers, point.threads) for point in points] == [(1, 2), (2, 2)]
        assert [(point.written, point.read) for point in points] == [(14, 14), (28, 28)]
        for point in points:
            assert (point.value_size, point.batch_size) == (10 * KIB, 3)
            assert point.write_rate > 0
            assert point.read_rate > 0
            assert point.write_cpu_seconds > 0
            assert point.read_cpu_seconds > 0
        assert {done.lanes for done in told} <= {2, 4}

    def test_for_a_time(self) -> None:
        options = Options(workers=(1,), threads=2, value_size=KIB, duration=0.2)
        with bench_store({"storage_type": "local"}) as store:
            (point,) = measure(store, options)
        assert point.write_seconds >= 0.2
        assert point.read_seconds >= 0.2
        assert point.written >= 2
        assert point.read >= 2

    def test_of_a_store_for_one_process(self) -> None:
        with (
            bench_store({"storage_type": "local"}) as store,
            pytest.raises(BenchError, match="one process alone"),
        ):
            list(measure(store, Options(workers=(1, 2), value_size=KIB)))


class TestWhatIsStored:
    def test_differs_and_cannot_be_compressed(self, client: kvlayer.Client) -> None:
        import zlib

        stored: list[bytes] = []

        def look(phase: str) -> None:
            if phase == "read":
                stored.extend(value for _, value in client.scan("values"))

        run_alone(client, Options(workers=(1,), value_size=10 * KIB, values=20), look)
        assert len(set(stored)) == 20
        assert all(len(zlib.compress(value)) > 10 * KIB for value in stored)

    def test_is_bounded(self, client: kvlayer.Client) -> None:
        counts: list[int] = []
        options = Options(workers=(1,), value_size=KIB, values=50, batch_size=2, stored=9 * KIB)
        result = run_alone(
            client, options, lambda phase: counts.append(len(list(client.scan_keys("values"))))
        )
        assert counts == [0, 8]
        assert (result.write.values, result.read.values) == (50, 50)

    def test_is_shared_out(self) -> None:
        options = Options(workers=(25, 50, 100), threads=2, value_size=2**20)
        assert [options.share(workers) for workers in options.workers] == [20, 10, 5]

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_comes_back(self, client: kvlayer.Client, batch_size: int) -> None:
        result = run_alone(client, Options(workers=(1,), value_size=KIB, values=20, batch_size=batch_size))
        assert (result.write.values, result.read.values) == (20, 20)

    @pytest.mark.parametrize(
        ("spoil", "complaint"),
        [
            (lambda value: value[:-1], "came back changed"),
            (lambda value: value + b"x", "came back changed"),
            (lambda value: value[:500] + bytes([value[500] ^ 1]) + value[501:], "came back changed"),
            (lambda value: None, "is missing"),
        ],
    )
    def test_is_looked_at(
        self, client: kvlayer.Client, spoil: Callable[[bytes], bytes | None], complaint: str
    ) -> None:
        def before(phase: str) -> None:
            if phase == "read":
                ((key, value),) = client.scan("values", limit=1)
                spoiled = spoil(value)
                client.delete("values", key)
                if spoiled is not None:
                    client.put("values", (key, spoiled))

        with pytest.raises(BenchError, match=complaint):
            run_alone(client, Options(workers=(1,), value_size=KIB, values=20), before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": ()},
        {"workers": (25, 0)},
        {"threads": 0},
        {"value_size": 0},
        {"batch_size": 0},
        {"duration": 0.0},
        {"values": 0},
        {"workers": (2,), "value_size": KIB, "stored": KIB},
    ],
)
def test_what_cannot_be_measured(wrong: dict[str, Any]) -> None:
    with pytest.raises(BenchError):
        Options(**wrong)


def test_values_are_recognised() -> None:
    values = Values(100, Random(1))
    places = [values.place() for _ in range(1000)]
    assert len(set(places)) > 900
    assert all(values.is_at(place, values.at(place)) for place in places)
    assert not values.is_at(places[0], values.at(places[1]))
    assert not values.is_at(places[0], values.at(places[0])[:-1])
    assert not values.is_at(places[0], None)


def test_published_figures() -> None:
    assert {storage_type for storage_type, _ in THROUGHPUT} == {"redis", "postgres", "accumulo"}
    assert THROUGHPUT["redis", 100] == (99.6, 57.3)
    assert THROUGHPUT["postgres", 80].write == 14.4
