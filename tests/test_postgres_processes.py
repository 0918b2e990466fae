"""The postgres backend in many processes at once, some of which are killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from kvlayer.backends.base import BackendTable
from kvlayer.backends.postgres import PostgresBackend
from servers.pgbouncer import pgbouncer
from servers.postgres import shared_server

PLAIN = BackendTable("plain", incarnation="1")
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
ACCUMULATOR = BackendTable("accumulator", kind="accumulator", incarnation="1")
TABLES = [PLAIN, COUNTER, ACCUMULATOR]

KEYS = [b"%03d" % number for number in range(50)]


@contextmanager
def opened(config: dict[str, Any], app_name: str) -> Iterator[PostgresBackend]:
    options = {key: value for key, value in config.items() if key != "storage_type"}
    with closing(PostgresBackend(PostgresBackend.Options(**options), app_name, "ns")) as backend:
        yield backend


@pytest.fixture(scope="module", params=["server", "pooler"])
def config(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Of the server itself, and of PgBouncer before it, which gives each transaction one of three connections."""
    server = shared_server()
    if request.param == "server":
        yield server.config
    else:
        with pgbouncer(server, pool_mode="transaction") as address:
            yield {**server.config, "storage_addresses": [address]}


@pytest.fixture
def place(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The arguments of `opened`, for a namespace of three empty tables."""
    app_name = uuid.uuid4().hex
    with opened(config, app_name) as backend:
        backend.create_tables(TABLES)
    yield config, app_name
    with opened(config, app_name) as backend:
        backend.drop_namespace()


def run(count: int, work: Callable[..., None], *arguments: Any) -> None:
    """Runs it in so many new processes at once."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(number, *arguments)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * count


def _count(number: int, config: dict[str, Any], app_name: str) -> None:
    """Adds 1 to the hot key and to keys in an order of its own, 100 times."""
    random.seed(number)
    with opened(config, app_name) as backend:
        for _ in range(100):
            some = random.sample(KEYS, 10)
            assert backend.increment(COUNTER, [(b"hot", 1), *((key, 2**70) for key in some)])[0] > 0
            backend.increment(ACCUMULATOR, [(key, 0.5) for key in [*some, b"hot"]])
            while True:  # the same by comparing
                (before,) = backend.get(PLAIN, [b"hot"])
                if backend.compare_and_put(PLAIN, b"hot", before, b"%d" % (int(before or 0) + 1)):
                    break


def test_counters_of_8_processes_are_exact(place: tuple[dict[str, Any], str]) -> None:
    run(8, _count, *place)
    with opened(*place) as backend:
        assert backend.get(COUNTER, [b"hot"]) == [b"800"]
        assert backend.get(PLAIN, [b"hot"]) == [b"800"]
        assert backend.get(ACCUMULATOR, [b"hot"]) == [b"400.0"]
        assert sum(int(value or 0) for value in backend.get(COUNTER, KEYS)) == 8 * 100 * 10 * 2**70
        assert sum(float(value or 0) for value in backend.get(ACCUMULATOR, KEYS)) == 4000.0


def _write(number: int, config: dict[str, Any], app_name: str) -> None:
    """Writes and removes rows between those that stay."""
    with opened(config, app_name) as backend:
        for turn in range(40):
            keys = [b"%05d-%d" % (key, number) for key in range(turn, 4000, 40)]
            backend.put(PLAIN, [(key, bytes(200)) for key in keys])
            if turn % 2:
                backend.delete(PLAIN, keys)


def _read(number: int, config: dict[str, Any], app_name: str) -> None:
    """Each scan finds each row that stays, once and in order (S9)."""
    staying = [b"%05d" % key for key in range(4000)]
    with opened(config, app_name) as backend:
        for turn in range(10):
            pages = backend.scan(PLAIN, b"", None, reverse=bool(turn % 2), limit=None)
            found = [key for page in pages for key, _ in page]
            assert found == sorted(set(found), reverse=bool(turn % 2))
            assert sorted(key for key in found if len(key) == 5) == staying


def _write_or_read(number: int, *place: Any) -> None:
    (_write if number < 3 else _read)(number, *place)


def test_scans_while_others_write(place: tuple[dict[str, Any], str]) -> None:
    with opened(*place) as backend:
        backend.put(PLAIN, [(b"%05d" % key, bytes(200)) for key in range(4000)])
    run(5, _write_or_read, *place)


def test_killed_in_the_midst_of_batches(
    place: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 times: a batch of several statements is there wholly or not at all, a sum of floats, which is read,
    added and written, is the sum of whole calls; and no lock outlives its owner."""
    monkeypatch.setattr("kvlayer.backends.postgres.backend._STATEMENT_ROWS", 3)
    config, app_name = place
    batch = 10
    with opened(*place) as backend, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, for forks of threads
        for turn in range(100):
            started, start = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    with opened(config, app_name) as own:
                        for number in range(10_000):
                            own.put(PLAIN, [(b"%d-%d-%d" % (turn, number, row), b"") for row in range(batch)])
                            os.write(start, b"!")
                            own.increment(ACCUMULATOR, [(key, 1.0) for key in KEYS])
                finally:
                    os._exit(1)
            os.close(start)
            assert os.read(started, 1) == b"!"  # nothing, if the child ends before it has written
            time.sleep(random.uniform(0, 0.04))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(started)
            sums = set(backend.increment(ACCUMULATOR, [(key, 0.0) for key in KEYS]))
            assert len(sums) == 1
        pages = backend.scan_keys(PLAIN, b"", None, reverse=False, limit=None)
        found = [key for page in pages for key in page]
        assert found
        assert len(found) % batch == 0
        assert {key.rpartition(b"-")[2] for key in found} == {b"%d" % row for row in range(batch)}


def test_a_forked_child_leaves_the_connections_of_its_parent_alone(
    place: tuple[dict[str, Any], str],
) -> None:
    """It may end in the usual way, with finalisers, and use the database through a backend of its own."""
    with opened(*place) as backend:
        backend.put(PLAIN, [(b"a", b"1")])
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with opened(*place) as own:
                    own.put(PLAIN, [(b"b", b"2")])
                backend._pool._idle.clear()  # as the collection of an abandoned client would
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert backend.get(PLAIN, [b"a", b"b"]) == [b"1", b"2"]
