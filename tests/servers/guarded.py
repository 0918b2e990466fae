"""Runs a program whose process group ends with it: `python guarded.py PROGRAM ARGUMENT...`.

A program that starts further processes leaves them behind when it is killed. Here a watcher in the same group
kills the whole group as soon as the program has ended, however it did. The group must be the program's own.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Becomes the program, after leaving a watcher behind."""
    ended, alive = os.pipe()
    if os.fork() == 0:
        os.close(alive)
        os.read(ended, 1)  # nobody writes: this returns when the program, and so its end of the pipe, is gone
        os.killpg(0, signal.SIGKILL)
    os.close(ended)
    os.set_inheritable(alive, True)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
