"""`keys`, `scan`, `get`: looking at rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from kvlayer.cli.commands.arguments import KEYS, add_format, add_range, add_table, range_of
from kvlayer.cli.failures import DONE, NOT_FOUND, CommandError
from kvlayer.cli.keys import format_key, parse_key
from kvlayer.cli.output import Listing, Rows, as_bytes, default_format, write_rows
from kvlayer.cli.parser import CommandParser, Commands
from kvlayer.cli.store import open_client
from kvlayer.cli.terminal import say
from kvlayer.keys import Key

_RANGES = f"{KEYS}\n\nA RANGE is fr,P..fr,Q, or fr for all keys that begin with fr."


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    keys = commands.add(
        "keys",
        _keys,
        summary="list keys in their order",
        usage="TABLE [RANGE | --prefix KEY | --start KEY --end KEY] [--reverse] [--limit N] [--format F]",
        details=f"No value leaves the store.\n\n{_RANGES}",
        example="kvlayer --config kvlayer.yaml keys cities fr,N..fr,P --limit 10",
    )
    _add_listing(keys)
    scan = commands.add(
        "scan",
        _scan,
        summary="list keys and values in key order",
        usage="TABLE [RANGE | --prefix KEY | --start KEY --end KEY] [--reverse] [--limit N] [--format F]",
        details=_RANGES,
        example="kvlayer --config kvlayer.yaml scan cities --prefix fr --reverse --format ndjson",
    )
    _add_listing(scan)
    get = commands.add(
        "get",
        _get,
        summary="show the values of keys",
        usage="TABLE KEY ... [--format F]",
        details="In a pipe, or with --format raw, a single key gives its value alone, byte for byte."
        f"\n\n{KEYS}",
        example="kvlayer --config kvlayer.yaml get cities fr,Paris,2988507",
    )
    add_table(get)
    get.add_argument("keys", metavar="KEY", nargs="+", help="one or several keys")
    add_format(get)


def _add_listing(parser: CommandParser) -> None:
    add_table(parser)
    add_range(parser)
    parser.add_argument("--reverse", action="store_true", help="backwards, the last key first")
    parser.add_argument("--limit", metavar="N", type=_number_of_rows, help="stop after so many rows")
    add_format(parser)


def _number_of_rows(text: str) -> int:
    limit = int(text.replace(",", "").replace("_", ""))
    if limit < 0:
        raise argparse.ArgumentTypeError("a number of rows is 0 or more")
    return limit


_number_of_rows.__name__ = "number of rows"  # what argparse calls it


def _keys(arguments: argparse.Namespace) -> int:
    return _list(arguments, values=False)


def _scan(arguments: argparse.Namespace) -> int:
    return _list(arguments, values=True)


def _list(arguments: argparse.Namespace, *, values: bool) -> int:
    with open_client(arguments) as client:
        table = client.table(arguments.table)
        asked = range_of(arguments, table.info)
        ranges = () if asked is None else (asked,)
        rows: Rows
        if values:
            rows = table.scan(*ranges, reverse=arguments.reverse, limit=arguments.limit)
        else:
            keys = table.scan_keys(*ranges, reverse=arguments.reverse, limit=arguments.limit)
            rows = ((key, None) for key in keys)
        listing = Listing(table.info, values, arguments.full)
        count = write_rows(rows, listing, arguments.format or default_format())
    if not count:
        say("no rows")
    return DONE


def _get(arguments: argparse.Namespace) -> int:
    output_format = arguments.format or default_format()
    missing: list[Key] = []

    def found(rows: Iterator[tuple[Key, Any]]) -> Rows:
        for key, value in rows:
            if value is None:
                missing.append(key)
            else:
                yield key, value

    with open_client(arguments) as client:
        table = client.table(arguments.table)
        info = table.info
        rows = found(table.get(*(parse_key(text, info) for text in arguments.keys)))
        if output_format == "raw" and len(arguments.keys) == 1:
            for _, value in rows:
                sys.stdout.buffer.write(as_bytes(value))
        else:
            write_rows(rows, Listing(info, True, arguments.full), output_format)
    if missing:
        names = " ".join(map(format_key, missing))
        raise CommandError(f"table {arguments.table!r} has no {names}", NOT_FOUND)
    return DONE
