"""What is reported of each call of a backend, and to whom."""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from kvlayer.backends.base import Backend, BackendTable, Capabilities, NoOptions, Row
from kvlayer.errors import BadKey, NotSupported, StorageError
from kvlayer.observe import ObservedBackend, Operation
from kvlayer.stats import Recorder

TABLE = BackendTable("cities")
COUNTERS = BackendTable("visits", "counter")


class DictBackend(Backend):
    """Dictionaries, with pages of two rows, and gets of three keys at most."""

    capabilities = Capabilities(
        durable=False,
        concurrent_processes=False,
        atomic_put=True,
        reverse=True,
        compare_and_put=True,
        atomic_increment=True,
        accumulate=False,
        atomic_increment_batch=True,
        fork_safe=True,
    )

    def __init__(
        self, options: NoOptions | None = None, app_name: str = "app", namespace: str = "ns"
    ) -> None:
        self.tables: dict[str, dict[bytes, Any]] = {}
        self.closed_pages = 0

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        for table in tables:
            self.tables.setdefault(table.name, {})

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        if any(key == b"full" for key, _ in rows):
            raise StorageError("no space left", retryable=True)
        self.tables.setdefault(table.name, {}).update(rows)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        return [self.tables[table.name].get(key) for key in keys[:3]]

    def put_in_parts(self, table: BackendTable, parts: Iterator[list[Row]]) -> None:
        for part in parts:
            self.put(table, part)

    def get_in_parts(self, table: BackendTable, parts: Iterator[list[bytes]]) -> list[bytes | None]:
        return self.get(table, [key for part in parts for key in part])

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        for key in keys:
            self.tables[table.name].pop(key, None)

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        stored = self.tables[table.name]
        for page in self.scan_keys(table, start, stop, reverse=reverse, limit=limit):
            yield [(key, stored[key]) for key in page]

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        try:
            keys = [
                key
                for key in sorted(self.tables[table.name], reverse=reverse)
                if start <= key and (stop is None or key < stop)
            ][:limit]
            for first in range(0, len(keys), 2):
                yield keys[first : first + 2]
                if b"torn" in keys[first : first + 2]:
                    raise StorageError("the connection was lost")
        finally:
            self.closed_pages += 1

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        self.tables[table.name].clear()

    def clear(self, table: BackendTable) -> None:
        self.tables[table.name].clear()

    def drop_namespace(self) -> None:
        self.tables.clear()

    def close(self) -> None:
        self.tables = {}

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        counters = self.tables.setdefault(table.name, {})
        for key, delta in deltas:
            counters[key] = counters.get(key, 0) + delta
        return [counters[key] for key, _ in deltas]

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        if self.tables[table.name].get(key) != expected:
            return False
        self.tables[table.name][key] = value
        return True

    def ping(self) -> dict[str, Any]:
        return {"version": "1"}

    def estimate_rows(self, table: BackendTable) -> int | None:
        return len(self.tables[table.name])

    def list_namespaces(self) -> list[tuple[str, str]]:
        return [("app", "ns")]


@pytest.fixture
def operations() -> list[Operation]:
    """What the observer of `store` was told."""
    return []


