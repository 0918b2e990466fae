"""`dump`, `load`, `copy`, `verify`: whole tables into files, and from store to store."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

import kvlayer
import yakonfig
from kvlayer.cli.failures import DONE, INTERRUPTED, NOT_FOUND, CommandError
from kvlayer.cli.keys import format_key
from kvlayer.cli.parser import CommandParser, Commands
from kvlayer.cli.store import open_client, open_store, refuse_store_flags
from kvlayer.cli.terminal import duration, is_terminal, number, print_table, progress, rows, size
from kvlayer.keys import type_names
from kvlayer.values import ValueCodec

if TYPE_CHECKING:
    from kvlayer.tools import Comparison, DumpedTable, Transferred

_STANDARD: Final = Path("-")
"""The standard input or output."""

_LISTED: Final = 20
"""Differing keys that are listed, unless told."""

_FORMATS: Final = ("dump", "ndjson")

_DUMP: Final = """\
All tables where none is named. A dump is compressed, holds the types too, and is checked when it
is read. ndjson is a line of JSON for each row of one table, for other programs. A FILE of - is
the standard output. The file takes its name only once all is in it."""

_LOAD: Final = """\
All tables of the file where none is named; they must be empty or not there yet. A file is checked
wholly before anything is written. From ndjson, rows are put into one table that is there. A FILE of
- is the standard input."""

_COPY: Final = """\
All tables where none is named; in TO they must be empty or not there yet. Until a copy has ended,
its tables are marked as incomplete in TO."""

_STORES: Final = """\
A store is a YAML file with a kvlayer: block, or a URL such as
'sqlite:///cities.db?app_name=atlas&namespace=demo'. --app-name and --namespace go over both."""


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    dump = commands.add(
        "dump",
        _dump,
        summary="write tables into a file",
        usage="[TABLE ...] FILE [--format dump|ndjson]",
        details=_DUMP,
        example="kvlayer --config kvlayer.yaml dump cities cities.dump",
    )
    dump.add_argument("tables", metavar="TABLE", nargs="*", help="tables to write (default: all)")
    dump.add_argument("file", metavar="FILE", type=Path, help="the file, or -")
    _add_file_format(dump)

    load = commands.add(
        "load",
        _load,
        summary="read tables from a file",
        usage="FILE [TABLE ...] [--overwrite] [--dry-run] [--format dump|ndjson]",
        details=_LOAD,
        example="kvlayer --config kvlayer.yaml dump cities.dump\n"
        "kvlayer --config kvlayer.yaml load cities.dump cities --overwrite",
    )
    load.add_argument("file", metavar="FILE", type=Path, help="the file, or -")
    load.add_argument("tables", metavar="TABLE", nargs="*", help="tables to read (default: all)")
    load.add_argument("--overwrite", action="store_true", help="replace what the tables hold")
    load.add_argument("--dry-run", action="store_true", help="only check the file, and tell what it holds")
    _add_file_format(load)

    copy = commands.add(
        "copy",
        _copy,
        summary="copy tables from one store to another",
        usage="FROM TO [TABLE ...] [--resume | --overwrite] [--jobs N] [--verify]",
        details=f"{_COPY}\n\n{_STORES}",
        example="kvlayer copy kvlayer.yaml 'sqlite:///copy.db?app_name=atlas&namespace=demo' --verify",
    )
    _add_two_stores(copy, "FROM", "TO")
    copy.add_argument("--resume", action="store_true", help="go on with a copy that was stopped")
    copy.add_argument("--overwrite", action="store_true", help="replace what the tables hold in TO")
    copy.add_argument("--jobs", "-j", metavar="N", type=int, default=4, help="ranges at once (default: 4)")
    copy.add_argument("--verify", action="store_true", help="compare both sides afterwards")

    verify = commands.add(
        "verify",
        _verify,
        summary="compare the tables of two stores",
        usage="A B [TABLE ...] [--limit N]",
        details="All tables of A where none is named. The exit status is 1 where there are differences."
        f"\n\n{_STORES}",
        example="kvlayer copy kvlayer.yaml 'sqlite:///other.db?app_name=atlas&namespace=demo'\n"
        "kvlayer verify kvlayer.yaml 'sqlite:///other.db?app_name=atlas&namespace=demo'",
    )
    _add_two_stores(verify, "A", "B")
    verify.add_argument(
        "--limit", metavar="N", type=int, default=_LISTED, help=f"keys to list (default: {_LISTED})"
    )


def _add_file_format(parser: CommandParser) -> None:
    parser.add_argument(
        "--format", choices=_FORMATS, help="(default: ndjson where FILE ends in .ndjson or .jsonl, else dump)"
    )


def _add_two_stores(parser: CommandParser, first: str, second: str) -> None:
    parser.add_argument("first", metavar=first, help="a configuration file or a URL")
    parser.add_argument("second", metavar=second, help="a configuration file or a URL")
    parser.add_argument("tables", metavar="TABLE", nargs="*", help="(default: all)")


def _is_ndjson(arguments: argparse.Namespace) -> bool:
    if arguments.format is None:
        return arguments.file.suffix in (".ndjson", ".jsonl")
    ndjson: bool = arguments.format == "ndjson"
    return ndjson


def _one_table(arguments: argparse.Namespace) -> str:
    if len(arguments.tables) != 1:
        raise CommandError("ndjson holds the rows of one table: name it")
    table: str = arguments.tables[0]
    return table


def _dump(arguments: argparse.Namespace) -> int:
    from kvlayer import tools

    began = time.monotonic()
    with open_client(arguments) as client, _output(arguments.file) as file, progress("dumping") as report:
        if _is_ndjson(arguments):
            table = _one_table(arguments)
            with _as_text(file) as text:
                count = tools.write_ndjson(client, text, table, progress=report)
            moved = [tools.Transferred(table, count, file.tell() if file.seekable() else 0)]
        else:
            moved = tools.dump(client, file, arguments.tables or None, progress=report)
    if arguments.file != _STANDARD:
        _print_moved(moved, began)
    return DONE


def _load(arguments: argparse.Namespace) -> int:
    from kvlayer import tools

    began = time.monotonic()
    tables = arguments.tables or None
    with _input(arguments.file) as file:
        if _is_ndjson(arguments):
            if arguments.overwrite or arguments.dry_run:
                raise CommandError("ndjson is put into a table as it is read: no --overwrite, no --dry-run")
            table = _one_table(arguments)
            with open_client(arguments) as client, progress("loading") as report, _as_text(file) as text:
                count = tools.read_ndjson(client, text, table, progress=report)
            sys.stdout.write(f"{table}: {rows(count)} put\n")
            return DONE
        if arguments.dry_run:
            _print_contents(tools.inspect_dump(file))
            return DONE
        with open_client(arguments) as client, progress("loading") as report:
            moved = tools.load(client, file, tables, overwrite=arguments.overwrite, progress=report)
    _print_moved(moved, began)
    return DONE


def _copy(arguments: argparse.Namespace) -> int:
    from kvlayer import tools

    refuse_store_flags(arguments)
    began = time.monotonic()
    with (
        open_store(arguments.first, arguments) as source,
        open_store(arguments.second, arguments) as destination,
    ):
        try:
            with progress("copying") as report:
                moved = tools.copy(
                    source,
                    destination,
                    arguments.tables or None,
                    resume=arguments.resume,
                    overwrite=arguments.overwrite,
                    jobs=arguments.jobs,
                    progress=report,
                )
        except KeyboardInterrupt:
            raise CommandError(
                "interrupted; the same command with --resume goes on where this stopped", INTERRUPTED
            ) from None
        _print_moved(moved, began)
        if not arguments.verify:
            return DONE
        return _compare(source, destination, [table.table for table in moved], arguments, _LISTED)


def _verify(arguments: argparse.Namespace) -> int:
    refuse_store_flags(arguments)
    if arguments.limit < 0:
        raise CommandError("--limit is 0 or more")
    with open_store(arguments.first, arguments) as a, open_store(arguments.second, arguments) as b:
        return _compare(a, b, arguments.tables or None, arguments, arguments.limit)


def _compare(
    a: kvlayer.Client,
    b: kvlayer.Client,
    tables: Sequence[str] | None,
    arguments: argparse.Namespace,
    limit: int,
) -> int:
    from kvlayer import tools

    with progress("comparing") as report:
        compared = tools.verify(a, b, tables, progress=report, limit_differences=limit)
    _print_comparison(compared, arguments)
    return DONE if compared.equal else NOT_FOUND


def _print_moved(moved: list[Transferred], began: float) -> None:
    seconds = time.monotonic() - began
    count = sum(table.rows for table in moved)
    if moved:
        print_table(
            ["table", "rows", "size"],
            [[table.table, number(table.rows), size(table.bytes)] for table in moved],
            right=["rows", "size"],
        )
    sys.stdout.write(f"{rows(count)} in {duration(seconds)}, {number(round(count / seconds))} rows/s\n")


def _print_contents(tables: list[DumpedTable]) -> None:
    print_table(
        ["table", "key", "values", "rows", "size"],
        [
            [
                table.table,
                ", ".join(type_names(table.key_types)),
                ValueCodec(table.value_type, table.table).name,
                number(table.rows),
                size(table.bytes),
            ]
            for table in tables
        ],
        right=["rows", "size"],
    )


def _print_comparison(compared: Comparison, arguments: argparse.Namespace) -> None:
    if compared.equal:
        sys.stdout.write(f"equal: {rows(compared.rows)} compared\n")
        return
    names = {"missing": f"not in {_name(arguments.second)}", "unexpected": f"not in {_name(arguments.first)}"}
    print_table(
        ["table", "key", "difference"],
        [
            [found.table, format_key(found.key), names.get(found.kind, "another value")]
            for found in compared.differences
        ],
    )
    if unlisted := compared.differing - len(compared.differences):
        sys.stdout.write(f"and {number(unlisted)} more\n")
    sys.stdout.write(f"{number(compared.differing)} of {rows(compared.rows)} differ\n")


def _name(store: str) -> str:
    """A store as it was named, without the query and the password of a URL."""
    shown: str = yakonfig.redact(store)
    return shown.partition("?")[0]


@contextmanager
def _output(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name, and the place of a file of that name, once it is whole."""
    if path == _STANDARD:
        if is_terminal(sys.stdout):
            raise CommandError("a terminal is no place for a dump: name a file")
        yield sys.stdout.buffer
        return
    path = path.resolve()
    if path.exists() and not path.is_file():  # a pipe, a device
        with path.open("wb") as file:
            yield file
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def _input(path: Path) -> Iterator[BinaryIO]:
    if path == _STANDARD:
        if is_terminal(sys.stdin):
            raise CommandError("the standard input is a terminal: name a file, or pipe one in")
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file


@contextmanager
def _as_text(file: BinaryIO) -> Iterator[TextIO]:
    """A binary file as one of UTF-8 text, which stays open."""
    text = TextIOWrapper(file, encoding="utf-8", newline="\n")
    try:
        yield text
    finally:
        text.detach()  # writes what is left
