"""Other processes, as the tests see them: start some, read what they report, kill them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from kvlayer.testing.store import Store

PATIENCE: Final = 180.0
"""Seconds without a report after which the processes are taken to hang."""


@dataclass(frozen=True)
class Report:
    """What one of the processes has said."""

    worker: int
    """Its number, from 0."""
    content: Any


class WorkerError(AssertionError):
    """A process failed, or hung; the message is its traceback."""


class Workers:
    """A child process (kvlayer.testing.worker) that forks as many more as a test asks for.

    It is started with the first task. One task runs at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._busy = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the child and whatever it has forked."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            pass
        self._process, self._unread, self._busy = None, b"", False

    def run(self, task: str, config: Mapping[str, Any], count: int = 1, **arguments: Any) -> list[Any]:
        """What each of `count` processes reported last, in their order, when all have ended."""
        results: dict[int, Any] = {}
        for report in self.start(task, config, count, **arguments):
            results[report.worker] = report.content
        return [results[number] for number in range(count)]

    def start(
        self, task: str, config: Mapping[str, Any], count: int = 1, **arguments: Any
    ) -> Iterator[Report]:
        """Starts `count` processes at the same moment; their reports, until all have ended.

        `task` is a function of kvlayer.testing.tasks. Raises WorkerError where one of them fails.
        """
        if self._busy:  # with the processes of a test that has failed
            self.stop()
        process = self._process or self._launch()
        self._busy = True
        order = {"task": task, "config": config, "count": count, "arguments": arguments}
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        return self._reports()

    def _launch(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kvlayer.testing.worker", str(self._store.backend or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        return self._process

    def _reports(self) -> Iterator[Report]:
        failures = []
        for message in self._messages():
            if "failure" in message:
                failures.append(message["failure"])
            else:
                yield Report(message["worker"], message["report"])
        if failures:
            raise WorkerError(f"{len(failures)} processes failed; the first one:\n{failures[0]}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while (message := json.loads(self._line())) != "ended":
            yield message
        self._busy = False

    def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        channel = self._process.stdout.fileno()
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._unread:
            readable, _, _ = select.select([channel], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(channel, 65536) if readable else b""
            if not data:
                self.stop()
                raise WorkerError("the processes hang" if not readable else "the processes ended too early")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line
