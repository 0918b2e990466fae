"""Which pictures come of which runs, and that they say what they show."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.made_runs import ENVIRONMENT, HOST, latency, made_run, rows_point, throughput_point, ycsb_point
from kvlayer.bench.errors import BrokenResults
from kvlayer.bench.latency import LatencyRecorder
from kvlayer.bench.plots import write_plots
from kvlayer.bench.results import Latency, Run
from kvlayer.bench.rows import OPERATIONS

PNG = b"\x89PNG\r\n\x1a\n"


def throughput_run(storage_type: str = "redis", *, factor: float = 1.0) -> Run:
    points = [throughput_point(workers, workers * factor, workers * 2 * factor) for workers in (25, 50, 100)]
    return made_run("throughput", [*points], storage_type)


def rows_run(
    storage_type: str = "redis",
    *,
    batches: tuple[int, ...] = (1, 100),
    sizes: tuple[int, ...] = (100,),
    operations: tuple[str, ...] = ("put", "increment"),
) -> Run:
    points = [
        rows_point(operation, batch, 1000.0 * batch, None if operation == "increment" else size)
        for operation in operations
        for batch in batches
        for size in sizes
    ]
    return made_run("rows", [*points], storage_type)


def ycsb_run(storage_type: str = "redis", **changes: Any) -> Run:
    load = ycsb_point("A", 500.0, {"insert": latency(100.0)}, phase="load", distribution=None)
    a = ycsb_point("A", 1000.0, {"read": latency(80.0), "update": latency(200.0)}, **changes)
    e = ycsb_point("E", 300.0, {"scan": latency(900.0), "insert": latency(200.0)}, **changes)
    return made_run("ycsb", [load, a, e], storage_type)


def drawn(folder: Path, *runs: Run) -> dict[str, str]:
    """The text in each picture, by its name."""
    files = write_plots(runs, folder)
    names = {file.stem for file in files}
    assert sorted(files) == sorted(folder / f"{name}.{kind}" for name in names for kind in ("png", "svg"))
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(PNG)
    return {name: texts((folder / f"{name}.svg").read_text()) for name in names}


def texts(svg: str) -> str:
    """All that can be read in a picture, a line for each piece."""
    assert svg.rstrip().endswith("</svg>")
    return "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_throughput_stands_beside_what_was_published(tmp_path: Path) -> None:
    runs = [throughput_run("redis"), throughput_run("sqlite")]
    text = drawn(tmp_path, *runs)["throughput"]
    for piece in (
        "Throughput by number of workers, values of 1,000,000 bytes",
        "read",
        "write",
        "MB/s",
        "worker processes",
        "redis",
        "sqlite",
        "redis, published",
        "published: taken on single EC2 machines of 2014",
        "25",
        "50",
        "100",
    ):
        assert piece in text
    # Nothing was published of sqlite.
    assert "sqlite, published" not in text
    assert "published" not in drawn(tmp_path, runs[1])["throughput"]


def test_threads_count_as_workers(tmp_path: Path) -> None:
    points = [msgspec.structs.replace(throughput_point(1, 1.0, 1.0), threads=n) for n in (25, 33)]
    text = drawn(tmp_path, throughput_run(), made_run("throughput", [*points], "accumulo"))["throughput"]
    assert "worker processes × threads of each" in text
    assert {"25", "33", "50", "100"} <= set(text.split("\n"))
    assert "1" not in text.split("\n")


def test_few_and_many_workers_stand_on_one_axis(tmp_path: Path) -> None:
    points = [throughput_point(workers, 10.0, 20.0) for workers in (1, 2, 4, 100)]
    text = drawn(tmp_path, made_run("throughput", [*points], "sqlite"))["throughput"].split("\n")
    assert {"1", "2", "4", "100"} <= set(text)


def test_rates_of_rows_have_a_plot_for_each_operation(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, rows_run(batches=(1, 10, 1000), sizes=(100, 1000), operations=OPERATIONS))
    text = pictures["rows"]
    for piece in (
        *OPERATIONS,
        "rows/s",
        "rows in a call",
        "values of 100 and 1,000 bytes",
        "1,000 bytes",
        "1k",
    ):
        assert piece in text
    assert set(pictures) == {"rows"}


def test_an_operation_that_nobody_measured_has_no_plot(tmp_path: Path) -> None:
    run = made_run("rows", [rows_point("put", 1, 10.0)])
    text = drawn(tmp_path, run)["rows"].split("\n")
    assert "put" in text
    assert "increment" not in text


@pytest.mark.parametrize(
    ("batches", "shown"),
    [
        ([(1, 100, 1000, 10_000), (1, 1000, 10_000)], "1,000"),
        ([(1, 10, 100), (10, 100, 10_000)], "100"),
    ],
)
def test_stores_are_set_side_by_side_at_a_batch_size_of_all(
    tmp_path: Path, batches: list[tuple[int, ...]], shown: str
) -> None:
    runs = [rows_run(name, batches=sizes) for name, sizes in zip(("redis", "postgres"), batches, strict=True)]
    text = drawn(tmp_path, *runs)["stores-rows"]
    for piece in (
        f"batches of {shown}, values of 100 bytes",
        "redis",
        "postgres",
        "rows/s",
        "put",
        "increment",
    ):
        assert piece in text


@pytest.mark.parametrize(
    "runs",
    [
        (rows_run("redis", batches=(1,)), rows_run("postgres", batches=(10,))),
        (rows_run("redis", sizes=(100,)), rows_run("postgres", sizes=(1000,))),
    ],
)
def test_stores_that_were_measured_otherwise_are_not_set_side_by_side(
    tmp_path: Path, runs: tuple[Run, Run]
) -> None:
    assert set(drawn(tmp_path, *runs)) == {"rows"}


def test_latencies_have_a_plot_for_each_workload(tmp_path: Path) -> None:
    text = drawn(tmp_path, ycsb_run())["latency"]
    for piece in (
        "YCSB with 4 clients: latency from the actual start, at full speed",
        "A: update heavy",
        "E: short scans",
        "percentile",
        "99.9",
        "µs",
        "read",
        "update",
        "scan",
    ):
        assert piece in text
    # Its axis ends where there are too few operations to tell.
    assert "99.999" not in text


def test_latencies_say_from_when_they_count(tmp_path: Path) -> None:
    at_a_rate = ycsb_run(target=2500.0, service={"read": latency(70.0)}, workers=1)
    text = drawn(tmp_path, at_a_rate)["latency"]
    assert "YCSB with 1 client: latency from the intended start, at a target of 2,500 operations/s" in text
    both = drawn(tmp_path, at_a_rate, ycsb_run("postgres"))["latency"]
    assert "latency from the actual start, or the intended one where there is a target" in both


def test_stores_are_set_side_by_side_by_workload(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, ycsb_run("redis"), ycsb_run("postgres"))
    assert set(pictures) == {"latency", "stores-ycsb"}
    for piece in ("A: update heavy", "E: short scans", "operations/s", "with 4 clients", "redis", "postgres"):
        assert piece in pictures["stores-ycsb"]


def test_runs_of_all_kinds_make_a_picture_for_each(tmp_path: Path) -> None:
    pictures = drawn(tmp_path / "made" / "anew", throughput_run(), rows_run(), ycsb_run())
    assert set(pictures) == {"throughput", "rows", "latency"}


def test_runs_that_measured_nothing_make_none(tmp_path: Path) -> None:
    load = [point for point in ycsb_run().points if getattr(point, "phase", "") == "load"]
    assert drawn(tmp_path, made_run("rows", []), made_run("ycsb", [*load])) == {}


def test_runs_of_the_same_store_are_told_apart(tmp_path: Path) -> None:
    earlier = throughput_run("redis")
    later = msgspec.structs.replace(earlier, when=earlier.when + timedelta(hours=2))
    text = drawn(tmp_path, earlier, later)["throughput"].split("\n")
    assert {"redis, 2026-11-22 21:30:00", "redis, 2026-11-22 23:30:00"} <= set(text)
    svg = (tmp_path / "throughput.svg").read_text()
    assert {"#d55e00", "#e69f00"} <= {colour.lower() for colour in re.findall(r"stroke: (#\w{6})", svg)}


def test_more_runs_than_colours_are_drawn(tmp_path: Path) -> None:
    first = throughput_run()
    runs = [msgspec.structs.replace(first, when=first.when + timedelta(hours=hour)) for hour in range(12)]
    text = drawn(tmp_path, *runs)["throughput"].split("\n")
    assert sum(line.startswith("redis, 2026") for line in text) == 12


def test_pictures_say_where_the_figures_come_from(tmp_path: Path) -> None:
    one = throughput_run()
    assert (
        "2 × Some processor  ·  kvlayer 1.0.0, CPython 3.11.7  ·  2026-11-22"
        in drawn(tmp_path, one)["throughput"]
    )
    elsewhere = msgspec.structs.replace(
        one,
        when=one.when + timedelta(days=1),
        environment=msgspec.structs.replace(
            ENVIRONMENT, kvlayer="1.1.0", host=msgspec.structs.replace(HOST, cores=8)
        ),
    )
    text = drawn(tmp_path, one, elsewhere)["throughput"]
    assert "several machines  ·  several versions  ·  2026-11-22 to 2026-11-23" in text


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    host = msgspec.structs.replace(HOST, processor=r"$\nonsense{ <&> %s")
    run = msgspec.structs.replace(
        throughput_run("a_store^2"), environment=msgspec.structs.replace(ENVIRONMENT, host=host)
    )
    text = drawn(tmp_path, run)["throughput"]
    assert "a_store^2" in text
    assert r"2 × $\nonsense{ &lt;&amp;&gt; %s" in text


def test_of_several_rounds_the_middle_one_is_drawn(tmp_path: Path) -> None:
    rounds = [throughput_run(factor=factor).points for factor in (3.0, 1.0, 2.0)]
    write_plots([made_run("throughput", [*rounds[0], *rounds[1], *rounds[2]])], tmp_path / "rounds")
    write_plots([throughput_run(factor=2.0)], tmp_path / "middle")
    assert _content(tmp_path / "rounds") == _content(tmp_path / "middle")


def test_the_same_results_make_the_same_files(tmp_path: Path) -> None:
    runs = [throughput_run(), rows_run(), rows_run("postgres"), ycsb_run()]
    for folder in ("a", "b"):
        write_plots(runs, tmp_path / folder)
    assert _content(tmp_path / "a") == _content(tmp_path / "b")
    assert len(_content(tmp_path / "a")) == 8


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_latency_of_no_time_is_drawn(tmp_path: Path) -> None:
    recorder = LatencyRecorder()
    recorder.record(0)
    run = made_run("ycsb", [ycsb_point("C", 1.0, {"read": recorder.histogram().latency()})])
    assert "C: read only" in drawn(tmp_path, run)["latency"]


def test_a_broken_histogram_is_told(tmp_path: Path) -> None:
    broken: Latency = msgspec.structs.replace(latency(1.0), histogram="HISTFAAA")
    run = made_run("ycsb", [ycsb_point("C", 1.0, {"read": broken})])
    with pytest.raises(BrokenResults, match="'HISTFAAA'… is no histogram of latencies"):
        write_plots([run], tmp_path)


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_plots([throughput_run()], tmp_path / "file")
