"""The command line's grammar: the commands with their flags, and one-line complaints."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import kvlayer
from kvlayer.cli.failures import WRONG

DESCRIPTION: Final = """\
Looks at the tables of a store, moves them to another one, and keeps them in order.

The store is the one of --config, of the flags below, or of --url. These flags may stand before or
behind the command."""

EPILOG: Final = """\
exit status: 0 done; 1 something wasn't found or differs; 2 the command line or the configuration is
wrong; 3 a store or a file failed.

`kvlayer COMMAND --help` says more of a command, with an example."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)
        # A key may begin with a negative number, as in -5,Paris; no flag begins with a digit.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        """Ends the program as a wrong flag does."""
        self.exit(WRONG, f"kvlayer: {message} (see {self.prog} --help)\n")


class CommandParser(Parser):
    """The parser of one command: flags may stand between the positional arguments too."""

    is_group = False
    """Whether the first positional argument is a command of its own, whose flags come behind it."""
    _within = False

    def parse_known_args(  # type: ignore[override]  # the overloads of typeshed, with one type
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse's, which alone would take `scan TABLE --limit 5 RANGE` for one word too many."""
        if self._within or self.is_group:
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False


class Commands:
    """Where each group of commands enters its own."""

    def __init__(self, parser: Parser, prog: str = "kvlayer", **settings: Any) -> None:
        self._prog = prog
        self._parsers = parser.add_subparsers(
            prog=prog,
            dest="command",
            metavar="COMMAND",
            title="commands",
            parser_class=CommandParser,
            **settings,
        )
        self._store_flags = CommandParser(add_help=False, argument_default=argparse.SUPPRESS)
        add_store_flags(self._store_flags.add_argument_group("the store, as in `kvlayer --help`"))

    def add(
        self,
        name: str,
        run: Callable[[Any], int],
        *,
        summary: str,
        usage: str,
        details: str = "",
        example: str,
    ) -> CommandParser:
        """Enters a command; its own arguments are then added to the parser that is returned.

        `usage` is what stands behind the name; `example` are lines that a shell can run, which the
        tests do.
        """
        parser = self._add(name, summary, usage, details, example)
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, *, summary: str, details: str = "", example: str) -> Commands:
        """Enters a command that has commands of its own, which are then added to what is returned."""
        parser = self._add(name, summary, "COMMAND ...", details, example)
        parser.is_group = True
        return Commands(parser, f"{self._prog} {name}", required=True, help="what to do")

    def _add(self, name: str, summary: str, usage: str, details: str, example: str) -> CommandParser:
        description = f"{summary[0].upper()}{summary[1:]}."
        parser: CommandParser = self._parsers.add_parser(
            name,
            help=summary,
            usage=f"{self._prog} {name} {usage}".rstrip(),
            description=f"{description}\n\n{details}" if details else description,
            epilog="example:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
            parents=[self._store_flags],
        )
        return parser


def build_parser() -> Parser:
    """The whole grammar, but for the flags that yakonfig adds to it."""
    from kvlayer.cli.commands import GROUPS

    parser = Parser(
        prog="kvlayer",
        usage="kvlayer [--config FILE | --url URL | ...] COMMAND ...",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the version and exit")
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    _add_url(parser)
    commands = Commands(parser)
    for add_commands in GROUPS:
        add_commands(commands)
    return parser


def add_store_flags(parser: Any) -> None:
    """The flags that choose the store, for a parser or a group of it."""
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    _add_url(parser)
    parser.add_argument("--config", "-c", metavar="FILE", help="read the configuration from this YAML file")
    kvlayer.add_arguments(parser)


def _add_url(parser: Any) -> None:
    parser.add_argument(
        "--url", metavar="URL", help="the store as a URL, in place of a configuration: sqlite:///file.db"
    )


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for: reading a package's metadata takes its time."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"kvlayer {version('kvlayer')}\n")
        parser.exit()
