"""Repeating what a broken connection interrupted, with back-off, within a configured time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

_Result = TypeVar("_Result")

# Quick enough for a connection that was merely idle too long, patient enough for a fail-over.
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 2.0


def repeating(operation: Callable[[], _Result], on: tuple[type[Exception], ...], within: float) -> _Result:
    """The result of an operation that may be done twice, repeated as long as it raises one of `on`.

    Waits between the attempts, longer each time and at random. Once `within` seconds have passed
    the last error is raised; with 0 the first one is.
    """
    try:
        return operation()  # nearly always; tenacity costs as much as a small request
    except on:
        if within <= 0:
            raise
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(on),
        wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
        stop=tenacity.stop_after_delay(within),
        reraise=True,
    )(operation)
