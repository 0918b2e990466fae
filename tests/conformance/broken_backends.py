"""Backends with one fault each, of kinds that real stores and layers have had.

test_faults_are_found.py runs the conformance suite on each of them, and the suite must notice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kvlayer.backends.base import BackendTable, Row
from kvlayer.backends.local import LocalBackend
from kvlayer.backends.sqlite import SQLiteBackend
from kvlayer.catalog import CATALOG

Pages = Iterator[list[Row]]


class IncludesStop(LocalBackend):
    """A scan gives the row at which it should stop."""

    def scan(self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any) -> Pages:
        return super().scan(table, start, None if stop is None else stop + b"\0", **how)


class ResumesByPosition(LocalBackend):
    """The next page is found by counting rows."""

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Pages:
        given = 0
        while limit is None or given < limit:
            rows = [
                row for page in super().scan(table, start, stop, reverse=reverse, limit=limit) for row in page
            ]
            page = rows[given : given + 1000]
            if not page:
                return
            yield page
            given += len(page)


class EndsAfterAPage(LocalBackend):
    """A scan ends after its first page."""

    def scan(self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any) -> Pages:
        for page in super().scan(table, start, stop, **how):
            yield page
            return


class IgnoresTheLimitOfKeys(LocalBackend):
    """Keys come a whole page at a time."""

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        return super().scan_keys(table, start, stop, reverse=reverse, limit=None)


class ReversesPagesOnly(LocalBackend):
    """Backwards, the rows of a page come forwards."""

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Pages:
        for page in super().scan(table, start, stop, reverse=reverse, limit=limit):
            yield sorted(page)


class IgnoresCase(LocalBackend):
    """Rows of a page are in the order of a collation."""

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any
    ) -> Iterator[list[bytes]]:
        for page in super().scan_keys(table, start, stop, **how):
            yield sorted(page, key=bytes.lower, reverse=how["reverse"])


class EmptyIsMissing(LocalBackend):
    """An empty value is taken for none."""

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        return [value or None for value in super().get(table, keys)]


class AnswersInItsOwnOrder(LocalBackend):
    """`get` answers in key order; except of the catalogue, without which no test would begin."""

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        return super().get(table, keys if table == CATALOG else sorted(keys))


class CountsInFloats(LocalBackend):
    """Large counters lose their last digits."""

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        if table.kind == "counter":
            deltas = [(key, int(float(delta))) for key, delta in deltas]
        return super().increment(table, deltas)


class Saturates(LocalBackend):
    """Counters stop at 64 bits in silence, as if nothing had happened."""

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        totals = super().increment(table, deltas)
        if table.kind == "counter":
            totals = [max(-(2**63), min(total, 2**63 - 1)) for total in totals]
            self.put(table, [(key, b"%d" % total) for (key, _), total in zip(deltas, totals, strict=True)])
        return totals


class AddsWithoutALock(LocalBackend):
    """Another client may write between the reading and the writing of a counter."""

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        keys = [key for key, _ in deltas]
        stored = self.get(table, keys)
        time.sleep(0.0002)
        total = [int(value or 0) + delta for value, (_, delta) in zip(stored, deltas, strict=True)]
        self.put(table, [(key, b"%d" % value) for key, value in zip(keys, total, strict=True)])
        return total


class ComparesThenPuts(LocalBackend):
    """Another client may write between the comparison and the writing."""

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        (stored,) = self.get(table, [key])
        time.sleep(0.0002)
        if stored != expected:
            return False
        if value is None:
            self.delete(table, [key])
        else:
            self.put(table, [(key, value)])
        return True


class NamesRunTogether(LocalBackend):
    """App name and namespace are joined by a character that both may hold."""

    def __init__(self, options: Any, app_name: str, namespace: str) -> None:
        super().__init__(options, f"{app_name}_{namespace}", "")


class NamesAreCut(LocalBackend):
    """Long names are shortened."""

    def create_tables(self, tables: Any) -> None:
        super().create_tables([self._cut(table) for table in tables])

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(self._cut(table), rows)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        return super().get(self._cut(table), keys)

    def scan(self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any) -> Pages:
        return super().scan(self._cut(table), start, stop, **how)

    @staticmethod
    def _cut(table: BackendTable) -> BackendTable:
        return replace(table, name=table.name[:63], incarnation="")


class IgnoresIncarnations(LocalBackend):
    """A table made anew is the old one to those who knew that."""

    def create_tables(self, tables: Any) -> None:
        super().create_tables([replace(table, incarnation="") for table in tables])

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(replace(table, incarnation=""), rows)

    def scan(self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any) -> Pages:
        return super().scan(replace(table, incarnation=""), start, stop, **how)


class KeepsRowsOfDroppedNamespaces(LocalBackend):
    """`drop_namespace` empties the catalogue and leaves the tables."""

    def drop_namespace(self) -> None:
        self.clear(CATALOG)


class RemembersWhatItRead(LocalBackend):
    """Values are cached in each client."""

    def __init__(self, options: Any, app_name: str, namespace: str) -> None:
        super().__init__(options, app_name, namespace)
        self._cache: dict[tuple[BackendTable, bytes], bytes | None] = {}

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        for key, value in zip(keys, super().get(table, keys), strict=True):
            self._cache.setdefault((table, key), value)
        return [self._cache[table, key] for key in keys]

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(table, rows)
        self._cache.update({(table, key): value for key, value in rows})


class ReadsAllAtOnce(SQLiteBackend):
    """A scan collects the whole table first."""

    def scan(self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any) -> Pages:
        yield from list(super().scan(table, start, stop, **how))


class MovesValuesForKeys(SQLiteBackend):
    """`scan_keys` reads whole rows."""

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, **how: Any
    ) -> Iterator[list[bytes]]:
        for page in super().scan(table, start, stop, **how):
            yield [key for key, _ in page]


class TearsBatches(SQLiteBackend):
    """A batch is written in two transactions."""

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(table, rows[::2])
        time.sleep(0.001)
        super().put(table, rows[1::2])


class AcknowledgesTooEarly(SQLiteBackend):
    """A batch is kept in memory until the next one comes."""

    _waiting: tuple[BackendTable, list[Row]] | None = None

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        if self._waiting is not None:
            super().put(*self._waiting)
        self._waiting = (table, rows)


class DeclaresATooLongKey(LocalBackend):
    """Keys beyond 1000 bytes lose their end."""

    capabilities = replace(LocalBackend.capabilities, max_key_bytes=2000)

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(table, [(key[:1000], value) for key, value in rows])
