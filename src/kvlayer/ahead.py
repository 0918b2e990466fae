"""Reading ahead: the next page comes while the last one is dealt with."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

_Page = TypeVar("_Page")

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
    Leaving it waits as `read_ahead` does; a child that was forked meanwhile has no thread to wait for.
    """
    reader: _Reader[_Page] | None = None
    worked = 0.0
    try:
        while (page := next(pages, None) if reader is None else reader.page()) is not None:
            reader = _Reader(pages) if worked >= _WORTH_A_THREAD else None
            handed_out = time.perf_counter()
            yield page
            worked = time.perf_counter() - handed_out
    finally:
        if reader is not None:
            reader.join()


class _Reader(threading.Thread, Generic[_Page]):
    """Reads one page in a thread of its own: a pool's idle threads would be in the way of forks."""

    def __init__(self, pages: Iterator[_Page]) -> None:
        super().__init__(name="kvlayer-read", daemon=True)
        self._pages = pages
        self._caller = contextvars.copy_context()  # observers may look for what belongs to the caller
        self._page: _Page | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._page = self._caller.run(next, self._pages, None)
        except BaseException as error:
            self._error = error

    def page(self) -> _Page | None:
        """What was read: None behind the last page. Raises what reading raised."""
        self.join()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._page
