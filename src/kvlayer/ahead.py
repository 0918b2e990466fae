"""Reading ahead: the next page comes while the last one is dealt with."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from typing import Final, TypeVar

_Page = TypeVar("_Page")
_T = TypeVar("_T")

_WORTH_A_THREAD: Final = 0.001
"""Seconds of work on a page from which on a thread for the next one, some 0.1 ms of a processor, pays."""


def read_ahead(executor: Executor, pages: Iterator[_Page]) -> Generator[_Page, None, None]:
    """The pages, of which one is read ahead in a thread of the executor.

    Leaving it waits for the page that is being read, so that nothing goes on behind the caller's back.
    """
    upcoming = executor.submit(next, pages, None)
    try:
        while (page := upcoming.result()) is not None:
            upcoming = executor.submit(next, pages, None)
            yield page
    finally:
        if not upcoming.cancel():
            upcoming.exception()


def read_ahead_of_work(pages: Iterator[_Page]) -> Generator[_Page, None, None]:
    """The pages, of which one is read ahead if the work on the one before took the caller long enough.

    So the second page is never read before it is asked for, since many scans are left within the first.
    Leaving it waits as `read_ahead` does, but not in a child that was forked meanwhile, which has no thread
    that reads.
    """
    process = os.getpid()
    upcoming: Future[_Page | None] | None = None
    worked = 0.0
    try:
        while (page := next(pages, None) if upcoming is None else upcoming.result()) is not None:
            upcoming = _in_a_thread(lambda: next(pages, None)) if worked >= _WORTH_A_THREAD else None
            handed_out = time.perf_counter()
            yield page
            worked = time.perf_counter() - handed_out
    finally:
        if upcoming is not None and os.getpid() == process:
            upcoming.exception()


def _in_a_thread(function: Callable[[], _T]) -> Future[_T]:
    """What the function returns, called in a thread of its own: a pool's idle threads would be in the way of
    forks."""
    future: Future[_T] = Future()
    context = contextvars.copy_context()  # observers may look for what belongs to the caller

    def run() -> None:
        try:
            future.set_result(context.run(function))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="kvlayer-read", daemon=True).start()
    return future
