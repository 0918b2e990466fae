"""Statistics of what a client asks of its store: operations added up, as data and in a log file.

A `Recorder` hands each `Operation` to `Statistics`, to a `StatsLog` and to any callable that was
added. As long as nobody observes, it leaves the backend unwrapped, and there is nothing to pay for.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from kvlayer.backends.base import Backend
from kvlayer.errors import ConfigurationError
from kvlayer.observe import ObservedBackend, Observer, Operation

__all__ = ["ObservedBackend", "Observer", "Operation", "Recorder", "Statistics", "StatsLog", "Totals"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Totals:
    """What all operations of one name on one table add up to; the fields are those of `Operation`."""

    table: str
    operation: str
    operations: int
    keys: int
    values: int
    bytes: int
    seconds: float
    errors: int


class _ForkAware(Protocol):
    def _start_over(self) -> None: ...


# A forked child counts what it does itself: its parent's totals would appear twice in a shared log,
# and a lock that another thread held at the fork would never be released.
_reset_in_child: weakref.WeakSet[_ForkAware] = weakref.WeakSet()


def _start_over_in_child() -> None:
    for counter in list(_reset_in_child):
        counter._start_over()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_start_over_in_child)


class Statistics:
    """Adds up operations by table and name. It is an observer, and may be used by several threads.

    A forked child starts from zero.
    """

    def __init__(self) -> None:
        self._start_over()
        _reset_in_child.add(self)

    def _start_over(self) -> None:
        self.since = datetime.now(UTC)
        self.operations = 0
        self._lock = threading.Lock()
        self._pending: deque[Operation] = deque()
        self._totals: dict[tuple[str, str], Totals] = {}

    def __call__(self, operation: Operation) -> None:
        """Counts an operation."""
        self._pending.append(operation)
        self._add_up(wait=False)

    def snapshot(self, *, wait: bool = True) -> list[Totals]:
        """The totals up to now, sorted by table and operation.

        Without `wait` what another thread is adding at this moment may be missing.
        """
        self._add_up(wait=wait)
        return sorted(self._totals.copy().values(), key=lambda total: (total.table, total.operation))

    def _add_up(self, *, wait: bool) -> None:
        # An operation never waits for the lock: the garbage collector may end a scan in the very
        # thread that holds it. Whoever holds it, or comes next, adds what was left behind.
        if self._lock.acquire(blocking=wait):
            try:
                while self._pending:
                    self._add(self._pending.popleft())
            finally:
                self._lock.release()

    def _add(self, one: Operation) -> None:
        place = (one.table, one.name)
        old = self._totals.get(place) or Totals(one.table, one.name, 0, 0, 0, 0, 0.0, 0)
        self._totals[place] = Totals(
            one.table,
            one.name,
            old.operations + 1,
            old.keys + one.keys,
            old.values + one.values,
            old.bytes + one.bytes,
            old.seconds + one.seconds,
            old.errors + (one.error is not None),
        )
        self.operations += 1


class StatsLog:
    """Appends totals to a file: at intervals, when it is closed, and else when the process exits.

    Each entry holds the totals since counting began, so the last entry of a process says it all and
    a lost one loses nothing. An entry is appended by one write, so that several processes may share
    the file; the file is opened anew each time, so that it may be rotated. There is no timer:
    intervals are checked as operations end. An entry that can't be written is reported to `logging`
    the first time, and never fails the operation.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        statistics: Statistics,
        *,
        interval_ops: int | None = None,
        interval_seconds: float | None = None,
    ) -> None:
        """Logs statistics to a file: JSON lines if its name ends in .json, else text.

        Without an interval there is one entry, at the end. As an observer it must come after the
        statistics. Raises ConfigurationError if the file can't be written.
        """
        self._interval_ops = interval_ops
        self._interval_seconds = interval_seconds
        self._log = _LogFile(os.path.abspath(os.fspath(filename)), statistics)
        self._finalizer = weakref.finalize(self, self._log.write)

    def __call__(self, operation: Operation) -> None:
        """Writes an entry if one is due."""
        if self._due() and self._finalizer.alive:
            self._log.write(self._due)

    def close(self) -> None:
        """Writes what is not yet written. Calling it again does nothing."""
        self._finalizer()

    def _due(self) -> bool:
        if self._interval_ops is not None and self._log.age_in_operations >= self._interval_ops:
            return True
        return self._interval_seconds is not None and self._log.age_in_seconds >= self._interval_seconds


