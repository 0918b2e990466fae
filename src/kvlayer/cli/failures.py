"""How a command ends: the exit statuses, and which error leads to which."""

from __future__ import annotations

from typing import Final

import yakonfig
from kvlayer import errors

DONE: Final = 0
NOT_FOUND: Final = 1
"""Something isn't there, or two things differ."""
WRONG: Final = 2
"""The command line or the configuration can't mean anything."""
FAILED: Final = 3
"""A store or a file failed."""
INTERRUPTED: Final = 130
"""By Ctrl-C; 128 and the signal's number, as shells have it."""

TERMINATED: Final = 143
"""By SIGTERM."""

EXTRAS: Final = {
    **dict.fromkeys(("rich", "shtab", "zstandard"), "cli"),
    **dict.fromkeys(("matplotlib", "hdrh"), "bench"),
}
"""Modules that the command line needs, and the extra of kvlayer that brings each."""


class CommandError(Exception):
    """Ends a command with a message and a status."""

    def __init__(self, message: str, status: int = WRONG) -> None:
        super().__init__(message)
        self.status = status


_STATUSES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (errors.NoSuchTable, NOT_FOUND),
    (yakonfig.ConfigurationError, WRONG),
    (errors.ProgrammerError, WRONG),
    (errors.BadKey, WRONG),
    (errors.SchemaMismatch, WRONG),
    (errors.NotSupported, WRONG),
    (errors.KvlayerError, FAILED),
    (OSError, FAILED),
)


def explain(error: BaseException) -> tuple[str, int] | None:
    """What to tell of an error, in one line, and the exit status; None for a fault of kvlayer's."""
    if isinstance(error, CommandError):
        return _one_line(str(error)), error.status
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = EXTRAS.get(error.name.partition(".")[0])
        if extra is not None:
            return f"this needs the module {error.name!r}: pip install 'kvlayer[{extra}]'", WRONG
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return _one_line(_text(error)), WRONG if _is_refusal(error) else status
    return None


def _is_refusal(error: BaseException) -> bool:
    """Whether tables can't be moved, or measured, as asked; that a file is broken is another
    matter."""
    from kvlayer.bench.errors import BenchError, BrokenResults, WorkerFailed
    from kvlayer.tools.errors import BrokenDump, TransferError

    refused, broken = (TransferError, BenchError), (BrokenDump, BrokenResults, WorkerFailed)
    return isinstance(error, refused) and not isinstance(error, broken)


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error) or type(error).__name__


def _one_line(text: str) -> str:
    """Without line breaks, and without what would move the cursor of a terminal."""
    joined = " ".join(text.split())
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in joined
    )
