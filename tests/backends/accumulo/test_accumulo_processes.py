"""The accumulo backend in several processes at once, while an administrator flushes and compacts."""

from __future__ import annotations

import multiprocessing
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from accumulo_tables import ACCUMULATOR, COUNTER, PLAIN, opened
from kvlayer.backends.accumulo.layout import Layout
from servers.accumulo import shared_server

TABLES = [PLAIN, COUNTER, ACCUMULATOR]

KEYS = [b"%03d" % number for number in range(20)]
PROCESSES, TURNS = 8, 25


@pytest.fixture
def place() -> Iterator[tuple[dict[str, Any], str]]:
    """A configuration and the app name of a namespace of three empty tables."""
    config = shared_server().config
    app_name = f"kvlayer-test-{uuid.uuid4().hex[:12]}"
    with opened(app_name, config=config) as backend:
        backend.create_tables(TABLES)
    yield config, app_name
    with opened(app_name, config=config) as backend:
        backend.drop_namespace()


@contextmanager
def compacting(app_name: str) -> Iterator[list[str]]:
    """Has the tables flushed and compacted over and over; how often is the length of the list."""
    ended = threading.Event()
    done: list[str] = []
    with opened(app_name) as backend:
        operations = backend._connection.client.tableOperations()

        def work() -> None:
            while not ended.is_set():
                for table in TABLES:
                    name = Layout(app_name, "ns").table_name(table)
                    operations.flush(name, None, None, True)
                    operations.compact(name, None, None, False, True)
                    done.append(name)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield done
        finally:
            ended.set()
            thread.join()


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
    """Adds to the hot key and to some others, and now and then deletes a key of its own and begins again."""
    random.seed(number)
    own = b"own %d" % number
    with opened(app_name, config=config) as backend:
        for turn in range(TURNS):
            some = random.sample(KEYS, 5)
            backend.increment(COUNTER, [(b"hot", 1), *((key, 2**70) for key in some)])
            backend.increment(ACCUMULATOR, [(key, 0.5) for key in [*some, b"hot"]])
            if turn % 5 == 0:
                backend.delete(COUNTER, [own])
            assert backend.increment(COUNTER, [(own, 3)]) == [3 * (turn % 5 + 1)]
            while True:  # the same by comparing
                [before] = backend.get(PLAIN, [b"hot"])
                if backend.compare_and_put(PLAIN, b"hot", before, b"%d" % (int(before or 0) + 1)):
                    break


def test_counters_are_exact_while_tables_are_compacted(place: tuple[dict[str, Any], str]) -> None:
    with compacting(place[1]) as compactions:
        run(PROCESSES, _count, *place)
    assert len(compactions) > len(TABLES)
    with opened(place[1]) as backend:
        assert backend.get(COUNTER, [b"hot"]) == [b"%d" % (PROCESSES * TURNS)]
        assert backend.get(PLAIN, [b"hot"]) == [b"%d" % (PROCESSES * TURNS)]
        assert backend.get(ACCUMULATOR, [b"hot"]) == [repr(PROCESSES * TURNS * 0.5).encode()]
        counts = backend.get(COUNTER, KEYS)
        assert sum(int(count or 0) for count in counts) == PROCESSES * TURNS * 5 * 2**70
        sums = backend.get(ACCUMULATOR, KEYS)
        assert sum(float(total or 0) for total in sums) == PROCESSES * TURNS * 5 * 0.5


def _answer(number: int, config: dict[str, Any], app_name: str, turns: int) -> None:
    """Two of these take turns: each waits for the other's row, and writes the next one."""
    with opened(app_name, config=config) as backend:
        for turn in range(number, turns, 2):
            while turn > 0 and backend.get(PLAIN, [b"turn"]) != [b"%d" % (turn - 1)]:
                pass
            backend.put(PLAIN, [(b"turn", b"%d" % turn), (b"%03d" % turn, b"%d" % number)])
            found = [
                key
                for page in backend.scan_keys(PLAIN, b"0", b"1", reverse=False, limit=None)
                for key in page
            ]
            assert found[: turn + 1] == [b"%03d" % done for done in range(turn + 1)]


def test_two_clients_see_at_once_what_the_other_wrote(place: tuple[dict[str, Any], str]) -> None:
    run(2, _answer, *place, 40)
    with opened(place[1]) as backend:
        assert backend.get(PLAIN, [b"turn"]) == [b"39"]
