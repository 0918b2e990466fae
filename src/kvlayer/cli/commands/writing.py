"""`put` and `delete`: changing rows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import kvlayer
from kvlayer.catalog import TableInfo
from kvlayer.cli.commands.arguments import (
    KEYS,
    add_dry_run,
    add_range_flags,
    add_table,
    add_yes,
    range_of,
)
from kvlayer.cli.failures import DONE, CommandError
from kvlayer.cli.keys import format_key, parse_key, parse_scalar
from kvlayer.cli.parser import Commands
from kvlayer.cli.store import open_client
from kvlayer.cli.terminal import confirm, progress, rows, say
from kvlayer.values import ACCUMULATOR, COUNTER, ValueType

_PYTHON_TYPES: Final[dict[ValueType, type]] = {
    **{kind: kind for kind in (bytes, str, int, float)},
    COUNTER: int,
    ACCUMULATOR: float,
}

_SHOWN_KEYS: Final = 10


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    put = commands.add(
        "put",
        _put,
        summary="write a row",
        usage="TABLE KEY (VALUE | --file FILE | -)",
        details="The value is text, or a number in a table of numbers. A file gives it byte for byte, and so"
        f"\ndoes the standard input, for a VALUE of -.\n\n{KEYS}",
        example="kvlayer --config kvlayer.yaml put cities 'us,\"Winchester, VA\",4794120' Winchester",
    )
    add_table(put)
    put.add_argument("key", metavar="KEY", help="the key")
    put.add_argument(
        "value", metavar="VALUE", nargs="?", help="the value; - reads it from the standard input"
    )
    put.add_argument("--file", metavar="FILE", type=Path, help="read the value from this file")

    delete = commands.add(
        "delete",
        _delete,
        summary="remove rows",
        usage="TABLE (KEY ... | --prefix KEY | --start KEY --end KEY) [--yes] [--dry-run]",
        details="Keys that aren't there are fine. Before a range is removed its rows are counted, and you\n"
        f"are asked.\n\n{KEYS}",
        example="kvlayer --config kvlayer.yaml delete cities --prefix fr --dry-run",
    )
    add_table(delete)
    delete.add_argument("keys", metavar="KEY", nargs="*", help="keys to remove")
    add_range_flags(delete)
    add_yes(delete)
    add_dry_run(delete)


def _put(arguments: argparse.Namespace) -> int:
    if (arguments.value is None) == (arguments.file is None):
        raise CommandError("give a VALUE, or --file FILE, or - for the standard input")
    with open_client(arguments) as client:
        table = client.table(arguments.table)
        key = parse_key(arguments.key, table.info)
        table.put((key, _value(arguments, table.info)))
    say("1 row written")
    return DONE


def _value(arguments: argparse.Namespace, table: TableInfo) -> Any:
    if arguments.file is not None:
        return _from_bytes(arguments.file.read_bytes(), table)
    if arguments.value == "-":
        return _from_bytes(sys.stdin.buffer.read(), table)
    return _from_text(arguments.value, table)


def _from_bytes(content: bytes, table: TableInfo) -> Any:
    if table.value_type is bytes:
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CommandError(
            f"table {table.name!r}: a value must be text in UTF-8, which this is not"
        ) from None
    return _from_text(text, table)


def _from_text(text: str, table: TableInfo) -> Any:
    kind = _PYTHON_TYPES[table.value_type]
    if kind is str:
        return text
    if kind is bytes:
        return text.encode("utf-8", "surrogateescape")  # as the shell handed it over
    try:
        return parse_scalar(text, kind)
    except ValueError as error:
        raise CommandError(f"table {table.name!r}: a value is of type {kind.__name__}: {error}") from None


def _delete(arguments: argparse.Namespace) -> int:
    with open_client(arguments) as client:
        table = client.table(arguments.table)
        asked = range_of(arguments, table.info)
        if (asked is None) == (not arguments.keys):
            raise CommandError("give keys, or --prefix, or --start and --end (clear removes all rows)")
        if asked is None:
            return _delete_keys(arguments, table)
        return _delete_range(arguments, client, table, asked)


def _delete_keys(arguments: argparse.Namespace, table: kvlayer.Table) -> int:
    keys = [parse_key(text, table.info) for text in arguments.keys]
    if arguments.dry_run:
        there = [key for key in dict.fromkeys(keys) if key in table]
        sys.stdout.write(f"would remove {rows(len(there))}\n")
        sys.stdout.write("".join(f"  {format_key(key)}\n" for key in there))
        return DONE
    table.delete(*keys)
    say(f"{rows(len(set(keys)))} removed, as far as they were there")
    return DONE


def _delete_range(
    arguments: argparse.Namespace, client: kvlayer.Client, table: kvlayer.Table, asked: kvlayer.Range
) -> int:
    from kvlayer import tools

    if arguments.dry_run or not arguments.yes:
        with progress("counting") as report:
            count = tools.count(client, table.name, asked, progress=report)
        if arguments.dry_run:
            sys.stdout.write(f"would remove {rows(count)}\n")
            first = table.scan_keys(asked, limit=_SHOWN_KEYS)
            sys.stdout.write("".join(f"  {format_key(key)}\n" for key in first))
            sys.stdout.write("  ...\n" if count > _SHOWN_KEYS else "")
            return DONE
        if not count:
            say("there are no such rows")
            return DONE
        confirm(f"Remove {rows(count)} of table {table.name}?")
    table.delete_range(asked)
    say("removed" if arguments.yes else f"{rows(count)} removed")
    return DONE
