"""What a worker process and its starter say to each other, and `Lane`, which is what a task sees of both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from kvlayer.client import Client, KeyTypes
from kvlayer.values import ValueType

_REPORT_SECONDS: Final = 0.25
"""Between two reports of one process; a hundred of them must not keep the starter busy."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What `Client.setup_namespace` is to make before a task begins."""

    key_types: Mapping[str, KeyTypes] = field(default_factory=dict)
    value_types: Mapping[str, ValueType] = field(default_factory=dict)


class Lane:
    """One thread of one worker process."""

    client: Client
    """Connected, and shared by the threads of this process."""
    number: int
    """From 0 to `count` - 1, over all processes."""
    count: int
    """How many lanes there are in all processes together."""

    def __init__(self, client: Client, number: int, count: int, meeting: Meeting) -> None:
        self.client = client
        self.number = number
        self.count = count
        self._meeting = meeting

    def wait_for_all(self, phase: str) -> float:
        """Waits until every lane of every process has come here; they go on at the same moment.

        Returns that moment, as `time.monotonic` tells it. `phase` says what begins, to people. All
        lanes must call this the same number of times.
        """
        return self._meeting.wait(phase)

    def report(self, operations: int, size: int = 0) -> None:
        """Adds to what is told of the progress of this phase: operations, and bytes."""
        self._meeting.report(operations, size)


Task: TypeAlias = Callable[[Lane, Any], Any]
"""A function of a module. It gets its lane and what `run_workers` was given for it; both that and its
result are pickled."""


@dataclass(frozen=True)
class Order:
    """To a process: what to do."""

    task: Task
    arguments: Any
    config: Mapping[str, Any] = field(repr=False)
    tables: Tables
    threads: int
    first_lane: int
    lanes: int


@dataclass(frozen=True)
class Begin:
    """To a process: its lanes go on at this moment of `time.monotonic`, a clock of the whole system."""

    at: float


@dataclass(frozen=True)
class Connected:
    """Of a process: the store answers."""


@dataclass(frozen=True)
class Arrived:
    """Of a process: all its lanes wait for this phase."""

    phase: str


@dataclass(frozen=True)
class Reported:
    """Of a process: what its lanes have done since the phase began."""

    operations: int
    size: int


@dataclass(frozen=True)
class Ended:
    """Of a process: its lanes have returned, in their order."""

    results: list[Any]


@dataclass(frozen=True)
class Failed:
    """Of a process: it is about to end."""

    message: str
    traceback: str


Message: TypeAlias = Connected | Arrived | Reported | Ended | Failed


class Meeting:
    """Where the lanes of one process wait for those of the others, and what they report in between."""

    def __init__(self, threads: int, send: Callable[[Message], None]) -> None:
        self._threads = threads
        self._send = send
        self._condition = threading.Condition()
        self._waiting = 0
        self._begun = 0
        self._begin_at = 0.0
        self._operations = 0
        self._size = 0
        self._reported_at = 0.0

    def wait(self, phase: str) -> float:
        """See `Lane.wait_for_all`."""
        with self._condition:
            next_one = self._begun + 1
            self._waiting += 1
            if self._waiting == self._threads:
                self._waiting = 0
                self._send(Arrived(phase))
            self._condition.wait_for(lambda: self._begun >= next_one)
            begin_at = self._begin_at
        time.sleep(max(0.0, begin_at - time.monotonic()))
        return begin_at

    def begin(self, at: float) -> None:
        """Lets all that wait go on."""
        with self._condition:
            self._begin_at = self._reported_at = at
            self._operations = self._size = 0
            self._begun += 1
            self._condition.notify_all()

    def report(self, operations: int, size: int) -> None:
        """See `Lane.report`."""
        with self._condition:
            self._operations += operations
            self._size += size
            now = time.monotonic()
            if now - self._reported_at >= _REPORT_SECONDS:
                self._reported_at = now
                self._send(Reported(self._operations, self._size))
