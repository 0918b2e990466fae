"""Unique int keys in the order of time, for rows that have no name of their own: events, messages, jobs.

The scheme is that of Twitter's Snowflake (2010, https://github.com/twitter-archive/snowflake), in
63 bits that are divided otherwise::

    42 bits  milliseconds since the Unix epoch, 1970-01-01T00:00:00Z; they end in the year 2109
    11 bits  worker, 0 to 2047: which generator made the key
    10 bits  sequence, within a millisecond of a worker

A key that sorts newest first is the negative of that number. So a key tells by its sign which way it
sorts, and keys of both ways fit the int keys that are stored in eight bytes (docs/key-format.md).

Within a millisecond the sequence starts at a random place in its lower half, as RFC 9562 (section
6.2, method 1) has it for the counter of a UUID, so that two generators with one worker id are not
bound to make the same keys.
"""

from __future__ import annotations

import math
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kvlayer.errors import ProgrammerError

WORKERS: Final = 2**11
"""How many worker ids there are."""

_SEQUENCES: Final = 2**10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND: Final = 2**42 - 2  # the very last has room for keys borrowed from it

_system_random = random.SystemRandom()  # unlike others, it goes separate ways after a fork


class Snowflake:
    """Makes keys: each call returns the next one.

    The keys of one generator never repeat and always go the same way, from any number of threads.
    When the clock steps back, they go on from the last key's time until the clock has caught up;
    when a millisecond is used up (after 512 keys at least), they borrow from the next one, so more
    than 512,000 keys a second may run ahead of the clock. Nothing waits.

    Two generators make different keys if their worker ids differ. Without a worker id, a random one
    is drawn: of n generators at work at once, two have the same one with a chance of about
    n * (n - 1) / 4096 (2 % for ten), and then each pair of keys that they make in the same
    millisecond is equal with a chance of about 1 / 512. Where that is too much, hand out worker ids,
    each to one generator at a time; a `COUNTER` can do that.

    In a forked child a generator draws a new random worker id; one with an id that was given raises
    ProgrammerError there, as that id is its parent's.
    """

    def __init__(
        self,
        worker: int | None = None,
        *,
        newest_first: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`worker` is 0 to 2047, `clock` returns seconds since the Unix epoch.

        Raises ProgrammerError for another worker id.
        """
        if worker is not None and not 0 <= worker < WORKERS:
            raise ProgrammerError(f"a snowflake's worker id is 0 to {WORKERS - 1}, not {worker}")
        self._assigned = worker is not None
        self._worker = _system_random.randrange(WORKERS) if worker is None else worker
        self._newest_first = newest_first
        self._clock = clock
        self._inherited = False
        self._lock = threading.Lock()
        self._last = 0  # milliseconds and sequence of the last key, as one number
        _generators.add(self)

    @property
    def worker(self) -> int:
        """The worker id in this generator's keys."""
        return self._worker

    def __call__(self, now: float | None = None) -> int:
        """The next key, for the present time or for `now`, in seconds since the Unix epoch.

        A time before that of the last key counts as that: for keys of a past time use a generator
        of its own, and give it times in their order. Raises ValueError for a time that a key can't
        hold, ProgrammerError in a forked child that needs a worker id of its own.
        """
        with self._lock:
            if self._inherited:
                raise ProgrammerError(
                    f"worker id {self._worker} is the parent process's; "
                    "a forked child needs a Snowflake with an id of its own"
                )
            milliseconds = _milliseconds(self._clock() if now is None else now)
            if milliseconds > self._last // _SEQUENCES:
                count = milliseconds * _SEQUENCES + _system_random.randrange(_SEQUENCES // 2)
            else:
                count = self._last + 1  # past the last sequence number, this is the next millisecond
            self._last = count
            milliseconds, sequence = divmod(count, _SEQUENCES)
            key = (milliseconds * WORKERS + self._worker) * _SEQUENCES + sequence
        return -key if self._newest_first else key

    def ends(self, start: float, end: float) -> tuple[int, int]:
        """The first and the last key, in their order, that any worker can make from start to end.

        Both times are in seconds since the Unix epoch, and included; for the range of a scan.
        """
        first = _milliseconds(start) * WORKERS * _SEQUENCES
        last = (_milliseconds(end) + 1) * WORKERS * _SEQUENCES - 1
        return (-last, -first) if self._newest_first else (first, last)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._inherited = self._assigned
        if not self._assigned:
            self._worker = (self._worker + _system_random.randrange(1, WORKERS)) % WORKERS


_generators: weakref.WeakSet[Snowflake] = weakref.WeakSet()


def _renew_in_child() -> None:
    for generator in list(_generators):
        generator._after_fork()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_renew_in_child)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a key was made from."""

    milliseconds: int
    """Since the Unix epoch."""
    worker: int
    sequence: int

    @property
    def time(self) -> datetime:
        """When the key was made, in UTC."""
        return _EPOCH + timedelta(milliseconds=self.milliseconds)


def parse(key: int) -> Parts:
    """Takes a key apart, whichever way it sorts. Raises ValueError for an int that is no such key."""
    rest, sequence = divmod(abs(key), _SEQUENCES)
    milliseconds, worker = divmod(rest, WORKERS)
    if not 0 <= milliseconds <= _LAST_MILLISECOND:
        raise ValueError(f"{key} is no snowflake key")
    return Parts(milliseconds, worker, sequence)


def _milliseconds(seconds: float) -> int:
    milliseconds = math.floor(seconds * 1000) if math.isfinite(seconds) else -1
    if not 0 <= milliseconds <= _LAST_MILLISECOND:
        raise ValueError(f"a snowflake key holds a time from 1970 to 2109, in seconds, not {seconds}")
    return milliseconds
