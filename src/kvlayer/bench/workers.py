"""Worker processes: started, let go at a common moment, watched, and surely ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Final, Self

import kvlayer
from kvlayer.bench.errors import BenchError, WorkerFailed
from kvlayer.bench.lanes import (
    Arrived,
    Begin,
    Connected,
    Ended,
    Failed,
    Message,
    Order,
    Reported,
    Tables,
    Task,
)

START_SECONDS: Final = 60.0
"""In which a worker has to reach the store."""

_STARTING_PER_CORE: Final = 2
"""Workers that start at the same time, for each processor. More would not be ready sooner: they would
take the processors from each other until connections time out."""

_END_SECONDS: Final = 10.0
"""In which a worker that has closed its connection has to end."""

_PROGRESS_SECONDS: Final = 0.1

_LAST_WORDS: Final = 2000
"""Bytes that are told of what a worker has written."""


@dataclass(frozen=True)
class Progress:
    """How far all workers together have got."""

    phase: str
    """What they do: the name that the task gave it; empty while they start."""
    lanes: int
    connected: int
    """Lanes whose process has reached the store."""
    operations: int
    """Since the phase began; it lags behind by a fraction of a second."""
    size: int
    """Bytes moved since the phase began."""
    seconds: float
    """Since the phase began."""


def run_workers(
    task: Task,
    arguments: Any,
    config: Mapping[str, Any],
    *,
    workers: int,
    threads: int = 1,
    tables: Tables | None = None,
    start_seconds: float = START_SECONDS,
    progress: Callable[[Progress], None] | None = None,
) -> list[Any]:
    """Runs a task in `workers` processes of `threads` threads each; the results, in the order of lanes.

    Each process has a client of its own, made from `config`. `tables` are made before, where they aren't
    there. `progress` is called in this thread, at most ten times a second.

    Raises WorkerFailed as soon as one of them raises an error, dies, or does not reach the store in
    `start_seconds`. Whatever happens, none of them is left when this returns.
    """
    if workers < 1 or threads < 1:
        raise BenchError(f"{workers} workers of {threads} threads: there must be at least 1 of each")

    missing = Tables() if tables is None else _make(tables, config)

    def order(number: int) -> Order:
        lanes = workers * threads
        return Order(task, arguments, config, missing, threads, number * threads, lanes)

    with _Crew(workers, threads, order, start_seconds, progress) as crew:
        return crew.work()


def _make(tables: Tables, config: Mapping[str, Any]) -> Tables:
    """Makes tables; those that are left to the processes, since they share nothing, are returned.

    A process that is killed while it makes one could have the last word, after whoever cleans up.
    """
    with kvlayer.client(config) as client:
        if not client.capabilities.concurrent_processes:
            return tables
        client.setup_namespace(tables.key_types, tables.value_types)
        return Tables()


class _Crew:
    """All processes of one run."""

    def __init__(
        self,
        workers: int,
        threads: int,
        order: Callable[[int], Order],
        start_seconds: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._workers = workers
        self._threads = threads
        self._order = order
        self._start_seconds = start_seconds
        self._progress = progress
        self._processes: list[_Process] = []
        self._phase = ""
        self._phase_began = self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.release()

    def work(self) -> list[Any]:
        """The results of all lanes."""
        self._start_some()
        while not all(process.has_ended for process in self._processes):
            channels = {process.connection: process for process in self._processes if not process.has_ended}
            for channel in wait(list(channels), _PROGRESS_SECONDS):
                self._take(channels[channel])  # type: ignore[index]
            self._require_starts()
            self._tell()
        return [result for process in self._processes for result in process.results]

    def _start_some(self) -> None:
        starting = sum(not process.is_connected for process in self._processes)
        free = _STARTING_PER_CORE * (os.cpu_count() or 1) - starting
        for number in range(len(self._processes), min(self._workers, len(self._processes) + free)):
            self._processes.append(_Process(number))
            self._processes[-1].send(self._order(number))

    def _take(self, process: _Process) -> None:
        """Acts on a message of a process. Raises WorkerFailed where that is of a failure, or was the last."""
        message = process.receive()
        if message is None:
            raise self._failure(process, process.death(), process.last_words())
        match message:
            case Failed(message=text, traceback=trace):
                raise self._failure(process, text, trace)
            case Connected():
                process.is_connected = True
                self._start_some()
            case Arrived(phase=phase):
                process.has_arrived = True
                if len(self._processes) == self._workers and all(p.has_arrived for p in self._processes):
                    self._begin(phase)
            case Reported(operations=operations, size=size):
                process.operations, process.size = operations, size
            case Ended(results=results):
                process.end(results)

    def _begin(self, phase: str) -> None:
        # Late enough that every process will have heard of it.
        at = time.monotonic() + 0.05 + 0.001 * self._workers
        for process in self._processes:
            process.has_arrived = False
            process.operations = process.size = 0
            process.send(Begin(at))
        self._phase, self._phase_began = phase, at

    def _require_starts(self) -> None:
        now = time.monotonic()
        for process in self._processes:
            if not process.is_connected and now - process.began >= self._start_seconds:
                raise self._failure(
                    process,
                    f"it did not reach the store within {self._start_seconds:g} seconds",
                    process.last_words(),
                )

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress is None or now - self._told_at < _PROGRESS_SECONDS:
            return
        self._told_at = now
        self._progress(
            Progress(
                self._phase,
                self._workers * self._threads,
                sum(self._threads for process in self._processes if process.is_connected),
                sum(process.operations for process in self._processes),
                sum(process.size for process in self._processes),
                max(0.0, now - self._phase_began),
            )
        )

    def _failure(self, process: _Process, text: str, details: str) -> WorkerFailed:
        error = WorkerFailed(
            f"worker {process.number + 1} of {self._workers} (process {process.pid}) failed: {text}"
        )
        if details:
            error.add_note(f"In the worker:\n{details}")
        return error


class _Process:
    """One worker process, as its starter sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began = time.monotonic()
        self.is_connected = False
        self.has_arrived = False
        self.has_ended = False
        self.operations = 0
        self.size = 0
        self.results: list[Any] = []
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `release`
        self.connection, its = Pipe()
        with its:
            self._process = _launch(its, self._output.fileno())

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def send(self, message: Order | Begin) -> None:
        """Sends a message; one to a process that has died is lost, and `receive` tells of that."""
        with suppress(ConnectionError):
            self.connection.send(message)

    def receive(self) -> Message | None:
        """The next message; None where there will be none."""
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def end(self, results: list[Any]) -> None:
        """Lets the process go: it ends when the connection does."""
        self.results = results
        self.has_ended = True
        self.connection.close()

    def death(self) -> str:
        """How the process ended, which has closed its end of the connection."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        if code >= 0:
            return f"it ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"it was killed by {name}" + (
            ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
        )

    def last_words(self) -> str:
        """The end of what it wrote on its standard output and error."""
        descriptor = self._output.fileno()
        begin = max(0, os.fstat(descriptor).st_size - _LAST_WORDS)
        return os.pread(descriptor, _LAST_WORDS, begin).decode(errors="replace").strip()

    def kill(self) -> None:
        """Ends the process and whatever it has started."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def release(self) -> None:
        """Waits for the process that was killed, and frees what belongs to it."""
        self._process.wait()
        self.connection.close()
        self._output.close()


def _launch(its: Connection[Any, Any], output: int) -> subprocess.Popen[bytes]:
    # In a session of its own: a Ctrl-C at the terminal is for the starter, who ends its workers.
    return subprocess.Popen(  # noqa: S603 - this interpreter, with words of our own
        [sys.executable, "-m", "kvlayer.bench.worker", str(its.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[its.fileno()],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
