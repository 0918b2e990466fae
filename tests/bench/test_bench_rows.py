"""Rates of operations: what is counted, and what is left out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kvlayer
from kvlayer import backends
from kvlayer.backends.base import BackendTable
from kvlayer.backends.local import LocalBackend
from kvlayer.bench.errors import BenchError
from kvlayer.bench.lanes import Lane, Meeting
from kvlayer.bench.results import RowsPoint
from kvlayer.bench.rows import KEY_SIZE, KEY_TYPES, OPERATIONS, Options, all_operations, measure
from kvlayer.bench.store import bench_store
from kvlayer.keys import KeyCodec

ON_ROWS = ["put", "get", "scan", "scan_keys", "delete"]


class Alone(Meeting):
    """The meeting of one lane in the test's own process."""

    def __init__(self) -> None:
        super().__init__(1, lambda message: None)

    def wait(self, phase: str) -> float:
        return time.monotonic()


class WithoutCounters(LocalBackend):
    capabilities = replace(LocalBackend.capabilities, atomic_increment=False, max_value_bytes=1000)


class Forgetful(LocalBackend):
    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        found = super().get(table, keys)
        return [*found[:-1], None] if table.name == "rows" else found


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backends of this module, for as long as a test of it runs."""
    for name, backend in (("without-counters", WithoutCounters), ("forgetful", Forgetful)):
        monkeypatch.setitem(backends._targets, name, f"{__name__}:{backend.__name__}")


@pytest.fixture
def storage_type() -> str:
    return "local"


@pytest.fixture
def client(storage_type: str) -> Iterator[kvlayer.Client]:
    with kvlayer.client({"storage_type": storage_type}, app_name="bench", namespace="rows") as client:
        client.setup_namespace(
            {"rows": KEY_TYPES, "counters": KEY_TYPES}, value_types={"counters": kvlayer.COUNTER}
        )
        yield client
        client.delete_namespace()


def run_alone(client: kvlayer.Client, options: Options) -> list[RowsPoint]:
    return all_operations(Lane(client, 0, 1, Alone()), options)


def test_in_a_process(tmp_path: Path) -> None:
    config = {"storage_type": "sqlite", "filename": str(tmp_path / "a.db"), "app_name": "app"}
    options = Options(batch_sizes=(1, 50), value_sizes=(0, 2000), duration=0.05, rows=200)
    with bench_store(config) as store:
        points = measure(store, options)
        with kvlayer.client(store.config) as client:
            assert [list(client.scan_keys(table)) for table in ("rows", "counters")] == [[], []]
    assert [(point.operation, point.value_size, point.batch_size) for point in points] == [
        *((operation, size, batch) for size in (0, 2000) for batch in (1, 50) for operation in ON_ROWS),
        *(("increment", None, batch) for batch in (1, 50)),
    ]
    for point in points:
        has_values = point.operation in ("put", "get", "scan")
        assert point.size == point.rows * (KEY_SIZE + (point.value_size or 0) * has_values)
        assert 0 < point.rows <= 200
        assert point.rows % point.batch_size == 0
        assert point.seconds > 0
        assert point.cpu_seconds >= 0


def test_keys_have_their_size(client: kvlayer.Client) -> None:
    run_alone(client, Options(batch_sizes=(1,), rows=1))
    codec = KeyCodec(KEY_TYPES, "rows")
    assert len(codec.encode(("abcdefgh", 12345))) == KEY_SIZE


class TestHowMuch:
    def test_rows_bound_it(self, client: kvlayer.Client) -> None:
        points = run_alone(client, Options(batch_sizes=(7,), duration=600.0, rows=100))
        rows = {point.operation: point.rows for point in points}
        # 100 rows make 14 full batches; what can be repeated is, until 100 rows are passed.
        assert rows == {"put": 98, "get": 105, "scan": 105, "scan_keys": 105, "delete": 98, "increment": 105}

    def test_a_batch_is_measured_in_any_case(self, client: kvlayer.Client) -> None:
        points = run_alone(client, Options(batch_sizes=(300,), duration=1e-9, rows=1))
        assert {point.operation: point.rows for point in points} == dict.fromkeys(OPERATIONS, 300)

    def test_stored_bytes_bound_it(self, client: kvlayer.Client) -> None:
        options = Options(batch_sizes=(2, 20), value_sizes=(1000,), duration=600.0, rows=200, stored=10_000)
        points = run_alone(client, options)
        assert {point.batch_size for point in points if point.operation != "increment"} == {2}
        assert {point.rows for point in points if point.operation == "put"} == {10}


class TestWhatTheStoreCannotDo:
    @pytest.fixture
    def storage_type(self) -> str:
        return "without-counters"

    def test_is_left_out(self, client: kvlayer.Client) -> None:
        points = run_alone(client, Options(batch_sizes=(1,), value_sizes=(1000, 1001), rows=5))
        assert [point.operation for point in points] == ON_ROWS
        assert {point.value_size for point in points} == {1000}


class TestRowsThatAreMissing:
    @pytest.fixture
    def storage_type(self) -> str:
        return "forgetful"

    def test_are_missed(self, client: kvlayer.Client) -> None:
        with pytest.raises(BenchError, match="get in batches of 5: .* rows are missing"):
            run_alone(client, Options(batch_sizes=(5,), rows=20))


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_sizes": ()},
        {"batch_sizes": (1, 0)},
        {"value_sizes": ()},
        {"value_sizes": (-1,)},
        {"duration": 0.0},
        {"rows": 0},
    ],
)
def test_what_cannot_be_measured(wrong: dict[str, Any]) -> None:
    with pytest.raises(BenchError):
        Options(**wrong)
