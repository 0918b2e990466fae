"""The command line: `kvlayer COMMAND ...` looks at a store, moves what it holds, and keeps it in order.

Nothing is imported here but what `main` needs to begin, so that `kvlayer --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, by default that of the process; returns the exit status.

    0: done; 1: something wasn't found, or differs; 2: the command line or the configuration is
    wrong; 3: a store or a file failed.
    """
    from kvlayer.cli.running import run

    return run(arguments)
