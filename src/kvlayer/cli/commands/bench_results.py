"""`bench compare`, `bench plot`: what to make of results, and how those of `bench` are shown."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kvlayer.cli.commands.arguments import add_table_format
from kvlayer.cli.failures import DONE
from kvlayer.cli.parser import Commands
from kvlayer.cli.terminal import print_table, say

if TYPE_CHECKING:
    from kvlayer.bench.results import Run


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    _add_compare(commands)
    _add_plot(commands)


def _add_compare(commands: Commands) -> None:
    parser = commands.add(
        "compare",
        _compare,
        summary="compare two results",
        usage="A.json B.json [--format table|json]",
        details="What makes the two less comparable, as another machine does, is told below the table.",
        example="kvlayer --config kvlayer.yaml bench rows --batch-size 10 --duration 0.1 --json a.json\n"
        "kvlayer --config kvlayer.yaml bench rows --batch-size 10 --duration 0.1 --json b.json\n"
        "kvlayer bench compare a.json b.json",
    )
    parser.add_argument("a", metavar="A.json", type=Path, help="a result that --json has written")
    parser.add_argument("b", metavar="B.json", type=Path, help="another one of the same benchmark")
    add_table_format(parser)


def _add_plot(commands: Commands) -> None:
    parser = commands.add(
        "plot",
        _plot,
        summary="draw results: PNG and SVG",
        usage="FILE ... FOLDER",
        details="Results of the same benchmark on several stores come into the same picture.",
        example="kvlayer --config kvlayer.yaml bench rows --batch-size 1,10 --duration 0.1 --json a.json\n"
        "kvlayer bench plot a.json plots",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="results that --json has written")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the pictures go; made if need be")


def show(run: Run) -> None:
    """Prints the table of a run."""
    from kvlayer.cli.bench_tables import table_of

    table = table_of(run)
    print_table([*table.texts, *table.numbers], table.lines, right=table.numbers)
    sys.stdout.write("".join(f"{remark}\n" for remark in table.remarks))


def _compare(arguments: argparse.Namespace) -> int:
    from kvlayer.bench.comparing import compare
    from kvlayer.bench.results import read_run

    found = compare(read_run(arguments.a), read_run(arguments.b))
    if arguments.format == "json":
        sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")
        return DONE
    sys.stdout.write(f"A: {found.title_a}\nB: {found.title_b}\n\n")
    print_table(
        ["what", "unit", "A", "B", "B / A", "B is"],
        [
            [
                line.what,
                line.unit,
                _figure(line.a, line.a_spread),
                _figure(line.b, line.b_spread),
                "" if line.ratio is None else f"{line.ratio:.2f}",
                line.verdict or "",
            ]
            for line in found.lines
        ],
        right=["A", "B", "B / A"],
    )
    sys.stdout.write("".join(f"{remark}\n" for remark in found.remarks))
    return DONE


def _figure(value: float | None, spread: tuple[float, float] | None) -> str:
    if value is None:
        return ""
    return _short(value) if spread is None else f"{_short(value)} ({_short(spread[0])}–{_short(spread[1])})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _plot(arguments: argparse.Namespace) -> int:
    from kvlayer.bench.results import read_run

    draw([read_run(path) for path in arguments.files], arguments.folder)
    return DONE


def draw(runs: list[Run], folder: Path) -> None:
    """Draws runs into a folder."""
    from kvlayer.bench.plots import write_plots

    for path in write_plots(runs, folder):
        say(f"{path} written")
