"""Scans of a store that one waits for: the next page comes while the caller works on the last one."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

import kvlayer
from kvlayer import ahead, backends
from kvlayer.ahead import read_ahead_of_work
from kvlayer.backends.base import BackendTable, Row
from kvlayer.backends.local import LocalBackend
from kvlayer.stats import Operation

ROWS = 4500

read: list[int] = []
"""The pages that were read, by number."""

may_read = threading.Event()
"""Cleared while pages are to take their time."""


class Slow(LocalBackend):
    """Memory that one waits for."""

    reads_ahead = True

    def scan(self, table: BackendTable, *args: Any, **kwargs: Any) -> Iterator[list[Row]]:
        for number, page in enumerate(super().scan(table, *args, **kwargs)):
            may_read.wait()
            read.append(number)
            yield page


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[kvlayer.Table]:
    """A table with 4500 rows, which are five pages."""
    monkeypatch.setattr(ahead, "_WORTH_A_THREAD", 1e-9)
    monkeypatch.setitem(backends._targets, "slow", f"{__name__}:Slow")
    with kvlayer.client({"storage_type": "slow", "app_name": "test_ahead"}) as kvl:
        kvl.setup_namespace({"t": (int,)})
        kvl.put("t", *(((number,), b"") for number in range(ROWS)))
        read.clear()
        may_read.set()
        yield kvl.table("t")
        may_read.set()
    with kvlayer.client("local://", app_name="test_ahead") as kvl:
        kvl.delete_namespace()


def until_read(pages: int) -> None:
    deadline = time.monotonic() + 30
    while len(read) < pages and time.monotonic() < deadline:
        time.sleep(0.001)
    assert read == list(range(pages))


def test_all_rows_come_in_order(table: kvlayer.Table) -> None:
    assert [key for (key,), _ in table.scan()] == list(range(ROWS))
    assert [key for (key,), _ in table.scan(reverse=True)] == list(range(ROWS))[::-1]
    assert [key for (key,), _ in table.scan(limit=3001)] == list(range(3001))
    several = [key for (key,), _ in table.scan(((5,), (2500,)), ((0,), (3,)))]
    assert several == [*range(5, 2501), *range(4)]


def test_nothing_is_read_ahead_of_the_first_page(table: kvlayer.Table) -> None:
    scan = table.scan()
    assert len(list(islice(scan, 1000))) == 1000
    time.sleep(0.02)
    assert read == [0]
    assert len(list(scan)) == ROWS - 1000


def test_the_third_page_is_read_while_the_second_one_is_dealt_with(table: kvlayer.Table) -> None:
    scan = table.scan()
    assert len(list(islice(scan, 1001))) == 1001
    until_read(3)
    time.sleep(0.02)
    assert read == [0, 1, 2]
    assert len(list(scan)) == ROWS - 1001


def test_no_thread_is_started_for_a_caller_that_hardly_works(
    table: kvlayer.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_WORTH_A_THREAD", 1000.0)
    scan = table.scan()
    for pages in range(1, 6):
        next(islice(scan, 899, None))
        time.sleep(0.01)
        assert read == list(range(pages))


def test_a_limit_is_never_passed(table: kvlayer.Table) -> None:
    scan = table.scan(limit=1500)
    assert len(list(islice(scan, 1001))) == 1001
    time.sleep(0.02)
    assert read == [0, 1]
    assert len(list(scan)) == 499


def test_an_error_comes_where_its_page_would(table: kvlayer.Table) -> None:
    scan = table.scan()
    rows = list(islice(scan, 1001))
    until_read(3)
    with kvlayer.client("local://", app_name="test_ahead") as other:
        other.delete_namespace()
    with pytest.raises(kvlayer.NoSuchTable):
        rows.extend(scan)
    assert [key for (key,), _ in rows] == list(range(3000))


def test_a_client_that_was_closed_says_so(table: kvlayer.Table) -> None:
    scan = table.scan()
    next(islice(scan, 1000, None))
    until_read(3)
    table._client.close()
    with pytest.raises(kvlayer.StorageClosed):
        list(scan)


def test_who_leaves_waits_for_the_page_that_is_being_read(table: kvlayer.Table) -> None:
    scan: Any = table.scan()
    next(islice(scan, 1000, None))
    until_read(3)
    may_read.clear()
    next(islice(scan, 1000, None))  # in the third page; the fourth is waited for
    threading.Timer(0.05, may_read.set).start()
    del scan
    assert read == [0, 1, 2, 3]
    time.sleep(0.02)
    assert read == [0, 1, 2, 3]
    assert not [thread for thread in threading.enumerate() if thread.name == "kvlayer-read"]


def test_observers_see_the_context_of_the_caller(table: kvlayer.Table) -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="nobody's")
    seen: list[tuple[str, str, int]] = []

    def observe(operation: Operation) -> None:
        seen.append((request.get(), operation.name, operation.keys))

    table._client.on_operation(observe)
    request.set("mine")
    assert sum(1 for _ in table.scan()) == ROWS
    assert seen == [("mine", "scan", ROWS)]


def test_a_child_that_is_forked_while_a_page_is_read_goes_on(table: kvlayer.Table) -> None:
    scan = table.scan()
    next(islice(scan, 1000, None))
    until_read(3)
    may_read.clear()
    begun = 1001 + sum(1 for _ in islice(scan, 1000))
    time.sleep(0.05)  # until the thread that reads the fourth page waits
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # not that of the tests' own time limit
        signal.alarm(20)
        status = 1
        try:
            may_read.set()
            status = 0 if begun + sum(1 for _ in scan) == ROWS else 2
        finally:
            os._exit(status)
    _, waited = os.waitpid(child, 0)
    may_read.set()
    assert begun + sum(1 for _ in scan) == ROWS
    assert os.waitstatus_to_exitcode(waited) == 0


def test_pages_of_nothing() -> None:
    assert list(read_ahead_of_work(iter([]))) == []
    assert list(read_ahead_of_work(iter([[1]]))) == [[1]]
