"""`completion`: scripts for shells, which complete commands and flags."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

import kvlayer
import yakonfig
from kvlayer.cli.failures import DONE
from kvlayer.cli.parser import Commands, build_parser

_SHELLS: Final = ("bash", "zsh", "tcsh")

_DETAILS: Final = """\
For bash, put this into ~/.bashrc: eval "$(kvlayer completion bash)"
For zsh, put the script into a file _kvlayer in a folder of $fpath.
For tcsh, put this into ~/.tcshrc: kvlayer completion tcsh | source /dev/stdin"""


def add_commands(commands: Commands) -> None:
    """Enters the command of this module."""
    completion = commands.add(
        "completion",
        _completion,
        summary="print a script that completes commands and flags in a shell",
        usage="bash|zsh|tcsh",
        details=_DETAILS,
        example='eval "$(kvlayer completion bash)"',
    )
    completion.add_argument("shell", metavar="SHELL", choices=_SHELLS, help="bash, zsh or tcsh")


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser = build_parser()
    yakonfig.add_arguments(parser)
    kvlayer.add_arguments(parser)
    _complete_files(parser, shtab.FILE)
    sys.stdout.write(shtab.complete(parser, shell=arguments.shell) + "\n")
    return DONE


def _complete_files(parser: argparse.ArgumentParser, how: Any) -> None:
    """Lets shtab complete the names of files, in this parser and those of the commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, how)
        elif action.metavar in ("FILE", "FROM", "TO", "A", "B"):
            action.complete = how  # type: ignore[attr-defined]  # where shtab looks for it
