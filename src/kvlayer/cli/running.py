"""One run of the command line: parses it, runs the command, and turns what goes wrong into one line."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import kvlayer
import yakonfig
from kvlayer.cli.failures import DONE, FAILED, INTERRUPTED, TERMINATED, explain
from kvlayer.cli.parser import build_parser


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns the exit status; see `kvlayer.cli.main`."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever a terminal can't show must not end the command
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in words
    with warnings.catch_warnings(), _ended_by_sigterm():
        warnings.showwarning = _show_warning
        try:
            status = _run(words)
            sys.stdout.flush()
        except SystemExit as end:  # argparse: --help, or a wrong flag
            status = end.code if isinstance(end.code, int) else DONE
        except BrokenPipeError:
            _discard_output()
            status = DONE
        except KeyboardInterrupt:
            sys.stderr.write("kvlayer: interrupted\n")
            status = INTERRUPTED
        except Exception as error:
            explained = explain(error)
            if debug:
                traceback.print_exc()
            if explained is None:
                explained = f"a fault of kvlayer's: {type(error).__name__} (--debug shows where)", FAILED
            message, status = explained
            _flush_output()
            sys.stderr.write(f"kvlayer: {message}\n")
    return status


def _run(words: list[str]) -> int:
    parser = build_parser()
    arguments = yakonfig.parse_args(parser, [yakonfig, kvlayer], words)
    if arguments.command is None:
        parser.error("a command is missing")
    command: Callable[[Any], int] = arguments.run
    return command(arguments)


def _open_closed_streams() -> None:
    """Puts /dev/null where the shell closed a stream (`>&-`), before a file of the store takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets a command that is asked to end clean up, as it does after Ctrl-C."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    sys.stderr.write(f"kvlayer: warning: {message}\n")


def _flush_output() -> None:
    """What was written before an error stands before its message."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Nobody reads the output any more: the interpreter must not complain of that when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
