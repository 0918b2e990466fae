"""What was measured, for people: a table on the terminal, a block in a document; and as JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Figure, Grid, Measurement, Standing
from kvlayer import keys

Result: TypeAlias = Measurement | Figure | Standing | Grid

Results: TypeAlias = Sequence[Measurement] | Sequence[Figure] | Sequence[Standing] | Sequence[Grid]
"""The results of one section; all are of one kind."""

_LEFT: Final = frozenset({"what", "operation", "also", "store", "order", "storage_type", "workload"})
"""Columns of words; all others hold numbers."""

_COMPARED: Final = ("put", "get", "delete", "increment", "scan", "range")
"""The operations in which several stores stand side by side."""

_MAY_WRAP: Final = frozenset({"what", "also", *_COMPARED})


def environment() -> dict[str, Any]:
    """What the figures depend on, in general terms."""
    return {
        "python": platform.python_version(),
        "key_codec": "C" if keys.ACCELERATED else "Python",
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def describe(facts: Mapping[str, Any]) -> str:
    """The environment in one line."""
    return (
        f"Python {facts['python']}, keys encoded in {facts['key_codec']}, SQLite {facts['sqlite']},"
        f" {facts['system']} on {facts['architecture']}, {facts['cores']} cores"
    )


def show(console: Console, section: str, results: Results) -> None:
    """Prints the results of one section as a table, or as several."""
    for part in _parts(results):
        columns, rows = tabulate(part)
        table = Table(
            title=f"{section}{_heading(part)}" + f"\n{_title(part)}" * bool(_title(part)),
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        for column in columns:
            table.add_column(
                column, justify="left" if column in _LEFT else "right", no_wrap=column not in _MAY_WRAP
            )
        for row in rows:
            table.add_row(*(f"[red]{cell}[/red]" if cell.endswith("missed") else cell for cell in row))
        console.print(table)


def _parts(results: Results) -> list[Results]:
    """The results of one section that belong into one table each."""
    standings: dict[tuple[str, int], list[Standing]] = {}
    for result in results:
        if not isinstance(result, Standing):
            return [results]
        standings.setdefault((result.durability, result.batch_size), []).append(result)
    return list(standings.values())


def as_json(facts: Mapping[str, Any], sections: Mapping[str, Results]) -> str:
    """Everything, with the ratio of each round."""
    return json.dumps(
        {
            "environment": dict(facts),
            "sections": {
                name: [_with_verdict(result) for result in results] for name, results in sections.items()
            },
        },
        indent=2,
        ensure_ascii=False,
    )


def _with_verdict(result: Result) -> dict[str, Any]:
    if isinstance(result, (Standing, Grid)):
        return asdict(result)
    derived = {"ratio": result.ratio} if isinstance(result, Measurement) else {}
    return {**asdict(result), **derived, "met": result.met}


def as_markdown(facts: Mapping[str, Any], command: str, results: Results) -> str:
    """One section as Markdown tables, with the command that makes them and where it ran."""
    lines = [f"`{command}` on {describe(facts)}{_heading(results)}:", ""]
    for part in _parts(results):
        columns, rows = tabulate(part)
        if _title(part):
            lines += [f"**{_title(part)}**", ""]
        lines += [
            _line(columns),
            _line(":--" if column in _LEFT else "--:" for column in columns),
            *map(_line, rows),
            "",
        ]
    return "\n".join(lines[:-1])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rewrite(document: Path, blocks: Mapping[str, str]) -> None:
    """Puts each block between its markers, `<!-- benchmark: NAME -->` and `<!-- end of benchmark -->`.

    Blocks that aren't named stay. Raises ValueError, and writes nothing, if a marker is missing.
    """
    text = document.read_text("utf-8")
    for name, block in blocks.items():
        opening, closing = f"<!-- benchmark: {name} -->", "<!-- end of benchmark -->"
        between = re.compile(f"{re.escape(opening)}.*?{re.escape(closing)}", re.DOTALL)
        if len(between.findall(text)) != 1:
            raise ValueError(f"{document} must hold exactly one line {opening} with {closing} behind it")
        written = f"{opening}\n{block}\n{closing}"
        text = between.sub(lambda _, written=written: written, text)  # type: ignore[misc]
    document.write_text(text, "utf-8")


def tabulate(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns and the cells of a table of results, without columns that tell nothing."""
    if isinstance(results[0], Grid):
        return tuple(results[0].columns), [tuple(line) for line in results[0].lines]
    rows = [_cells(result) for result in results if not isinstance(result, Grid)]
    columns = [column for column in rows[0] if _tells_something(column, [row[column] for row in rows])]
    return tuple(columns), [tuple(row[column] for column in columns) for row in rows]


def _tells_something(column: str, cells: list[str]) -> bool:
    if column in ("what", "batch"):
        return len(cells) == 1 or len(set(cells)) > 1
    return any(cells)


def _heading(results: Results) -> str:
    """What the columns of times mean, where there are such."""
    if isinstance(results[0], Standing):
        return ", µs a row and kvlayer's rate as a multiple of the other's"
    baselines = {result.baseline for result in results if isinstance(result, Measurement)}
    return f", kvlayer and {' and '.join(sorted(baselines))}, µs a row" if baselines else ""


def _title(part: Results) -> str:
    """What tells a section's table from its others; empty where there is only one."""
    if isinstance(part[0], Grid):
        return part[0].title
    if not isinstance(part[0], Standing):
        return ""
    rows = f"batches of {part[0].batch_size:,} rows" if part[0].batch_size > 1 else "row by row"
    return f"{part[0].durability}; {rows}"


def _cells(result: Measurement | Figure | Standing) -> dict[str, str]:
    if isinstance(result, Figure):
        return {
            "what": result.subject,
            "figure": f"{result.value:.1f} {result.unit}",
            "target": f"< {result.limit:g} {result.unit}: {_verdict(result.met)}",
            "also": result.note,
        }
    if isinstance(result, Standing):
        return {
            "store": result.store,
            "order": "yes" if result.ordered else "",
            **{operation: _standing(result, operation) for operation in _COMPARED},
        }
    return {
        "what": result.subject,
        "operation": result.operation,
        "batch": "" if result.batch_size is None else f"{result.batch_size:,}",
        "kvlayer": f"{result.kvlayer_us:.2f}",
        "bare": f"{result.baseline_us:.2f}",
        "ratio": f"{result.ratio:.2f}",
        "in rounds": f"{min(result.ratios):.2f}–{max(result.ratios):.2f}",
        "target": "" if result.met is None else f"≥ {result.target:g}: {_verdict(result.met)}",
    }


def _standing(result: Standing, operation: str) -> str:
    """The time of an operation, and kvlayer's rate as a multiple of the store's."""
    if operation not in result.store_us:
        return ""
    time, ratio = _three_digits(result.store_us[operation]), result.ratio(operation)
    return time if ratio is None else f"{time} {_three_digits(ratio)}×"


def _three_digits(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def _verdict(met: bool) -> str:
    return "met" if met else "missed"
