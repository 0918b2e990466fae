"""Rows in dicts of this process, with tuples as keys; no lock guards them."""

from __future__ import annotations

import math
from collections.abc import Iterable, MutableMapping
from typing import Any, ClassVar

from sortedcontainers import SortedDict

from benchmarks.alternatives.contender import Contender, Key


class PlainDict(Contender):
    """A dict."""

    name = "dict"

    def __init__(self) -> None:
        self._rows: MutableMapping[Key, bytes] = {}

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._rows[key] = value

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._rows[key] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            del self._rows[key]

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        self._rows.update(rows)

    def close(self) -> None:
        self._rows.clear()


class SortedDictOfTuples(PlainDict):
    """A dict with its keys in order."""

    name = "SortedDict"
    package: ClassVar[str | None] = "sortedcontainers"
    ordered: ClassVar[bool] = True

    def __init__(self) -> None:
        self._sorted: SortedDict[Key, bytes] = SortedDict()
        self._rows = self._sorted

    def scan(self) -> Iterable[tuple[Key, Any]]:
        return self._sorted.items()

    def range(self, name: str) -> list[tuple[Key, Any]]:
        ends: Any = (name,), (name, math.inf)
        return [(key, self._rows[key]) for key in self._sorted.irange(*ends)]