@pytest.fixture
def store(operations: list[Operation]) -> ObservedBackend:
    """An observed backend with three rows: a, bb and ccc."""
    backend = DictBackend()
    backend.put(TABLE, [(b"a", b"1"), (b"bb", b"22"), (b"ccc", b"")])
    return ObservedBackend(backend, operations.append)


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds one second more."""
    monkeypatch.setattr(time, "perf_counter", map(float, itertools.count()).__next__)


def scan(backend: Backend) -> Iterator[list[Row]]:
    return backend.scan(TABLE, b"", None, reverse=False, limit=None)


@pytest.mark.usefixtures("slow_clock")
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda store: store.put(TABLE, [(b"d", b"12"), (b"e", b"")]),
            Operation("put", "cities", 2, 2, 4, 1.0),
        ),
        (lambda store: store.get(TABLE, [b"bb", b"no"]), Operation("get", "cities", 2, 1, 6, 1.0)),
        (lambda store: store.get(TABLE, [b"a"] * 5), Operation("get", "cities", 3, 3, 6, 1.0)),
        # Between taking one part and the next, and at both ends: four stretches of the store's time.
        (
            lambda store: store.put_in_parts(TABLE, iter([[(b"d", b"12")], [(b"e", b""), (b"ccc", b"")]])),
            Operation("put", "cities", 3, 3, 7, 4.0),
        ),
        (
            lambda store: store.get_in_parts(TABLE, iter([[b"bb", b"no"], [b"a", b"ccc"]])),
            Operation("get", "cities", 3, 2, 8, 4.0),
        ),
        (lambda store: store.delete(TABLE, [b"bb", b"no"]), Operation("delete", "cities", 2, 0, 4, 1.0)),
        (
            lambda store: store.delete_range(TABLE, b"", None),
            Operation("delete_range", "cities", 0, 0, 0, 1.0),
        ),
        (lambda store: store.clear(TABLE), Operation("clear", "cities", 0, 0, 0, 1.0)),
        (
            lambda store: store.increment(COUNTERS, [(b"no", 3)]),
            Operation("increment", "visits", 1, 1, 2, 1.0),
        ),
        (
            lambda store: store.compare_and_put(TABLE, b"bb", b"22", b"333"),
            Operation("compare_and_put", "cities", 1, 2, 7, 1.0),
        ),
        (
            lambda store: store.compare_and_put(TABLE, b"bb", None, b"333"),
            Operation("compare_and_put", "cities", 1, 1, 5, 1.0),
        ),
        (lambda store: store.create_tables([TABLE, COUNTERS]), Operation("create_tables", "", 0, 0, 0, 1.0)),
        (lambda store: store.drop_namespace(), Operation("drop_namespace", "", 0, 0, 0, 1.0)),
    ],
)
def test_each_call_is_one_operation_and_does_what_it_did(
    store: ObservedBackend,
    operations: list[Operation],
    call: Callable[[Backend], object],
    expected: Operation,
) -> None:
    bare = DictBackend()
    bare.put(TABLE, [(b"a", b"1"), (b"bb", b"22"), (b"ccc", b"")])
    assert call(store) == call(bare)
    assert isinstance(store.backend, DictBackend)
    assert store.backend.tables == bare.tables
    assert operations == [expected]


def test_what_moves_no_data_is_passed_on_unreported(
    store: ObservedBackend, operations: list[Operation]
) -> None:
    assert store.capabilities is DictBackend.capabilities
    assert store.ping() == {"version": "1"}
    assert store.estimate_rows(TABLE) == 3
    assert store.list_namespaces() == [("app", "ns")]
    store.close()
    assert isinstance(store.backend, DictBackend)
    assert store.backend.tables == {}
    assert operations == []


def test_every_method_of_a_backend_is_observed_or_passed_on() -> None:
    methods = {
        name for name, member in vars(Backend).items() if callable(member) and not name.startswith("_")
    } - {"Options"}
    assert methods <= vars(ObservedBackend).keys()


@pytest.mark.usefixtures("slow_clock")
def test_a_failed_call_is_reported_with_its_error_and_raised(
    store: ObservedBackend, operations: list[Operation]
) -> None:
    with pytest.raises(StorageError, match="no space left"):
        store.put(TABLE, [(b"full", b"1")])
    assert operations == [Operation("put", "cities", 1, 1, 5, 1.0, "StorageError")]


def test_a_batch_whose_last_part_is_refused(store: ObservedBackend, operations: list[Operation]) -> None:
    def parts() -> Iterator[list[bytes]]:
        yield [b"a"]
        raise BadKey("no key")

    with pytest.raises(BadKey, match="no key"):
        store.get_in_parts(TABLE, parts())
    assert [(operation.name, operation.error) for operation in operations] == [("get", "BadKey")]


@pytest.mark.parametrize("takes_parts", [True, False])
def test_an_observed_backend_takes_parts_if_it_does_so_alone(
    operations: list[Operation], takes_parts: bool
) -> None:
    backend = DictBackend()
    backend.takes_parts = takes_parts
    assert ObservedBackend(backend, operations.append).takes_parts is takes_parts


def test_what_a_backend_does_not_support_stays_so(operations: list[Operation]) -> None:
    class Plain(DictBackend):
        compare_and_put = Backend.compare_and_put

    with pytest.raises(NotSupported):
        ObservedBackend(Plain(), operations.append).compare_and_put(TABLE, b"a", None, b"")
    assert operations[0].error == "NotSupported"


@pytest.mark.usefixtures("slow_clock")
def test_a_scan_is_reported_when_it_ends_and_counts_no_time_of_its_consumer(
    store: ObservedBackend, operations: list[Operation]
) -> None:
    pages = []
    for page in scan(store):
        pages.append(page)
        time.perf_counter()  # a second that is the consumer's
        assert operations == []
    assert pages == [[(b"a", b"1"), (b"bb", b"22")], [(b"ccc", b"")]]
    # The call, two pages, the end, and the closing: five looks at the store, a second each.
    assert operations == [Operation("scan", "cities", 3, 3, 9, 5.0)]


def test_a_scan_of_keys_counts_no_values(store: ObservedBackend, operations: list[Operation]) -> None:
    pages = list(store.scan_keys(TABLE, b"a", b"c", reverse=True, limit=1))
    assert pages == [[b"bb"]]
    (operation,) = operations
    assert (operation.name, operation.keys, operation.values, operation.bytes) == ("scan_keys", 1, 0, 2)


@pytest.mark.parametrize("end", ["close", "abandon"])
def test_a_scan_that_is_given_up_is_reported_once(
    store: ObservedBackend, operations: list[Operation], end: str
) -> None:
    pages = scan(store)
    next(pages)
    if end == "close":
        pages.close()  # type: ignore[attr-defined]
    del pages
    gc.collect()
    assert [(one.name, one.keys, one.error) for one in operations] == [("scan", 2, None)]


def test_closing_a_scan_closes_the_stores_pages_at_once(operations: list[Operation]) -> None:
    class Keeping(DictBackend):
        def scan_keys(self, *args: Any, **options: Any) -> Iterator[list[bytes]]:
            self.pages = super().scan_keys(*args, **options)
            return self.pages

    backend = Keeping()
    backend.put(TABLE, [(b"a", b"1")])
    pages = ObservedBackend(backend, operations.append).scan_keys(TABLE, b"", None, reverse=False, limit=None)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert backend.closed_pages == 1


def test_a_scan_that_fails_is_reported_with_what_came_before(
    store: ObservedBackend, operations: list[Operation]
) -> None:
    store.backend.put(TABLE, [(b"torn", b"")])
    with pytest.raises(StorageError, match="connection was lost"):
        list(scan(store))
    assert [(one.name, one.keys, one.error) for one in operations] == [("scan", 4, "StorageError")]


def test_a_scan_that_is_refused_at_once_is_reported(operations: list[Operation]) -> None:
    class Forward(DictBackend):
        def scan(self, *args: object, **options: object) -> Iterator[list[Row]]:
            raise NotSupported("this store can't scan backwards")

    with pytest.raises(NotSupported):
        next(scan(ObservedBackend(Forward(), operations.append)))
    assert [one.error for one in operations] == ["NotSupported"]


def test_a_forked_child_does_not_report_its_parents_scan(
    store: ObservedBackend, operations: list[Operation]
) -> None:
    pages = scan(store)
    next(pages)
    child = os.fork()
    if child == 0:
        pages.close()  # type: ignore[attr-defined]
        os._exit(len(operations))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    pages.close()  # type: ignore[attr-defined]
    assert len(operations) == 1


def test_without_observers_the_backend_stays_as_it_is() -> None:
    backend = DictBackend()
    assert Recorder().wrap(backend) is backend


def test_the_first_snapshot_is_empty_and_begins_the_counting() -> None:
    recorder = Recorder()
    backend = DictBackend()
    recorder.wrap(backend).put(TABLE, [(b"a", b"1")])
    assert recorder.snapshot() == []
    recorder.wrap(backend).put(TABLE, [(b"a", b"1")])
    assert [(one.operation, one.operations) for one in recorder.snapshot()] == [("put", 1)]


def test_wrapping_twice_counts_once() -> None:
    recorder = Recorder()
    recorder.snapshot()
    store = recorder.wrap(recorder.wrap(DictBackend()))
    store.put(TABLE, [(b"a", b"1")])
    assert recorder.snapshot()[0].operations == 1


def test_observers_get_every_operation_in_order_from_when_they_were_added() -> None:
    recorder = Recorder()
    seen: list[str] = []
    recorder.add(lambda one: seen.append(f"first: {one.name}"))
    store = recorder.wrap(DictBackend())
    store.put(TABLE, [])
    recorder.add(lambda one: seen.append(f"second: {one.name}"))
    store.get(TABLE, [])
    assert seen == ["first: put", "first: get", "second: get"]
    assert len(recorder.snapshot()) == 2


def test_an_observer_that_raises_is_logged_once_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(list[Operation]):  # not hashable
        def __call__(self, operation: Operation) -> None:
            self.append(operation)
            raise RuntimeError("the tracing service is down")

    recorder = Recorder()
    broken, seen = Broken(), list[Operation]()
    recorder.add(broken)
    recorder.add(seen.append)
    store = recorder.wrap(DictBackend())
    store.put(TABLE, [(b"a", b"1")])
    assert store.get(TABLE, [b"a"]) == [b"1"]
    with pytest.raises(StorageError):
        store.put(TABLE, [(b"full", b"1")])
    assert len(broken) == len(seen) == 3
    (record,) = caplog.records
    assert record.name == "kvlayer.stats"
    assert "tracing service is down" in caplog.text
