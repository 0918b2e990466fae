"""Results survive their file, and what is none is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.made_runs import made_run, rows_point, throughput_point
from kvlayer.bench import results
from kvlayer.bench.errors import BrokenResults
from kvlayer.bench.results import Latency, YcsbPoint, from_json, read_run, to_json, write_run

LATENCY = Latency(operations=3, mean=2.0, p50=2.0, p95=3.0, p99=3.0, p999=3.0, max=3.25, histogram="HISTFAAA")

YCSB_POINT = YcsbPoint(
    workload="A",
    phase="run",
    distribution="zipfian",
    workers=2,
    threads=3,
    records=1000,
    value_size=1000,
    target=None,
    operations=3,
    seconds=1.5,
    missing=0,
    overdue=0,
    latencies={"read": LATENCY},
    service={},
)

RUNS = [
    made_run("throughput", [throughput_point(25, 30.0, 60.0)], parameters={"workers": [25], "values": None}),
    made_run("rows", [rows_point("put", 1, 1000.0), rows_point("increment", 10, 20.0, None)]),
    made_run("ycsb", [YCSB_POINT]),
]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.kind)
def test_a_file_keeps_all(run: results.Run, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_run(run, path)
    assert read_run(path) == run
    assert list(tmp_path.iterdir()) == [path]


def test_rates() -> None:
    point = throughput_point(25, write_rate=30.0, read_rate=60.0)
    assert point.write_rate == pytest.approx(30.0)
    assert point.read_rate == pytest.approx(60.0)
    row = results.RowsPoint(
        operation="get", batch_size=10, value_size=100, rows=50, size=5_000_000, seconds=2.0, cpu_seconds=0.5
    )
    assert (row.rows_per_second, row.rate) == (25.0, 2.5)
    assert row.cpu_per_row == pytest.approx(10_000.0)
    assert YCSB_POINT.rate == 2.0


class TestRefused:
    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"format": "other", "version": 1, "run": {}}', b"null"],
    )
    def test_what_is_no_result(self, content: bytes) -> None:
        with pytest.raises(BrokenResults, match=r"^f\.json is no result of kvlayer bench$"):
            from_json(content, "f.json")

    def test_what_is_cut(self) -> None:
        content = to_json(RUNS[0])
        for length in range(0, len(content) - 2, 7):
            with pytest.raises(BrokenResults):
                from_json(content[:length], "f.json")

    def test_another_version(self) -> None:
        content = _changed(version=2)
        with pytest.raises(BrokenResults, match=r"its format is 2, known here is 1"):
            from_json(content, "f.json")

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"kind": "rows"}, "points of another kind"),
            ({"kind": "other"}, "kind"),
            ({"when": "2026-11-22T21:30:00"}, "time zone"),
            ({"points": [{"kind": "throughput", "workers": "many"}]}, r"points\[0\]\.workers"),
            ({"points": None}, "points"),
        ],
    )
    def test_what_is_broken(self, changes: dict[str, Any], complaint: str) -> None:
        run = json.loads(to_json(RUNS[0]))["run"]
        with pytest.raises(BrokenResults, match=f"broken result.*{complaint}"):
            from_json(_changed(run={**run, **changes}), "f.json")

    def test_what_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "f.json"
        write_run(RUNS[0], path)
        monkeypatch.setattr(results, "_LARGEST_FILE", path.stat().st_size - 1)
        with pytest.raises(BrokenResults, match="too large"):
            read_run(path)

    def test_a_run_of_two_kinds(self) -> None:
        with pytest.raises(ValueError, match="points of another kind"):
            made_run("ycsb", [YCSB_POINT, rows_point("put", 1, 1.0)])

    def test_a_time_without_its_zone(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            made_run("ycsb", [], when=datetime.now(UTC).replace(tzinfo=None))


def test_a_failure_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.json"
    write_run(RUNS[0], path)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_run(RUNS[1], path)
    assert read_run(path) == RUNS[0]
    assert list(tmp_path.iterdir()) == [path]


def _changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(to_json(RUNS[0])), **changes}).encode()
