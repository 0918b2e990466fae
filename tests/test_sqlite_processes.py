"""The sqlite backend under several processes: started anew, forked, killed."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from kvlayer.backends.base import PAGE_ROWS, BackendTable
from kvlayer.backends.sqlite import SQLiteBackend
from kvlayer.backends.sqlite.connections import ConnectionPool
from kvlayer.errors import StorageError

TABLE = BackendTable("table", incarnation="1")
COUNTER = BackendTable("counter", kind="counter", incarnation="1")

# Python 3.12 and later warn of any fork in a process with threads.
forks_with_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def opened(path: Path) -> closing[SQLiteBackend]:
    return closing(SQLiteBackend(SQLiteBackend.Options(filename=str(path)), "app", "ns"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with opened(path) as backend:
        backend.create_tables([TABLE, COUNTER])
        yield backend


def stored(backend: SQLiteBackend) -> list[tuple[bytes, bytes]]:
    return [row for page in backend.scan(TABLE, b"", None, reverse=False, limit=None) for row in page]


def fork(function: Callable[[], object]) -> int:
    """Starts a child that calls a function and ends, without pytest noticing."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def succeeded(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


def increment_often(path: Path, times: int) -> None:
    with opened(path) as backend:
        for _ in range(times):
            backend.increment(COUNTER, [(b"one", 1), (b"two", 2)])


