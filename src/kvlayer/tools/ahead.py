"""Overlaps reading and writing: the next page comes while the last one is dealt with."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Executor
from typing import TypeVar

_Page = TypeVar("_Page")


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
