"""Ten million rows on the `sqlite` backend: memory stays constant, and the last million is no slower.

`python -m benchmarks.endurance put_many|scan|copy ROWS FOLDER` is the process that is measured. It prints,
as JSON, its peak memory in megabytes before the first row and at the end, and the seconds that each tenth of
the rows took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

import kvlayer
from benchmarks.harness import Figure, Progress
from benchmarks.memory import LIMIT_MB, peak_memory
from benchmarks.stores.sqlite import configuration
from benchmarks.workload import KEY_TYPES, scattered_pairs
from kvlayer import tools
from kvlayer.keys import Key

ROWS: Final = 10_000_000
LIMIT_SLOWDOWN: Final = 1.5

_TABLE: Final = "rows"
_TENTHS: Final = 10


def measure(rows: int, progress: Progress) -> list[Figure]:
    """Memory and rate of writing, scanning and copying so many rows, each in a process of its own."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for operation in _MEASURED:
            progress(f"sqlite: {operation} of {rows:,} rows in a process of its own")
            answer = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-m", "benchmarks.endurance", operation, str(rows), folder],
                check=True,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[1],
            )
            before, peak, seconds = json.loads(answer.stdout)
            what = f"sqlite: {operation} of {rows:,} rows"
            rates = ", ".join(f"{rows / _TENTHS / tenth / 1000:,.0f}" for tenth in seconds)
            note = f"peak; {before:.0f} MB before; thousands of rows a second in each tenth: {rates}"
            figures.append(Figure(what, peak, "MB", LIMIT_MB, note))
            if operation in _STEADY:
                slowdown, note = max(seconds) / seconds[0], "slowest tenth against the first"
                figures.append(Figure(what, slowdown, "times as long", LIMIT_SLOWDOWN, note))
    return figures


class _Pace:
    """How many rows were done when."""

    def __init__(self) -> None:
        self._samples = [(0, time.perf_counter())]

    def note(self, rows: int) -> None:
        """So many are done by now."""
        if rows > self._samples[-1][0]:
            self._samples.append((rows, time.perf_counter()))

    def tenths(self) -> list[float]:
        """The seconds that each tenth of the rows took; evenly between two notes."""
        total = self._samples[-1][0]
        marks = [self._seconds(total * number / _TENTHS) for number in range(_TENTHS + 1)]
        return [end - begin for begin, end in pairwise(marks)]

    def _seconds(self, rows: float) -> float:
        for (less, earlier), (more, later) in pairwise(self._samples):
            if rows <= more:
                return earlier + (later - earlier) * (rows - less) / (more - less)
        return self._samples[-1][1]


def _put_many(client: kvlayer.Client, rows: int, folder: Path, pace: _Pace) -> int:
    def noted() -> Iterator[tuple[Key, bytes]]:
        for number, pair in enumerate(scattered_pairs(rows)):
            if number % 1000 == 0:
                pace.note(number)
            yield pair

    return client.put_many(_TABLE, noted())


def _scan(client: kvlayer.Client, rows: int, folder: Path, pace: _Pace) -> int:
    number = 0
    for number, _ in enumerate(client.scan(_TABLE), 1):
        if number % 1000 == 0:
            pace.note(number)
    return number


def _copy(client: kvlayer.Client, rows: int, folder: Path, pace: _Pace) -> int:
    with closing(_client(folder / "copy.db")) as destination:
        (done,) = tools.copy(client, destination, progress=lambda told: pace.note(told.rows))
    return done.rows


_MEASURED: Final[dict[str, Callable[[kvlayer.Client, int, Path, _Pace], int]]] = {
    "put_many": _put_many,
    "scan": _scan,
    "copy": _copy,
}
_STEADY: Final = ("scan", "copy")
"""Writing in no order is not: the more rows there are, the fewer are neighbours."""


def _client(file: Path) -> kvlayer.Client:
    return kvlayer.client(configuration(file), app_name="kvlayer", namespace="benchmark")


def _measured_process(operation: str, rows: int, folder: Path) -> None:
    with closing(_client(folder / "rows.db")) as client:
        client.setup_namespace({_TABLE: KEY_TYPES})
        before, pace = peak_memory(), _Pace()
        count = _MEASURED[operation](client, rows, folder, pace)
        pace.note(count)
    if count != rows:
        raise AssertionError(f"{operation}: {count} rows instead of {rows}")
    print(json.dumps([before, peak_memory(), pace.tenths()]))


if __name__ == "__main__":
    _measured_process(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