def test_processes_add_exactly(backend: SQLiteBackend, path: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=increment_often, args=(path, 100)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
        process.close()
    assert backend.get(COUNTER, [b"one", b"two"]) == [b"400", b"800"]


def test_a_hundred_processes_set_up_one_file_at_once(path: Path) -> None:
    waiting, start = os.pipe()

    def set_up(number: int) -> None:
        os.close(start)
        os.read(waiting, 1)  # until the parent closes the other end
        with opened(path) as backend:
            backend.create_tables([TABLE, COUNTER])
            backend.put(TABLE, [(b"%d" % number, b"")])

    children = [fork(partial(set_up, number)) for number in range(100)]
    os.close(waiting)
    os.close(start)
    outcome = [succeeded(child) for child in children]
    assert all(outcome)
    with opened(path) as backend:
        assert len(stored(backend)) == 100


def test_a_scan_while_another_process_writes(backend: SQLiteBackend, path: Path) -> None:
    rows = [(b"%06d" % number, bytes(100)) for number in range(0, 20 * PAGE_ROWS, 2)]
    backend.put(TABLE, rows)

    def write() -> None:
        with opened(path) as own:
            while True:
                number = random.randrange(20 * PAGE_ROWS) | 1
                own.put(TABLE, [(b"%06d" % number, b"odd")])
                own.delete(TABLE, [b"%06d" % number])

    child = fork(write)
    try:
        for reverse in (False, True) * 3:
            seen = [
                row
                for page in backend.scan(TABLE, b"", None, reverse=reverse, limit=None)
                for row in page
                if row[1] != b"odd"
            ]
            assert seen == (rows[::-1] if reverse else rows)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_killed_writers_lose_nothing_and_tear_no_batch(path: Path) -> None:
    batch_rows = 50
    acknowledged = 0
    with opened(path) as backend:
        backend.create_tables([TABLE])

    def write(first: int, reports: int) -> None:
        with opened(path) as backend:
            for batch in range(first, first + 100_000):
                backend.put(TABLE, [(b"%06d-%02d" % (batch, row), bytes(500)) for row in range(batch_rows)])
                os.write(reports, b".")

    for attempt in range(10):
        reading, writing = os.pipe()
        child = fork(partial(write, acknowledged, writing))
        os.close(writing)
        os.read(reading, 1)
        time.sleep(random.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acknowledged += 1
        while reports := os.read(reading, 65536):
            acknowledged += len(reports)
        os.close(reading)
        with opened(path) as backend:
            keys = [key for key, _ in stored(backend)]
        batches = len(keys) // batch_rows
        assert keys == [b"%06d-%02d" % divmod(number, batch_rows) for number in range(len(keys))], attempt
        assert len(keys) % batch_rows == 0
        assert batches in (acknowledged, acknowledged + 1)
        acknowledged = batches


class TestForks:
    def test_both_sides_go_on(self, backend: SQLiteBackend) -> None:
        """Even with a scan that began before."""
        backend.put(TABLE, [(b"%06d" % number, b"") for number in range(3 * PAGE_ROWS)])
        pages = backend.scan(TABLE, b"", None, reverse=False, limit=None)
        next(pages)

        def use_it() -> None:
            assert len(next(pages)) == PAGE_ROWS
            backend.put(TABLE, [(b"child", b"1")])
            assert succeeded(fork(lambda: backend.put(TABLE, [(b"grandchild", b"1")])))
            backend.close()

        child = fork(use_it)
        backend.put(TABLE, [(b"parent", b"1")])
        assert succeeded(child)
        assert len(next(pages)) == PAGE_ROWS
        assert backend.get(TABLE, [b"child", b"grandchild", b"parent"]) == [b"1"] * 3

    @forks_with_threads
    def test_while_threads_work(self, backend: SQLiteBackend, path: Path) -> None:
        """Connections in use are waited for, in all clients of the process, and nothing is lost."""
        stop = threading.Event()
        done: list[int] = []

        def work(client: SQLiteBackend) -> None:
            times = 0
            while not stop.is_set():
                client.increment(COUNTER, [(b"threads", 1)])
                client.put(TABLE, [(b"%d" % number, b"") for number in range(100)])
                stored(client)
                times += 1
            done.append(times)

        def add_in_child() -> None:
            for client in (backend, other):
                client.increment(COUNTER, [(b"children", 1)])
                assert len(stored(client)) in (0, 100)

        with opened(path) as other:
            threads = [threading.Thread(target=work, args=(client,)) for client in (backend, other) * 2]
            for thread in threads:
                thread.start()
            children = [fork(add_in_child) for _ in range(30)]
            outcome = [succeeded(child) for child in children]
            stop.set()
            for thread in threads:
                thread.join()
        assert all(outcome)
        assert len(done) == 4
        assert backend.get(COUNTER, [b"threads", b"children"]) == [b"%d" % sum(done), b"60"]

    @forks_with_threads
    def test_threads_that_fork_at_once(self, backend: SQLiteBackend) -> None:
        def fork_some() -> None:
            for _ in range(5):
                outcome.append(succeeded(fork(lambda: backend.increment(COUNTER, [(b"a", 1)]))))
                backend.increment(COUNTER, [(b"a", 1)])

        outcome: list[bool] = []
        threads = [threading.Thread(target=fork_some) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcome == [True] * 15
        assert backend.get(COUNTER, [b"a"]) == [b"30"]

    def test_in_the_midst_of_an_operation_of_the_same_thread(
        self, backend: SQLiteBackend, path: Path
    ) -> None:
        """As a signal handler might: the child gets an error, the parent's operation goes on."""
        children: list[int] = []

        class Forking(int):
            def __radd__(self, other: object) -> int:
                children.append(fork(refused))
                return 7

        def refused() -> None:
            with pytest.raises(StorageError, match="Open it after the fork"):
                backend.get(TABLE, [b"a"])
            with pytest.raises(StorageError, match="Open it after the fork"):
                opened(path)

        assert backend.increment(COUNTER, [(b"a", Forking())]) == [7]
        assert [succeeded(child) for child in children] == [True]
        assert backend.get(COUNTER, [b"a"]) == [b"7"]

    def test_that_python_does_not_know_of(self, backend: SQLiteBackend) -> None:
        """A fork by C code leaves no time to close connections: the child gets an error."""
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            status = 1
            try:
                with pytest.raises(StorageError, match="Open it after the fork"):
                    backend.get(TABLE, [b"a"])
                status = 0
            finally:
                os._exit(status)
        assert succeeded(child)
        backend.put(TABLE, [(b"a", b"1")])
        assert stored(backend) == [(b"a", b"1")]

    def test_from_a_hook_of_another(self, backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is called between the preparation of a fork and the fork gets an error; it can't wait."""
        before_fork = ConnectionPool.before_fork
        refused: list[pytest.ExceptionInfo[StorageError]] = []

        def then_use_it(pool: ConnectionPool) -> None:
            before_fork(pool)
            if pool is backend._pool:
                with pytest.raises(StorageError, match="hook of os.fork") as raised:
                    backend.get(TABLE, [b"a"])
                refused.append(raised)

        monkeypatch.setattr(ConnectionPool, "before_fork", then_use_it)
        assert succeeded(fork(lambda: None))
        assert len(refused) == 1
        assert backend.get(TABLE, [b"a"]) == [None]
