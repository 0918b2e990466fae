"""`count` and `stats`: how much a table holds."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from kvlayer.cli.commands.arguments import KEYS, add_range, add_table, add_table_format, range_of
from kvlayer.cli.failures import DONE
from kvlayer.cli.keys import format_key
from kvlayer.cli.parser import Commands
from kvlayer.cli.store import open_client
from kvlayer.cli.terminal import (
    is_terminal,
    number,
    print_block,
    print_table,
    progress,
    rows,
    size,
)

if TYPE_CHECKING:
    from kvlayer.tools import Measurement, Prefix

_BAR = 40
"""Columns of the longest bar of a histogram."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    count = commands.add(
        "count",
        _count,
        summary="count rows",
        usage="TABLE [RANGE | --prefix KEY | --start KEY --end KEY]",
        details=f"Reads the keys; no value leaves the store.\n\n{KEYS}",
        example="kvlayer --config kvlayer.yaml count cities --prefix fr",
    )
    add_table(count)
    add_range(count)

    stats = commands.add(
        "stats",
        _stats,
        summary="show how large keys and values are, and which prefixes hold most",
        usage="TABLE [RANGE | --prefix KEY | --start KEY --end KEY] [--format table|json]",
        details="Reads all rows. Sizes are those of encoded keys and values; a prefix is a first key part."
        f"\n\n{KEYS}",
        example="kvlayer --config kvlayer.yaml stats cities",
    )
    add_table(stats)
    add_range(stats)
    add_table_format(stats)


def _count(arguments: argparse.Namespace) -> int:
    from kvlayer import tools

    with open_client(arguments) as client, progress("counting") as report:
        asked = range_of(arguments, client.table(arguments.table).info)
        ranges = () if asked is None else (asked,)
        count = tools.count(client, arguments.table, *ranges, progress=report)
    sys.stdout.write(f"{number(count) if is_terminal(sys.stdout) else count}\n")
    return DONE


def _stats(arguments: argparse.Namespace) -> int:
    from kvlayer import tools

    with open_client(arguments) as client, progress("measuring") as report:
        asked = range_of(arguments, client.table(arguments.table).info)
        ranges = () if asked is None else (asked,)
        measured = tools.measure(client, arguments.table, *ranges, progress=report)
    if arguments.format == "json":
        sys.stdout.write(json.dumps(_as_json(arguments.table, measured), indent=2) + "\n")
        return DONE
    total = measured.key_bytes + measured.value_bytes
    sys.stdout.write(f"{arguments.table}: {rows(measured.rows)}, {size(total)}\n")
    if measured.rows:
        _print_histogram("keys", measured.key_bytes, measured.key_sizes, measured.rows)
        _print_histogram("values", measured.value_bytes, measured.value_sizes, measured.rows)
        _print_prefixes("most rows", measured.prefixes_by_rows, measured)
        _print_prefixes("most bytes", measured.prefixes_by_bytes, measured)
    return DONE


def _print_histogram(what: str, total: int, sizes: dict[int, int], row_count: int) -> None:
    sys.stdout.write(f"\n{what}: {size(total)}, {size(total / row_count)} on average\n")
    largest = max(sizes.values())
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    for upper_end, count in sizes.items():
        table.add_row(
            Text(f"up to {size(upper_end)}" if upper_end else "empty"),
            Text(number(count)),
            Text(_bar(count / largest), style="cyan"),
        )
    print_block(table)


def _bar(share: float) -> str:
    """A bar of so much of the longest one; never quite nothing."""
    whole, eighths = divmod(max(1, round(share * _BAR * 8)), 8)
    return "█" * whole + _EIGHTHS[eighths].strip()


def _print_prefixes(what: str, prefixes: list[Prefix], measured: Measurement) -> None:
    sys.stdout.write(f"\nprefixes with {what}\n")
    total = measured.key_bytes + measured.value_bytes
    print_table(
        ["prefix", "rows", "share of rows", "size", "share of bytes"],
        [
            [
                format_key((prefix.part,)),
                number(prefix.rows),
                f"{prefix.rows / measured.rows:.1%}",
                size(prefix.bytes),
                f"{prefix.bytes / total:.1%}" if total else "",
            ]
            for prefix in prefixes
        ],
        right=["rows", "share of rows", "size", "share of bytes"],
    )


def _as_json(table: str, measured: Measurement) -> dict[str, object]:
    from kvlayer.tools import to_json

    def listed(prefixes: list[Prefix]) -> list[dict[str, object]]:
        return [
            {"prefix": to_json(prefix.part), "rows": prefix.rows, "bytes": prefix.bytes}
            for prefix in prefixes
        ]

    return {
        "table": table,
        "rows": measured.rows,
        "key_bytes": measured.key_bytes,
        "value_bytes": measured.value_bytes,
        "key_sizes": measured.key_sizes,
        "value_sizes": measured.value_sizes,
        "prefixes_by_rows": listed(measured.prefixes_by_rows),
        "prefixes_by_bytes": listed(measured.prefixes_by_bytes),
    }
