"""The `local` backend against a `sortedcontainers.SortedDict` that holds encoded keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar

from sortedcontainers import SortedDict

from benchmarks.harness import Comparison, Contender
from benchmarks.stores.through_kvlayer import ThroughKvlayer


class BareSortedDict(Contender):
    """A sorted dict, with no lock, no checks and no pages."""

    takes_encoded: ClassVar[bool] = True

    def __init__(self) -> None:
        self._rows: SortedDict[bytes, bytes] = SortedDict()

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        self._rows.update(rows)

    def get(self, keys: list[Any]) -> list[Any]:
        return list(map(self._rows.get, keys))

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        rows = self._rows
        return zip(rows.irange(), map(rows.__getitem__, rows.irange()), strict=True)

    def scan_keys(self) -> Iterable[Any]:
        return self._rows.irange()

    def delete(self, keys: list[Any]) -> None:
        for key in keys:
            self._rows.pop(key, None)

    def close(self) -> None:
        self._rows.clear()


@contextmanager
def _opened() -> Iterator[tuple[Contender, Contender]]:
    with closing(ThroughKvlayer("local://")) as ours, closing(BareSortedDict()) as bare:
        yield ours, bare


COMPARISON = Comparison(
    store="local",
    baseline="sortedcontainers.SortedDict",
    targets={"put": 0.5, "get": 0.1, "scan": 0.25},
    open=_opened,
)
