"""Progress bars, for work that takes longer than people like to wait without a word."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from kvlayer import tools
from kvlayer.cli.terminal import console, duration, rows

PATIENCE: Final = 1.0
"""Seconds of work after which progress is shown."""


class LateBars:
    """One bar for each table; nothing is shown of work that is done before it is missed."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._begin = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Column(lambda task: rows(int(task.completed))),
            _Column(lambda task: f"{task.speed:,.0f} rows/s" if task.speed else ""),
            _Column(lambda task: f"{duration(task.time_remaining)} left" if task.time_remaining else ""),
            console=console(stderr=True),
            transient=True,
        )

    def report(self, done: tools.Progress) -> None:
        """Takes what a tool reports."""
        if done.table not in self._tasks:
            # A total that isn't known, or an estimate that was too low, must not look like an end.
            self._tasks[done.table] = self._bars.add_task(f"{self._action} {done.table}", total=None)
        total = None if done.total_rows is None else max(done.total_rows, done.rows)
        self._bars.update(self._tasks[done.table], completed=done.rows, total=total)
        if time.monotonic() - self._begin >= PATIENCE:
            self._bars.start()

    def end(self) -> None:
        """Takes the bars away."""
        self._bars.stop()


class _Column(ProgressColumn):
    """A column whose cells are made by a function of the task."""

    def __init__(self, cell: Callable[[Task], str]) -> None:
        super().__init__()
        self._cell = cell

    def render(self, task: Task) -> Text:
        return Text(self._cell(task))
