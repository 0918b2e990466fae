"""What a client sees when a tablet server is killed or gone, or when ZooKeeper does not answer."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jpype
import pytest

from accumulo_tables import COUNTER, FAST, PLAIN, opened, rows_of
from kvlayer.backends.accumulo import waiting
from kvlayer.backends.base import BackendTable
from kvlayer.errors import StorageError
from servers.accumulo import PROMPT_RECOVERY, AccumuloServer

PATIENCE = 240  # seconds for a cluster to recover on a busy machine


@pytest.fixture(scope="module")
def fragile() -> Iterator[AccumuloServer]:
    """A cluster for these tests alone, whose tablet server is there when a test begins."""
    with AccumuloServer(properties=PROMPT_RECOVERY) as server:
        yield server


@pytest.fixture
def app_name(fragile: AccumuloServer) -> str:
    """Of a namespace with the three tables."""
    name = f"kvlayer-test-{uuid.uuid4().hex[:12]}"
    with opened(name, config=fragile.config) as backend:
        backend.create_tables([PLAIN, FAST, COUNTER])
    return name


def repeated(call: Callable[[], Any]) -> Any:
    """What it returns once the servers are back; what it raises until then may be repeated."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except StorageError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise


@pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
def test_a_tablet_server_is_killed_during_puts(
    fragile: AccumuloServer, app_name: str, table: BackendTable
) -> None:
    """No acknowledged row is lost; a put that was interrupted is done, or fails and may be repeated."""
    batches = [[(b"%03d %03d" % (batch, row), b"%d" % batch) for row in range(100)] for batch in range(60)]
    begun, failures = threading.Event(), []

    with opened(app_name, config=fragile.config, timeout=PATIENCE) as backend:

        def write() -> None:
            for number, batch in enumerate(batches):
                try:
                    repeated(partial(backend.put, table, batch))
                except BaseException as error:
                    failures.append(error)
                    raise
                if number == 10:
                    begun.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert begun.wait(PATIENCE)
        fragile.kill_tablet_server()
        fragile.start_tablet_server()
        thread.join()
        assert not failures
        assert repeated(lambda: rows_of(backend, table)) == [row for batch in batches for row in batch]


def test_a_tablet_server_is_killed_during_a_scan(fragile: AccumuloServer, app_name: str) -> None:
    """The scan goes on where it was, once the tablets are served again."""
    rows = [(b"%05d" % number, b"%d" % number) for number in range(5000)]
    with opened(app_name, config=fragile.config, timeout=PATIENCE) as backend:
        backend.put(PLAIN, rows)
        pages = backend.scan(PLAIN, b"", None, reverse=False, limit=None)
        seen = next(pages)
        fragile.kill_tablet_server()
        fragile.start_tablet_server()
        for page in pages:
            seen += page
        assert seen == rows


def test_a_tablet_server_is_killed_while_clients_count(fragile: AccumuloServer, app_name: str) -> None:
    """What was acknowledged is counted; what failed may be counted once, and is never counted twice."""
    acknowledged, uncertain = [0], [0]
    begun = threading.Event()
    with opened(app_name, config=fragile.config, timeout=PATIENCE) as backend:

        def count() -> None:
            for number in range(100):
                try:
                    backend.increment(COUNTER, [(b"n", 1)])
                    acknowledged[0] += 1
                except StorageError:
                    uncertain[0] += 1
                if number == 20:
                    begun.set()

        thread = threading.Thread(target=count)
        thread.start()
        assert begun.wait(PATIENCE)
        fragile.kill_tablet_server()
        fragile.start_tablet_server()
        thread.join()
        [(_, found)] = repeated(lambda: rows_of(backend, COUNTER))
    assert acknowledged[0] <= int(found) <= acknowledged[0] + uncertain[0]


def test_without_a_tablet_server(fragile: AccumuloServer, app_name: str) -> None:
    """Every call fails within its timeout, and works again later, on the same client."""
    rows = [(b"%03d" % number, b"1") for number in range(10)]
    with (
        opened(app_name, config=fragile.config, timeout=3, admin_timeout=5) as hasty,
        opened(app_name, config=fragile.config, timeout=PATIENCE) as patient,
    ):
        for backend in (hasty, patient):
            backend.put(PLAIN, rows)
            backend.put(FAST, rows)
            backend.increment(COUNTER, [(b"n", 1)])
        fragile.kill_tablet_server()
        try:
            calls: list[Callable[[], Any]] = [
                lambda: hasty.put(PLAIN, [(b"a", b"2")]),
                lambda: hasty.put(FAST, [(b"a", b"2")]),
                lambda: hasty.get(PLAIN, [b"001"]),
                lambda: hasty.get(PLAIN, [key for key, _ in rows]),
                lambda: rows_of(hasty, PLAIN),
                lambda: hasty.increment(COUNTER, [(b"n", 1)]),
                lambda: hasty.compare_and_put(PLAIN, b"001", b"1", b"2"),
                lambda: hasty.delete(FAST, [b"a"]),
                lambda: hasty.clear(PLAIN),
                lambda: hasty.create_tables([BackendTable("new", incarnation="1")]),
                hasty.ping,
            ]
            for call in calls:
                with pytest.raises(StorageError) as failed:
                    call()
                assert failed.value.retryable, failed.value
                assert failed.value.__cause__ is not None
            with pytest.raises(StorageError), opened(app_name, config=fragile.config, connect_timeout=3):
                pass
        finally:
            fragile.start_tablet_server()
        assert dict(repeated(lambda: rows_of(patient, PLAIN))).keys() >= {b"005", b"009"}
        for backend in (hasty, patient):
            repeated(partial(backend.put, FAST, [(b"b", b"3")]))
            assert repeated(partial(backend.get, FAST, [b"b"])) == [b"3"]


class TestWaiting:
    """The threads that calls into Java run in."""

    @pytest.fixture(autouse=True)
    def _java(self) -> None:
        with opened("app"):
            pass

    def test_what_a_call_returns_or_raises(self) -> None:
        assert waiting.within(60, lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            waiting.within(60, lambda: 1 // 0)
        done: list[int] = []
        waiting.all_within(60, done.append, range(50), at_once=4)
        assert sorted(done) == list(range(50))
        with pytest.raises(ZeroDivisionError):
            waiting.all_within(60, lambda number: 1 // number, range(50), at_once=4)
        waiting.all_within(60, done.append, [], at_once=4)

    def test_a_call_that_is_given_up_ends_itself(self) -> None:
        steps: list[int] = []
        ended = threading.Event()

        def in_steps() -> None:
            try:
                while True:
                    waiting.check()
                    steps.append(1)
                    time.sleep(0.01)
            finally:
                ended.set()

        with pytest.raises(waiting.DeadlinePassed):
            waiting.within(0.2, in_steps)
        assert ended.wait(60)
        assert steps

    def test_a_call_that_waits_in_java_is_woken(self) -> None:
        ended = threading.Event()

        def sleep() -> None:
            try:
                jpype.java.lang.Thread.sleep(3_600_000)
            finally:
                ended.set()

        with pytest.raises(waiting.DeadlinePassed, match=r"within 0\.2 s"):
            waiting.within(0.2, sleep)
        assert ended.wait(60)
        with pytest.raises(waiting.DeadlinePassed):
            waiting.all_within(0.2, lambda _: sleep(), range(3), at_once=2)
