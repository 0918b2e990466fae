"""Arguments that several commands have in common."""

from __future__ import annotations

import argparse
from typing import Final

from kvlayer.catalog import TableInfo
from kvlayer.cli.failures import CommandError
from kvlayer.cli.keys import parse_end, parse_prefix, parse_range
from kvlayer.cli.output import FORMATS
from kvlayer.ranges import Range

KEYS: Final = """\
A key is typed as fr,Paris,2988507: its parts between commas, by the table's types. A part that
holds commas, quotes or two dots stands in double quotes ("" is a quote), which the shell leaves
alone within single quotes: 'us,"Winchester, VA",4794120'. Bytes may be given as hex, 0x00ff. JSON
will do as well: '["fr","Paris",2988507]'."""


def add_table(parser: argparse.ArgumentParser) -> None:
    """The name of a table."""
    parser.add_argument("table", metavar="TABLE", help="the name of a table")


def add_range(parser: argparse.ArgumentParser) -> None:
    """A range of keys; `range_of` reads it."""
    parser.add_argument(
        "range",
        metavar="RANGE",
        nargs="?",
        help="START..END with both ends included and either left out, or the first parts of keys",
    )
    add_range_flags(parser)


def add_range_flags(parser: argparse.ArgumentParser) -> None:
    """A range of keys by flags alone."""
    parser.add_argument("--start", metavar="KEY", help="begin with this key, or with its first parts")
    parser.add_argument(
        "--end", metavar="KEY", help="end with this key, or with all that begin with its parts"
    )
    parser.add_argument("--prefix", metavar="KEY", help="only keys whose first parts are exactly these")


def range_of(arguments: argparse.Namespace, table: TableInfo) -> Range | None:
    """The range that was asked for; None for the whole table."""
    given = getattr(arguments, "range", None)
    ends = (arguments.start, arguments.end)
    if sum((given is not None, arguments.prefix is not None, ends != (None, None))) > 1:
        raise CommandError("give a RANGE, or --prefix, or --start and --end; not several of them")
    if given is not None:
        return parse_range(given, table)
    if arguments.prefix is not None:
        prefix = parse_prefix(arguments.prefix, table)
        return prefix, prefix
    if ends == (None, None):
        return None
    return parse_end(arguments.start, table), parse_end(arguments.end, table)


def add_format(parser: argparse.ArgumentParser) -> None:
    """How rows are to be shown."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="table shortens what is long; json and ndjson lose nothing; csv is for spreadsheets; raw is"
        " a key, a tab and the value in a line (default: table at a terminal, raw in a pipe)",
    )
    parser.add_argument("--full", action="store_true", help="shorten nothing in a table")


def add_table_format(parser: argparse.ArgumentParser) -> None:
    """How facts are to be shown."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Goes on without a question."""
    parser.add_argument("--yes", "-y", action="store_true", help="do it without asking, as scripts must")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Changes nothing."""
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
