"""What a way of keeping rows is asked to do, so that it can be compared with others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias

Key: TypeAlias = tuple[str, int]
"""A name of letters, and a number."""


def as_text(key: Key) -> str:
    """A key as people write it for stores whose keys are strings. It sorts as the tuple does, as long as
    names are ASCII letters and numbers have at most eight digits."""
    return f"{key[0]}/{key[1]:08d}"


def as_key(text: str) -> Key:
    """The inverse of `as_text`."""
    name, _, number = text.partition("/")
    return name, int(number)


class Contender(ABC):
    """One store with an empty table and no counters, used as its documentation shows.

    It takes and answers keys as tuples; making of them what the store takes, and back, is part of its
    work. What a class doesn't override, its store can't do: a call (or a transaction) for many rows at
    once, rows in the order of keys, a range that doesn't look at all other rows, counters that no other
    user of the store can upset.
    """

    name: str
    package: ClassVar[str | None] = None
    """The distribution it comes from; None: Python's own library."""

    ordered: ClassVar[bool] = False
    """Whether a scan answers in key order."""

    def can(self, operation: str) -> bool:
        """Whether the store can do what the method of this name is to do."""
        return getattr(type(self), operation) is not getattr(Contender, operation)

    @abstractmethod
    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        """Writes rows one by one, each as safe as the store makes it before the next one."""

    @abstractmethod
    def get_each(self, keys: list[Key]) -> list[Any]:
        """The values of keys that are there, asked for one by one."""

    @abstractmethod
    def delete_each(self, keys: list[Key]) -> None:
        """Removes rows one by one."""

    @abstractmethod
    def close(self) -> None:
        """Frees what is held."""

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        """Writes a batch."""
        raise NotImplementedError

    def get(self, keys: list[Key]) -> list[Any]:
        """The values of a batch of keys, in their order."""
        raise NotImplementedError

    def delete(self, keys: list[Key]) -> None:
        """Removes a batch."""
        raise NotImplementedError

    def scan(self) -> Iterable[tuple[Key, Any]]:
        """All rows in key order."""
        raise NotImplementedError

    def range(self, name: str) -> list[tuple[Key, Any]]:
        """The rows whose keys begin with the name, in key order."""
        raise NotImplementedError

    def increment(self, keys: list[Key]) -> list[Any]:
        """Adds 1 to each of a batch of counters; their new values."""
        raise NotImplementedError

    def increment_each(self, keys: list[Key]) -> list[Any]:
        """Adds 1 to counters one by one; their new values."""
        raise NotImplementedError
