"""Progress, told often enough for an eye and seldom enough to cost nothing."""

from __future__ import annotations

import time
from typing import Final

from kvlayer.tools.records import Progress, ProgressReport

INTERVAL: Final = 0.1
"""Seconds between two reports on one table."""


class Reporter:
    """Adds up what is done of one table, and reports it."""

    def __init__(self, report: ProgressReport | None, table: str, total_rows: int | None) -> None:
        self.rows = 0
        self.bytes = 0
        self._report = report
        self._table = table
        self._total_rows = total_rows
        self._next = time.monotonic() + INTERVAL

    def add(self, rows: int, size: int) -> None:
        """Counts rows of so many bytes, and reports if it is time to."""
        self.rows += rows
        self.bytes += size
        if self._report is not None and time.monotonic() >= self._next:
            self.tell()
            self._next = time.monotonic() + INTERVAL

    def tell(self) -> None:
        """Reports now."""
        if self._report is not None:
            self._report(Progress(self._table, self.rows, self.bytes, self._total_rows))
