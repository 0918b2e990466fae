"""Calls into Java with a deadline: many of the driver's repeat for ever what its servers do not answer.

They run in threads of their own, while the caller waits where Python notices a deadline and Ctrl-C. A
call that was given up goes on in its thread until it notices, and what it says then is not heard.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import jpype

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_Outcome = tuple[Any, BaseException | None]

_MOST_IDLE: Final = 16


class DeadlinePassed(Exception):
    """A call took longer than it may; whether it has done something is not known."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")


class _Abandoned(Exception):
    """Nobody waits any more for what this thread does."""


class _Worker:
    """A thread that makes one call at a time; a daemon, lest an unanswered call hold up the exit."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[_Outcome] = SimpleQueue()
        self._java_thread: Any = None
        self.is_abandoned = False
        threading.Thread(target=self._work, name="kvlayer-accumulo", daemon=True).start()

    def start(self, call: Callable[[], Any]) -> None:
        self._calls.put(call)

    def outcome(self, seconds: float) -> _Outcome:
        """What the call returned or raised. Raises Empty."""
        return self._outcomes.get(timeout=seconds)

    def retire(self) -> None:
        """Lets the thread end once it has nothing to do."""
        self._calls.put(None)

    def abandon(self) -> None:
        """As `retire`, and tells a call that waits in Java that it is no longer needed."""
        self.is_abandoned = True
        self.retire()
        if self._java_thread is not None:
            self._java_thread.interrupt()

    def _work(self) -> None:
        _current.worker = self
        self._java_thread = jpype.java.lang.Thread.currentThread()
        while (call := self._calls.get()) is not None:
            try:
                outcome: _Outcome = call(), None
            except BaseException as error:
                outcome = None, error
            self._outcomes.put(outcome)
            del call, outcome  # or the thread would keep the batch until the next one comes
        jpype.java.lang.Thread.detach()


_idle: deque[_Worker] = deque()
_current = threading.local()


def within(seconds: float, call: Callable[[], _Result]) -> _Result:
    """What `call` returns or raises; raises DeadlinePassed once `seconds` have passed."""
    worker = _take()
    try:
        worker.start(call)
        result, error = worker.outcome(seconds)
    except Empty:
        worker.abandon()
        raise DeadlinePassed(seconds) from None
    except BaseException:  # Ctrl-C, while the call is still on its way
        worker.abandon()
        raise
    _give_back(worker)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def all_within(seconds: float, call: Callable[[_Item], Any], items: Iterable[_Item], *, at_once: int) -> None:
    """Makes the call with each item, several at once; raises what one of them raises when all have ended.

    Raises DeadlinePassed once `seconds` have passed.
    """
    deadline = time.monotonic() + seconds
    waiting = deque(items)
    running: deque[_Worker] = deque()
    errors: list[BaseException] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once and not errors:
                item = waiting.popleft()
                worker = _take()
                running.append(worker)
                worker.start(partial(call, item))
            if not running:
                break
            _, error = running[0].outcome(max(0.0, deadline - time.monotonic()))
            _give_back(running.popleft())
            if error is not None:
                errors.append(error)
    except Empty:
        raise DeadlinePassed(seconds) from None
    finally:
        for worker in running:
            worker.abandon()
    if errors:
        raise errors[0]


def check() -> None:
    """Ends a call of several steps, from inside of it, that nobody waits for any more."""
    worker = getattr(_current, "worker", None)
    if worker is not None and worker.is_abandoned:
        raise _Abandoned


def in_background(call: Callable[[], Any]) -> None:
    """Makes a call that nobody waits for, such as closing what has failed."""

    def quietly() -> None:
        with suppress(Exception):
            call()

    worker = _take()
    worker.start(quietly)
    worker.retire()


def _take() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        return _Worker()


def _give_back(worker: _Worker) -> None:
    if len(_idle) < _MOST_IDLE:
        _idle.append(worker)
    else:
        worker.retire()
