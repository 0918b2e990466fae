"""The rules of docs/semantics.md, and how a test says which of them it proves and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

RULES: Final = {
    "S1": "Ranges",
    "S2": "Open, empty and several ranges",
    "S3": "Key order",
    "S4": "get",
    "S5": "Repeated keys and empty calls",
    "S6": "Validation before writing",
    "S7": "Visibility",
    "S8": "All or nothing",
    "S9": "Scans and concurrent writes",
    "S10": "Bounded memory",
    "S11": "Counters",
    "S12": "Isolation and names",
    "S13": "Closing",
    "S14": "The catalogue",
    "S15": "Threads, forks and pickling",
    "S16": "Compare and put",
}

_Test = TypeVar("_Test", bound=Callable[..., Any])


def rule(*names: str) -> Callable[[_Test], _Test]:
    """Names the rules that a test, or a class of tests, proves."""
    unknown = set(names) - set(RULES)
    if unknown or not names:
        raise ValueError(f"no such rule: {sorted(unknown)}")
    return _noting("kvlayer_rules", names)


def needs(*capabilities: str) -> Callable[[_Test], _Test]:
    """Skips a test, or a class of tests, where a store does not declare one of these."""
    return _noting("kvlayer_needs", capabilities)


def lacks(*capabilities: str) -> Callable[[_Test], _Test]:
    """Skips a test where a store declares one of these: it proves what happens without."""
    return _noting("kvlayer_lacks", capabilities)


def noted(test: object, note: str) -> tuple[str, ...]:
    """What `rule` ("kvlayer_rules"), `needs` or `lacks` have noted on a test or class."""
    names: tuple[str, ...] = getattr(test, note, ())
    return names


def _noting(note: str, names: tuple[str, ...]) -> Callable[[_Test], _Test]:
    def decorate(test: _Test) -> _Test:
        setattr(test, note, (*noted(test, note), *names))
        return test

    return decorate
