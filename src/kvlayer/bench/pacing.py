"""When each operation is due, if operations are wanted at a rate.

The times are fixed beforehand, and an operation that begins late doesn't move those behind it. A latency
that counts from the time at which an operation was due holds what its user would have waited. One that counts
from the time at which a busy worker got round to it leaves that wait out ("coordinated omission": Gil Tene,
"How NOT to measure latency").
"""

from __future__ import annotations

import math
import time
from typing import Final

_NANOSECONDS: Final = 10**9

_LATE_NANOSECONDS: Final = 100_000
"""About as late as a system wakes a sleeper, who therefore asks to be woken that much early and waits for the
rest awake, which is little then."""


class Schedule:
    """The times at which one of several workers is to begin its operations, in ns of `time.perf_counter_ns`.

    All workers together begin `rate` operations a second, one after another and evenly: worker `number` of
    `workers` begins operations `number`, `number + workers`, …
    """

    __slots__ = ("_begun", "_interval", "_offset", "_start")

    def __init__(self, rate: float, number: int = 0, workers: int = 1) -> None:
        if not rate > 0:
            raise ValueError(f"a rate must be above 0, not {rate}")
        self._interval = workers * _NANOSECONDS / rate
        self._offset = number * _NANOSECONDS / rate
        self._begun = 0
        self._start = 0

    def start(self, now: int) -> None:
        """The first operation of the first worker is due now."""
        self._start = now
        self._begun = 0

    def due(self, now: int) -> int:
        """How many of this worker's operations are due by then, those begun included."""
        return max(0, math.floor((now - self._start - self._offset) / self._interval) + 1)

    def next(self) -> int:
        """The time at which the next operation is due, and counts it as begun."""
        # Multiplied rather than added up, so that an odd interval doesn't drift.
        at = self._start + math.ceil(self._offset + self._begun * self._interval)
        self._begun += 1
        return at


def sleep_until(at: int) -> None:
    """Returns at a time of `time.perf_counter_ns`, or at once where that is past.

    What it returns late is a part of the operation's latency: a few microseconds on a machine that has
    processors to spare.
    """
    remaining = at - time.perf_counter_ns() - _LATE_NANOSECONDS
    if remaining > 0:
        time.sleep(remaining / _NANOSECONDS)
    while time.perf_counter_ns() < at:
        pass
