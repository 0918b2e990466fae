"""The stores side by side: small runs on those that need no server, and what becomes of their results."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report, side_by_side
from benchmarks.harness import Grid
from rich.console import Console


def test_rates(tmp_path: Path) -> None:
    runs, grid = side_by_side.rates_of_stores(0.01, lambda _: None, ("local", "sqlite"))
    assert grid.columns == ("operation", "batch", "local", "sqlite")
    assert [line[:2] for line in grid.lines[:2]] == [("put", "1"), ("put", "10")]
    assert all(cell for line in grid.lines for cell in line)
    side_by_side.draw(runs, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"rows.svg", "stores-rows.svg"}


def test_throughput_beside_what_was_published() -> None:
    runs, grid = side_by_side.throughput_of_stores(0.2, lambda _: None, (1, 2), ("sqlite",))
    assert [line[:2] for line in grid.lines] == [("1", "sqlite"), ("2", "sqlite")]
    assert all(float(cell.replace(",", "")) > 0 for line in grid.lines for cell in line[2:4])
    assert [line[4:] for line in grid.lines] == [("", "")] * 2
    assert runs[0].parameters["workers"] == (1, 2)


def test_ycsb() -> None:
    _, grid = side_by_side.ycsb_of_stores(0.1, lambda _: None, ("sqlite",))
    assert grid.lines[0][:2] == ("A", "read")
    assert {line[0] for line in grid.lines} == set("ABCDEF")


def test_a_grid_as_markdown_and_on_a_terminal() -> None:
    grids = [Grid("rows a second", ("operation", "batch", "sqlite"), [("put", "1", "2,000")])]
    assert report.as_markdown(report.environment(), "make bench", grids).splitlines()[2:] == [
        "**rows a second**",
        "",
        "| operation | batch | sqlite |",
        "| :-- | --: | --: |",
        "| put | 1 | 2,000 |",
    ]
    console = Console(record=True, width=80)
    report.show(console, "rates", grids)
    assert "2,000" in console.export_text()