class _LogFile:
    """The file of a `StatsLog`, which outlives it: it is written when the log is collected unclosed."""

    def __init__(self, path: str, statistics: Statistics) -> None:
        self._path = path
        self._statistics = statistics
        self._format = _json_lines if path.endswith(".json") else _text
        self._failed = False
        try:
            self._append(b"")
        except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the name
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(f"log_stats: can't write {path!r}: {reason}") from error
        self._start_over()
        _reset_in_child.add(self)

    def _start_over(self) -> None:
        self._writing = threading.Lock()
        self._written_operations = 0
        self._tried_operations = 0
        self._tried_at = time.monotonic()

    @property
    def age_in_operations(self) -> int:
        """Operations since the last attempt to write an entry."""
        return self._statistics.operations - self._tried_operations

    @property
    def age_in_seconds(self) -> float:
        """Seconds since the last attempt to write an entry."""
        return time.monotonic() - self._tried_at

    def write(self, due: Callable[[], bool] | None = None) -> None:
        """Appends the totals, if there is anything new; given `due`, only if that still holds.

        With `due` it waits for no lock, and leaves the entry to the thread that is writing one.
        """
        if not self._writing.acquire(blocking=due is None):
            return
        try:
            if due is None or due():
                self._write(self._statistics.snapshot(wait=due is None))
        finally:
            self._writing.release()

    def _write(self, totals: list[Totals]) -> None:
        operations = sum(total.operations for total in totals)
        self._tried_operations = operations
        self._tried_at = time.monotonic()
        if operations == self._written_operations:
            return
        try:
            self._append(self._format(totals, self._statistics.since))
        except OSError as error:
            if not self._failed:
                self._failed = True
                logger.warning("log_stats: can't write %r: %s", self._path, error.strerror or error)
        else:
            self._written_operations = operations

    def _append(self, entry: bytes) -> None:
        with open(self._path, "ab", buffering=0) as file:
            written = file.write(entry)
        if written != len(entry):
            raise OSError(f"only {written} of {len(entry)} bytes could be written")


def _json_lines(totals: Iterable[Totals], since: datetime) -> bytes:
    """One line for each table and operation."""
    head = {"time": _utc(datetime.now(UTC)), "process": os.getpid(), "since": _utc(since)}
    lines = [
        msgspec.json.encode(head | msgspec.to_builtins(total) | {"seconds": round(total.seconds, 6)})
        for total in totals
    ]
    return b"".join(line + b"\n" for line in lines)


def _text(totals: Iterable[Totals], since: datetime) -> bytes:
    """A table of columns, the longest words of which are table names: these come last."""
    lines = [
        f"{_utc(datetime.now(UTC))}  process {os.getpid()}, totals since {_utc(since)}",
        f"{'operation':15} {'operations':>10} {'keys':>12} {'values':>12} {'bytes':>15} {'seconds':>11} "
        f"{'errors':>7}  table",
    ]
    for total in totals:
        table = total.table if total.table.isprintable() else ascii(total.table)
        lines.append(
            f"{total.operation:15} {total.operations:10} {total.keys:12} {total.values:12} {total.bytes:15} "
            f"{total.seconds:11.4f} {total.errors:7}  {table}".rstrip()
        )
    return ("\n".join(lines) + "\n\n").encode()


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """All that observes one client: its statistics, their log, and callables that were added.

    Counting begins when the first of these is asked for: at once with a log, else with the first
    call of `add` or `snapshot`. An observer that raises is reported to `logging` the first time, is
    called again for later operations, and never fails the operation. The operations that an
    observer causes are observed too: one that uses the client it observes runs into recursion.
    """

    def __init__(self) -> None:
        self._statistics = Statistics()
        self._observing = False
        self._observers: list[Observer] = []
        self._failed: set[int] = set()
        self._log: StatsLog | None = None

    def log(
        self,
        filename: str | os.PathLike[str],
        *,
        interval_ops: int | None = None,
        interval_seconds: float | None = None,
    ) -> None:
        """Starts a `StatsLog`. Raises ConfigurationError if the file can't be written."""
        self._log = StatsLog(
            filename, self._statistics, interval_ops=interval_ops, interval_seconds=interval_seconds
        )
        self.add(self._log)

    def add(self, observer: Observer) -> None:
        """Calls the observer with each operation from now on; the backend has to be wrapped for that."""
        self._observers.append(observer)
        self._observing = True

    def snapshot(self) -> list[Totals]:
        """The totals since counting began, sorted by table and operation; the first call begins it."""
        self._observing = True
        return self._statistics.snapshot()

    def wrap(self, backend: Backend) -> Backend:
        """The backend under observation; itself if nobody observes, or if it is wrapped already."""
        if not self._observing or isinstance(backend, ObservedBackend):
            return backend
        return ObservedBackend(backend, self)

    def __call__(self, operation: Operation) -> None:
        """Counts an operation and passes it on to all observers."""
        self._statistics(operation)
        for observer in self._observers:
            try:
                observer(operation)
            except Exception:
                if id(observer) not in self._failed:
                    self._failed.add(id(observer))
                    logger.exception("observer %r failed on %r", observer, operation)

    def close(self) -> None:
        """Writes what is not yet in the log. Calling it again does nothing."""
        if self._log is not None:
            self._log.close()
