"""The store in this process's memory: for tests, caches, and programs that keep nothing.

All clients of the process share it; it ends with the process. A forked child goes on with a copy
of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar, TypeAlias, TypeVar

from sortedcontainers import SortedDict

from kvlayer.backends.base import Backend, BackendTable, Capabilities, Row
from kvlayer.errors import NoSuchTable
from kvlayer.values import add

# A page holds references to what is in memory anyway, so only its rows are bounded, not its bytes.
_PAGE_ROWS = 1000

_Rows: TypeAlias = "SortedDict[bytes, bytes]"
_Item = TypeVar("_Item", Row, bytes)

# One lock for all: under the GIL a finer one would gain nothing.
_lock = threading.Lock()

# By app name and namespace. One that is dropped is emptied and stays, for its clients hold on to it.
_namespaces: dict[tuple[str, str], dict[BackendTable, _Rows]] = {}

# A fork waits until no other thread is in the middle of a change, so the child's copy is whole.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class LocalBackend(Backend):
    """Tables as sorted dicts: a lookup costs O(1), an insert or the start of a range O(log n)."""

    app_name_required: ClassVar[bool] = False

    capabilities = Capabilities(
        durable=False,
        concurrent_processes=False,
        atomic_put=True,
        reverse=True,
        compare_and_put=True,
        atomic_increment=True,
        accumulate=True,
        atomic_increment_batch=True,
        fork_safe=True,
        page_rows=_PAGE_ROWS,
    )

    def __init__(self, options: Any, app_name: str, namespace: str) -> None:
        with _lock:
            self._tables = _namespaces.setdefault((app_name, namespace), {})

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        with _lock:
            for table in tables:
                self._tables.setdefault(table, SortedDict())

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        with _lock:
            _write(self._rows(table), rows)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        with _lock:
            return list(map(self._rows(table).get, keys))

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        with _lock:
            rows = self._rows(table)
            for key in keys:
                rows.pop(key, None)

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        def page_of(rows: _Rows, keys: list[bytes]) -> list[Row]:
            return list(zip(keys, map(rows.__getitem__, keys), strict=True))

        return self._pages(table, start, stop, reverse, limit, page_of)

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        return self._pages(table, start, stop, reverse, limit, lambda rows, keys: keys)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        with _lock:
            rows = self._rows(table)
            for key in list(rows.irange(start, stop, inclusive=(True, False))):
                del rows[key]

    def clear(self, table: BackendTable) -> None:
        with _lock:
            self._rows(table).clear()

    def drop_namespace(self) -> None:
        with _lock:
            self._tables.clear()

    def close(self) -> None:
        """Nothing to free: the memory belongs to the process."""

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        with _lock:
            rows = self._rows(table)
            sums = add(table, [rows.get(key) for key, _ in deltas], [delta for _, delta in deltas])
            _write(rows, [(key, text) for (key, _), (_, text) in zip(deltas, sums, strict=True)])
        return [total for total, _ in sums]

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        with _lock:
            rows = self._rows(table)
            if rows.get(key) != expected:
                return False
            if value is not None:
                rows[key] = value
            else:
                rows.pop(key, None)
            return True

    def estimate_rows(self, table: BackendTable) -> int | None:
        with _lock:
            return len(self._rows(table))

    def list_namespaces(self) -> list[tuple[str, str]]:
        with _lock:
            return sorted(names for names, tables in _namespaces.items() if tables)

    def _rows(self, table: BackendTable) -> _Rows:
        try:
            return self._tables[table]
        except KeyError:
            raise NoSuchTable(f"table {table.name!r} is not in memory") from None

    def _pages(
        self,
        table: BackendTable,
        start: bytes,
        stop: bytes | None,
        reverse: bool,
        limit: int | None,
        page_of: Callable[[_Rows, list[bytes]], list[_Item]],
    ) -> Iterator[list[_Item]]:
        includes_start = True
        while limit is None or limit > 0:
            size = _PAGE_ROWS if limit is None else min(limit, _PAGE_ROWS)
            with _lock:
                rows = self._rows(table)
                if stop is not None and start >= stop:
                    return
                between = rows.irange(start, stop, (includes_start, False), reverse=reverse)
                keys = list(islice(between, size))
                page = page_of(rows, keys)
            if keys:
                yield page
            if len(keys) < size:
                return
            if limit is not None:
                limit -= size
            if reverse:
                stop = keys[-1]
            else:
                start, includes_start = keys[-1], False


def _write(present: _Rows, rows: list[Row]) -> None:
    if len(rows) == 1:  # what `update` prepares pays from some rows on
        ((key, value),) = rows
        present[key] = value
    else:
        present.update(rows)
