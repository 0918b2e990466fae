"""The progress of a benchmark: which workers are there, what they do, and how fast."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TextColumn

from kvlayer.bench.results import MB
from kvlayer.bench.workers import Progress as Done
from kvlayer.cli.terminal import console


class BenchBar:
    """A bar that is shown from the first report until `end`."""

    def __init__(self, seconds: float | None) -> None:
        """`seconds` is how long a phase takes at most; None where that can't be known."""
        self._seconds = seconds
        self._phase = ""
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting workers", rate="")

    def report(self, done: Done) -> None:
        """Takes what the workers report."""
        self._bar.start()
        if not done.phase:
            rate = f"{done.connected} of {done.lanes}"
            self._bar.update(self._task, completed=done.connected, total=done.lanes, rate=rate)
            return
        if done.phase != self._phase:
            self._phase = done.phase
            # A load goes on until all rows are there; all else for the time that it was given.
            total = None if done.phase == "load" else self._seconds
            self._bar.reset(self._task, description=done.phase, total=total, rate="")
        self._bar.update(self._task, completed=done.seconds, rate=_rate(done))

    def end(self) -> None:
        """Takes the bar away."""
        self._bar.stop()


def _rate(done: Done) -> str:
    if done.seconds <= 0:
        return ""
    operations = f"{done.operations / done.seconds:,.0f}/s"
    return f"{operations}, {done.size / MB / done.seconds:,.0f} MB/s" if done.size else operations
