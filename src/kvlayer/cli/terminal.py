"""What people see at a terminal: numbers and times to be read, tables, progress, questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from kvlayer.cli.failures import NOT_FOUND, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from kvlayer.tools import ProgressReport

_WIDE: Final = 10_000
"""Columns of a pipe: nothing is folded there."""


def is_terminal(stream: IO[Any]) -> bool:
    """Whether somebody sits at it."""
    return stream.isatty()


def has_colours(stream: IO[Any]) -> bool:
    """Whether to use colours: at a terminal, unless the environment says otherwise (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> Console:
    """rich's console on the output. It neither guesses at markup nor at what to highlight."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    shown = is_terminal(stream)
    return Console(
        file=stream,
        force_terminal=shown,
        no_color=not has_colours(stream),
        width=None if shown else _WIDE,
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Prints a table with a line under its header; `right` names the columns of numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    numbers = set(right)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    print_block(table)


def print_block(block: Any) -> None:
    """Prints something of rich's; into a pipe without the spaces that it puts behind lines."""
    target = console()
    if target.is_terminal:
        target.print(block)
        return
    with target.capture() as capture:
        target.print(block)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def number(count: int) -> str:
    """A number with separators: 1,234,567."""
    return f"{count:,}"


def rows(count: int) -> str:
    """A number of rows, in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


def size(count: float) -> str:
    """Bytes in units of 1024: 3.1 MiB."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return (
                f"{count / factor:.3g} {unit}" if count < 1000 * factor else f"{count / factor:,.0f} {unit}"
            )
    return f"{count:.0f} bytes" if count != 1 else "1 byte"


def duration(seconds: float) -> str:
    """A time in units of its size: 0.4 ms, 12.3 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, whole = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def say(message: str) -> None:
    """Tells a person what was done; nothing where output and errors go to files or programs."""
    if is_terminal(sys.stderr):
        sys.stderr.write(f"{message}\n")


def confirm(question: str) -> None:
    """Goes on only if the answer is yes. Raises CommandError otherwise."""
    if _ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed", NOT_FOUND)


def confirm_by_name(question: str, name: str) -> None:
    """Goes on only if the name is typed. Raises CommandError otherwise."""
    if _ask(f"{question}\nType {name} to go on: ").rstrip("\r\n") != name:
        raise CommandError("that is another name; nothing was changed", NOT_FOUND)


def _ask(prompt: str) -> str:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise CommandError("this asks for a confirmation, and there is no terminal to ask at: give --yes")
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline()


@contextmanager
def progress(action: str) -> Iterator[ProgressReport | None]:
    """What the tools report to while a block runs: bars at a terminal, once that takes over a second.

    None where nobody looks.
    """
    if not is_terminal(sys.stderr):
        yield None
        return
    from kvlayer.cli.bars import LateBars

    bars = LateBars(action)
    try:
        yield bars.report
    finally:
        bars.end()
