"""The calls that a client makes to its store, as `Operation` records for statistics and tracing.

An `ObservedBackend` stands before a backend and reports each call to one observer;
`kvlayer.stats.Recorder` is the observer that hands them on to all others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from kvlayer.backends.base import Backend, BackendTable, Row

_Page = TypeVar("_Page", bound=Sequence[Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a backend: what it moved, how long the store took, and how it ended."""

    name: str
    """put, get, delete, scan, scan_keys, delete_range, clear, increment, compare_and_put,
    create_tables or drop_namespace."""
    table: str
    """The table's name; empty where a call is not about one table."""
    keys: int = 0
    """Keys sent, or answered by a get or a scan. Rows that delete_range or clear removes are not known."""
    values: int = 0
    """Values sent or found."""
    bytes: int = 0
    """Encoded keys and values that were sent, answered or found; not what the driver adds to them."""
    seconds: float = 0.0
    """Time spent in the backend; that of a scan's consumer between pages is not counted."""
    error: str | None = None
    """Name of the type of the exception that ended the call."""


Observer: TypeAlias = Callable[[Operation], object]
"""Is called with each operation once it has ended, in the thread that ended it."""


class ObservedBackend(Backend):
    """A backend that reports each call to another one.

    A scan is one operation. It begins when its first page is asked for, and is reported when its
    pages end, fail, or are closed; a scan of which no page was asked is not reported. `ping`,
    `estimate_rows` and `list_namespaces` are passed on unreported.
    """

    def __init__(self, backend: Backend, observer: Observer) -> None:
        """The observer must not raise: `Recorder` is one that shields operations from its own."""
        self.backend = backend
        self.capabilities = backend.capabilities
        self.takes_parts = backend.takes_parts
        self.reads_ahead = backend.reads_ahead
        self._observer = observer

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        with self._call("create_tables", None) as call, call.stopwatch:
            self.backend.create_tables(tables)

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        with self._call("put", table) as call:
            call.add_rows(rows)
            with call.stopwatch:
                self.backend.put(table, rows)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        with self._call("get", table) as call:
            with call.stopwatch:
                answer = self.backend.get(table, keys)
            call.add_keys(keys[: len(answer)])
            call.add_values([value for value in answer if value is not None])
        return answer

    def put_in_parts(self, table: BackendTable, parts: Iterator[list[Row]]) -> None:
        with self._call("put", table) as call, call.stopwatch:
            self.backend.put_in_parts(table, call.taken(parts, call.add_rows))

    def get_in_parts(self, table: BackendTable, parts: Iterator[list[bytes]]) -> list[bytes | None]:
        with self._call("get", table) as call:
            keys: list[bytes] = []
            with call.stopwatch:
                answer = self.backend.get_in_parts(table, call.taken(parts, keys.extend))
            call.add_keys(keys[: len(answer)])
            call.add_values([value for value in answer if value is not None])
        return answer

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        with self._call("delete", table) as call:
            call.add_keys(keys)
            with call.stopwatch:
                self.backend.delete(table, keys)

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        call = self._call("scan", table)
        return _observed(
            call, lambda: self.backend.scan(table, start, stop, reverse=reverse, limit=limit), call.add_rows
        )

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        call = self._call("scan_keys", table)
        return _observed(
            call,
            lambda: self.backend.scan_keys(table, start, stop, reverse=reverse, limit=limit),
            call.add_keys,
        )

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        with self._call("delete_range", table) as call, call.stopwatch:
            self.backend.delete_range(table, start, stop)

    def clear(self, table: BackendTable) -> None:
        with self._call("clear", table) as call, call.stopwatch:
            self.backend.clear(table)

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        with self._call("increment", table) as call:
            call.add_keys([key for key, _ in deltas])
            call.values = len(deltas)
            with call.stopwatch:
                return self.backend.increment(table, deltas)

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        with self._call("compare_and_put", table) as call:
            call.add_keys([key])
            call.add_values([sent for sent in (expected, value) if sent is not None])
            with call.stopwatch:
                return self.backend.compare_and_put(table, key, expected, value)

    def drop_namespace(self) -> None:
        with self._call("drop_namespace", None) as call, call.stopwatch:
            self.backend.drop_namespace()

    def ping(self) -> dict[str, Any]:
        return self.backend.ping()

    def estimate_rows(self, table: BackendTable) -> int | None:
        return self.backend.estimate_rows(table)

    def list_namespaces(self) -> list[tuple[str, str]]:
        return self.backend.list_namespaces()

    def close(self) -> None:
        self.backend.close()

    def _call(self, name: str, table: BackendTable | None) -> _Call:
        return _Call(self._observer, name, "" if table is None else table.name)


class _Stopwatch:
    """Adds up the seconds spent inside of its `with` blocks."""

    __slots__ = ("_started", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started


class _Call:
    """One call under observation: collects its figures, and reports them at the end of its `with` block."""

    __slots__ = ("_name", "_observer", "_process", "_table", "bytes", "keys", "stopwatch", "values")

    def __init__(self, observer: Observer, name: str, table: str) -> None:
        self._observer = observer
        self._name = name
        self._table = table
        self._process = os.getpid()
        self.stopwatch = _Stopwatch()
        self.keys = self.values = self.bytes = 0

    def add_keys(self, keys: Sequence[bytes]) -> None:
        self.keys += len(keys)
        self.bytes += sum(map(len, keys))

    def add_values(self, values: Sequence[bytes]) -> None:
        self.values += len(values)
        self.bytes += sum(map(len, values))

    def add_rows(self, rows: Sequence[Row]) -> None:
        self.keys += len(rows)
        self.values += len(rows)
        self.bytes += sum([len(key) + len(value) for key, value in rows])

    def taken(self, parts: Iterator[_Page], count: Callable[[_Page], None]) -> Iterator[_Page]:
        """The parts of a batch, counted; the time that it takes to encode them is not the store's."""
        while True:
            started = time.perf_counter()
            part = next(parts, None)
            if part is not None:
                count(part)
            self.stopwatch.seconds -= time.perf_counter() - started
            if part is None:
                return
            yield part

    def __enter__(self) -> _Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A child that was forked in the middle of a scan ends its copy of that scan: the parent's matter.
        if os.getpid() == self._process:
            name = None if kind is None or kind is GeneratorExit else kind.__name__
            seconds = self.stopwatch.seconds
            self._observer(
                Operation(self._name, self._table, self.keys, self.values, self.bytes, seconds, name)
            )


def _observed(
    call: _Call, scan: Callable[[], Iterator[_Page]], count: Callable[[_Page], None]
) -> Generator[_Page, None, None]:
    """The pages of a scan, whose figures go to the call."""
    with call:
        with call.stopwatch:
            pages = scan()
        try:
            while True:
                with call.stopwatch:
                    page = next(pages, None)
                if page is None:
                    return
                count(page)
                yield page
        finally:
            if isinstance(pages, Generator):
                with call.stopwatch:
                    pages.close()
