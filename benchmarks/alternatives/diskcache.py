"""`diskcache.Cache`: an SQLite file in WAL mode that isn't synced at each commit, with keys as text.

Its keys come in order, but nothing asks for some of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import diskcache

from benchmarks.alternatives.contender import Contender, Key, as_key, as_text


class DiskCache(Contender):
    """A cache that evicts nothing."""

    name = "diskcache"
    package: ClassVar[str | None] = "diskcache"
    ordered: ClassVar[bool] = True

    def __init__(self, folder: str) -> None:
        self._rows = diskcache.Cache(f"{folder}/rows", eviction_policy="none")
        self._counters = diskcache.Cache(f"{folder}/counters", eviction_policy="none")

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._rows[as_text(key)] = value

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._rows[as_text(key)] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            del self._rows[as_text(key)]

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        with self._rows.transact():
            self.put_each(rows)

    def delete(self, keys: list[Key]) -> None:
        with self._rows.transact():
            self.delete_each(keys)

    def scan(self) -> Iterable[tuple[Key, Any]]:
        return ((as_key(text), self._rows[text]) for text in self._rows.iterkeys())

    def increment(self, keys: list[Key]) -> list[Any]:
        with self._counters.transact():
            return self.increment_each(keys)

    def increment_each(self, keys: list[Key]) -> list[Any]:
        return [self._counters.incr(as_text(key)) for key in keys]

    def close(self) -> None:
        self._rows.close()
        self._counters.close()
