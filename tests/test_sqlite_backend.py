"""The sqlite backend on one file, called as the client calls it: with bytes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, BackendTable
from kvlayer.backends.sqlite import SQLiteBackend, connections, database
from kvlayer.backends.sqlite.statements import TableStatements
from kvlayer.errors import (
    BadKey,
    ConfigurationError,
    NoSuchTable,
    SerializationError,
    StorageClosed,
    StorageError,
)

Opener = Callable[..., SQLiteBackend]

PLAIN = BackendTable("plain", incarnation="1")
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
ACCUMULATOR = BackendTable("accumulator", kind="accumulator", incarnation="1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    """Opens backends on one file, and closes them after the test."""
    backends: list[SQLiteBackend] = []

    def open_backend(app_name: str = "app", namespace: str = "ns", **options: Any) -> SQLiteBackend:
        backend = SQLiteBackend(SQLiteBackend.Options(filename=str(path), **options), app_name, namespace)
        backends.append(backend)
        return backend

    yield open_backend
    for backend in backends:
        backend.close()


@pytest.fixture
def backend(opened: Opener) -> SQLiteBackend:
    backend = opened()
    backend.create_tables([PLAIN, COUNTER, ACCUMULATOR])
    return backend


def scanned(
    backend: SQLiteBackend,
    start: bytes = b"",
    stop: bytes | None = None,
    *,
    reverse: bool = False,
    limit: int | None = None,
    table: BackendTable = PLAIN,
) -> list[tuple[bytes, bytes]]:
    pages = list(backend.scan(table, start, stop, reverse=reverse, limit=limit))
    rows = [row for page in pages for row in page]
    assert all(pages), "an empty page"
    keys = [
        key for page in backend.scan_keys(table, start, stop, reverse=reverse, limit=limit) for key in page
    ]
    assert keys == [key for key, _ in rows]
    return rows


def bare(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


class TestReadingAndWriting:
    def test_every_byte_in_keys_and_values(self, backend: SQLiteBackend) -> None:
        rows = [(bytes([byte]), bytes([byte]) * 3) for byte in range(256)]
        rows += [(b"", b"empty key"), (b"empty value", b""), (b"\0\0", b"\0"), (b"\xff\xff", b"\xff")]
        backend.put(PLAIN, rows[::-1])
        assert scanned(backend) == sorted(rows)
        assert backend.get(PLAIN, [key for key, _ in rows]) == [value for _, value in rows]

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 1000, 1024, 1025, 3000])
    def test_get_answers_in_the_order_asked(self, backend: SQLiteBackend, count: int) -> None:
        stored = {b"%d" % number: b"v%d" % number for number in range(0, 4000, 2)}
        backend.put(PLAIN, list(stored.items()))
        keys = [b"%d" % (number * 7919 % 4000) for number in range(count)]
        assert backend.get(PLAIN, keys) == [stored.get(key) for key in keys]
        assert backend.get(PLAIN, keys + keys) == [stored.get(key) for key in keys + keys]

    def test_get_stops_at_the_bytes_of_a_page(self, backend: SQLiteBackend) -> None:
        big = bytes(PAGE_BYTES // 4)
        keys = [b"%d" % number for number in range(10)]
        backend.put(PLAIN, [(key, key + big) for key in keys])
        asked = [b"missing", *keys[::-1], *keys]
        answers: list[bytes | None] = []
        calls = 0
        while len(answers) < len(asked):
            part = backend.get(PLAIN, asked[len(answers) :])
            assert 0 < sum(len(value or b"") for value in part) <= PAGE_BYTES + len(big) + 1
            answers += part
            calls += 1
        assert calls == 5
        assert answers == [None if key == b"missing" else key + big for key in asked]

    def test_get_of_very_many_keys_stops_at_the_bytes_of_a_page(self, backend: SQLiteBackend) -> None:
        keys = [b"%04d" % number for number in range(4000)]
        backend.put(PLAIN, [(key, key * 2500) for key in keys])
        answers = backend.get(PLAIN, keys)
        assert PAGE_BYTES <= sum(len(value or b"") for value in answers) < PAGE_BYTES + 10_000
        assert answers == [key * 2500 for key in keys[: len(answers)]]

    def test_put_replaces(self, backend: SQLiteBackend) -> None:
        backend.put(PLAIN, [(b"a", b"1"), (b"b", b"1")])
        backend.put(PLAIN, [(b"b", b"2"), (b"c", b"2")])
        assert scanned(backend) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"2")]

    def test_delete(self, backend: SQLiteBackend) -> None:
        backend.put(PLAIN, [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")])
        backend.delete(PLAIN, [b"c", b"nothing", b"a"])
        assert scanned(backend) == [(b"b", b"1")]

    def test_nothing_to_do_is_fine(self, backend: SQLiteBackend) -> None:
        backend.put(PLAIN, [])
        backend.delete(PLAIN, [])
        backend.create_tables([])
        assert backend.get(PLAIN, []) == []
        assert backend.increment(COUNTER, []) == []
        assert scanned(backend) == []

    def test_the_longest_key_and_value_declared_fit_into_one_row(self, backend: SQLiteBackend) -> None:
        limit = 10**9
        declared = SQLiteBackend.capabilities
        assert declared.max_key_bytes is not None
        assert declared.max_value_bytes is not None
        assert 0.99 * limit < declared.max_key_bytes + declared.max_value_bytes <= limit
        with closing(sqlite3.connect(":memory:")) as connection:
            # The same proportions at a hundredth of the size: what SQLite adds to a row stays the same.
            room = limit - declared.max_key_bytes - declared.max_value_bytes
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit // 100)
            connection.execute("CREATE TABLE t (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)")
            key = declared.max_key_bytes // 100
            connection.execute(
                "INSERT INTO t VALUES (zeroblob(?), zeroblob(?))", (key, limit // 100 - key - room)
            )


class TestScans:
    @pytest.fixture(autouse=True)
    def rows(self, backend: SQLiteBackend) -> list[tuple[bytes, bytes]]:
        rows = [(b"%05d" % number, b"%d" % number) for number in range(0, 5 * PAGE_ROWS, 2)]
        backend.put(PLAIN, rows)
        return rows

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("limit", [None, 1, 999, 1000, 1001, 2500, 9999])
    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (b"", None),
            (b"00100", b"03000"),
            (b"00101", b"02999"),
            (b"00100", None),
            (b"", b"00100"),
            (b"00100", b"00101"),
            (b"00101", b"00102"),
            (b"9", b"1"),
        ],
    )
    def test_ranges(
        self,
        backend: SQLiteBackend,
        rows: list[tuple[bytes, bytes]],
        start: bytes,
        stop: bytes | None,
        reverse: bool,
        limit: int | None,
    ) -> None:
        expected = [row for row in rows if start <= row[0] and (stop is None or row[0] < stop)]
        expected = expected[::-1] if reverse else expected
        assert scanned(backend, start, stop, reverse=reverse, limit=limit) == expected[:limit]

    def test_pages_are_bounded_in_rows(self, backend: SQLiteBackend) -> None:
        pages = list(backend.scan(PLAIN, b"", None, reverse=False, limit=None))
        assert [len(page) for page in pages] == [1000, 1000, 500]

    @pytest.mark.parametrize("reverse", [False, True])
    def test_pages_are_bounded_in_bytes(self, backend: SQLiteBackend, reverse: bool) -> None:
        big = bytes(PAGE_BYTES // 3)
        backend.clear(PLAIN)
        backend.put(PLAIN, [(b"%d" % number, big) for number in range(8)])
        pages = list(backend.scan(PLAIN, b"", None, reverse=reverse, limit=7))
        assert [len(page) for page in pages] == [3, 3, 1]

    def test_pages_of_keys_are_bounded_in_bytes(self, backend: SQLiteBackend) -> None:
        big = bytes(PAGE_BYTES // 3)
        backend.clear(PLAIN)
        backend.put(PLAIN, [(big + b"%d" % number, b"") for number in range(5)])
        pages = list(backend.scan_keys(PLAIN, b"", None, reverse=False, limit=None))
        assert [len(page) for page in pages] == [3, 2]

    @pytest.mark.parametrize("reverse", [False, True])
    def test_rows_that_nobody_touches_come_once_whatever_is_written(
        self, backend: SQLiteBackend, opened: Opener, rows: list[tuple[bytes, bytes]], reverse: bool
    ) -> None:
        writer = opened()
        seen: list[bytes] = []
        for page in backend.scan(PLAIN, b"", None, reverse=reverse, limit=None):
            seen += [key for key, _ in page]
            last = page[-1][0]
            # The row where the next page begins goes, and rows appear on both sides of it.
            writer.delete(PLAIN, [last])
            writer.put(PLAIN, [(last + b"-", b"new"), (last[:-1], b"new"), (b"/" + last, b"new")])
        untouched = {key for key, _ in rows}
        assert {key for key in seen if key in untouched} == untouched
        assert all((a > b) if reverse else (a < b) for a, b in pairwise(seen))

    def test_an_abandoned_scan_holds_nothing(self, backend: SQLiteBackend, opened: Opener) -> None:
        pages = backend.scan(PLAIN, b"", None, reverse=False, limit=None)
        next(pages)
        opened(busy_timeout=0).drop_namespace()
        with pytest.raises(NoSuchTable, match="'plain'"):
            next(pages)

    @pytest.mark.parametrize("bounded", [False, True])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_plans(self, path: Path, reverse: bool, bounded: bool) -> None:
        """A scan seeks in the index; one of keys reads nothing else."""
        statements = TableStatements(1)
        with bare(path) as connection:

            def plan(columns: str) -> list[str]:
                text = statements.scan(columns, bounded=bounded, reverse=reverse)
                parameters = (b"a", b"b", 10) if bounded else (b"a", 10)
                return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]

            seek = "(k>? AND k<?)" if bounded else "(k>?)"
            assert plan("k") == [f"SEARCH kv_1 USING COVERING INDEX sqlite_autoindex_kv_1_1 {seek}"]
            assert plan("k, v") == [f"SEARCH kv_1 USING INDEX sqlite_autoindex_kv_1_1 {seek}"]


class TestRemovingManyRows:
    def test_delete_range(self, backend: SQLiteBackend) -> None:
        rows = [(b"%d" % number, b"") for number in range(10)]
        backend.put(PLAIN, rows)
        backend.delete_range(PLAIN, b"3", b"5")
        assert scanned(backend) == rows[:3] + rows[5:]
        backend.delete_range(PLAIN, b"7", None)
        assert scanned(backend) == rows[:3] + rows[5:7]
        backend.delete_range(PLAIN, b"5", b"2")
        assert scanned(backend) == rows[:3] + rows[5:7]

    def test_clear(self, backend: SQLiteBackend) -> None:
        other = BackendTable("other")
        backend.create_tables([other])
        backend.put(PLAIN, [(b"a", b"1")])
        backend.put(other, [(b"a", b"1")])
        backend.clear(PLAIN)
        assert scanned(backend) == []
        assert scanned(backend, table=other) == [(b"a", b"1")]


class TestCursors:
    def test_none_outlives_the_use_of_its_connection(
        self, backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would reset a statement in the midst of another thread's use of it, which then fails."""
        answers: list[object] = []
        read = connections.ConnectionPool.read

        def noting(pool: connections.ConnectionPool, action: Any, **options: Any) -> Any:
            answers.append(read(pool, action, **options))
            return answers[-1]

        monkeypatch.setattr(connections.ConnectionPool, "read", noting)
        backend.put(PLAIN, [(b"a", b"1")])
        backend.put(PLAIN, [(b"a", b"1"), (b"b", b"2")])
        backend.get(PLAIN, [b"a"])
        backend.increment(COUNTER, [(b"a", 1)])
        backend.increment(COUNTER, [(b"a", 1), (b"b", 1)])
        backend.compare_and_put(PLAIN, b"a", b"1", b"3")
        backend.delete(PLAIN, [b"a"])
        backend.delete(PLAIN, [b"a", b"b"])
        backend.delete_range(PLAIN, b"a", None)
        backend.delete_range(PLAIN, b"a", b"b")
        backend.clear(PLAIN)
        backend.drop_namespace()
        assert len(answers) == 12
        assert not [answer for answer in answers if isinstance(answer, sqlite3.Cursor)]


class TestNumbers:
    def test_ints_of_any_size(self, backend: SQLiteBackend) -> None:
        assert backend.increment(COUNTER, [(b"a", 2**63), (b"b", -5), (b"zero", 0)]) == [2**63, -5, 0]
        assert backend.increment(COUNTER, [(b"b", 3), (b"a", 1 - 2**200)]) == [-2, 2**63 + 1 - 2**200]
        assert scanned(backend, table=COUNTER) == [
            (b"a", b"%d" % (2**63 + 1 - 2**200)),
            (b"b", b"-2"),
            (b"zero", b"0"),
        ]

    @pytest.mark.parametrize("edge", [0, 10**16, 10**17, 2**53, 2**63, 10**18, 10**40])
    def test_one_counter_where_sqlite_may_add_or_may_not(self, backend: SQLiteBackend, edge: int) -> None:
        numbers = [sign * (edge + offset) for sign in (1, -1) for offset in (-1, 0, 1)]
        for before, delta in product(numbers, numbers):
            backend.put(COUNTER, [(b"a", b"%d" % before)])
            assert backend.increment(COUNTER, [(b"a", delta)]) == [before + delta]
            assert backend.get(COUNTER, [b"a"]) == [b"%d" % (before + delta)]
            assert backend.increment(COUNTER, [(b"new", delta)]) == [delta]
            backend.delete(COUNTER, [b"new"])

    @pytest.mark.parametrize("damaged", [b"", b"no number", b"1.5", b"0x10", b"1e3", b"\xff"])
    def test_one_counter_that_is_none(self, backend: SQLiteBackend, damaged: bytes) -> None:
        backend.put(COUNTER, [(b"a", damaged)])
        with pytest.raises(SerializationError):
            backend.increment(COUNTER, [(b"a", 1)])
        assert backend.get(COUNTER, [b"a"]) == [damaged]

    def test_floats_add_as_python_does(self, backend: SQLiteBackend) -> None:
        total = 0.0
        for delta in (0.1, 0.2, 1e300, -1e300, 5e-324):
            total += delta
            assert backend.increment(ACCUMULATOR, [(b"a", delta)]) == [total]

    def test_a_batch_is_all_or_nothing(self, backend: SQLiteBackend) -> None:
        backend.put(COUNTER, [(b"b", b"no number"), (b"c", b"9" * 4300)])
        with pytest.raises(SerializationError):
            backend.increment(COUNTER, [(b"a", 1), (b"b", 1)])
        with pytest.raises(BadKey, match="4300"):
            backend.increment(COUNTER, [(b"a", 1), (b"c", 1)])
        assert backend.get(COUNTER, [b"a"]) == [None]
        assert backend.increment(COUNTER, [(b"a", 1)]) == [1]

    def test_threads_add_exactly(self, backend: SQLiteBackend, opened: Opener) -> None:
        other = opened()

        def work(client: SQLiteBackend) -> None:
            for _ in range(50):
                client.increment(COUNTER, [(b"a", 1), (b"b", 2)])

        run_in_threads([partial(work, client) for client in (backend, other) * 2])
        assert backend.get(COUNTER, [b"a", b"b"]) == [b"200", b"400"]


class TestCompareAndPut:
    def test_every_case(self, backend: SQLiteBackend) -> None:
        swap = backend.compare_and_put
        assert not swap(PLAIN, b"k", b"", b"1")
        assert swap(PLAIN, b"k", None, None)
        assert swap(PLAIN, b"k", None, b"")
        assert not swap(PLAIN, b"k", None, b"1")
        assert swap(PLAIN, b"k", b"", b"1")
        assert not swap(PLAIN, b"k", b"2", None)
        assert backend.get(PLAIN, [b"k"]) == [b"1"]
        assert swap(PLAIN, b"k", b"1", None)
        assert backend.get(PLAIN, [b"k"]) == [None]

    def test_one_of_many_threads_wins(self, backend: SQLiteBackend) -> None:
        won: list[int] = []

        def try_all(thread: int) -> None:
            mine = b"%d" % thread
            won.extend(n for n in range(50) if backend.compare_and_put(PLAIN, b"%d" % n, None, mine))

        run_in_threads([partial(try_all, thread) for thread in range(4)])
        assert sorted(won) == list(range(50))


def run_in_threads(functions: Sequence[Callable[[], None]]) -> None:
    """Runs all at once; raises the first exception of any."""
    raised: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


class TestTablesAndNamespaces:
    def test_names_may_be_anything(self, opened: Opener) -> None:
        names = [
            "t",
            "T",
            "ß",
            "ss",
            "a_b",
            'x"; DROP TABLE kvlayer_tables; --',
            "nul\0",
            "\U0010ffff",
            "kv_1",
        ]
        tables = [BackendTable(name) for name in names]
        pairs = [(app_name, namespace) for app_name in ("a", "a_b", "A") for namespace in ("c", "b_c", "'")]
        for app_name, namespace in pairs:
            backend = opened(app_name, namespace)
            backend.create_tables(tables)
            for table in tables:
                backend.put(table, [(b"k", f"{app_name} {namespace} {table.name}".encode())])
        for app_name, namespace in pairs:
            for table in tables:
                assert scanned(opened(app_name, namespace), table=table) == [
                    (b"k", f"{app_name} {namespace} {table.name}".encode())
                ]
        assert opened().list_namespaces() == sorted(pairs)

    def test_creating_again_keeps_the_rows(self, backend: SQLiteBackend) -> None:
        backend.put(PLAIN, [(b"a", b"1")])
        backend.create_tables([BackendTable("new"), PLAIN])
        assert scanned(backend) == [(b"a", b"1")]

    def test_a_table_that_is_not_there(self, backend: SQLiteBackend) -> None:
        nowhere = BackendTable("nowhere")
        operations: list[Callable[[], object]] = [
            lambda: backend.put(nowhere, [(b"a", b"1")]),
            lambda: backend.get(nowhere, [b"a"]),
            lambda: backend.delete(nowhere, [b"a"]),
            lambda: list(backend.scan(nowhere, b"", None, reverse=False, limit=None)),
            lambda: list(backend.scan_keys(nowhere, b"", None, reverse=False, limit=None)),
            lambda: backend.delete_range(nowhere, b"", None),
            lambda: backend.clear(nowhere),
            lambda: backend.increment(nowhere, [(b"a", 1)]),
            lambda: backend.compare_and_put(nowhere, b"a", None, b"1"),
            lambda: backend.estimate_rows(nowhere),
        ]
        for operation in operations:
            with pytest.raises(NoSuchTable, match="'nowhere'"):
                operation()

    def test_who_holds_a_dropped_table_does_not_write_into_its_successor(
        self, backend: SQLiteBackend, opened: Opener
    ) -> None:
        backend.put(PLAIN, [(b"a", b"1")])
        other = opened()
        other.drop_namespace()
        successor = BackendTable("plain", incarnation="2")
        other.create_tables([successor])
        with pytest.raises(NoSuchTable):
            backend.put(PLAIN, [(b"b", b"2")])
        assert scanned(backend, table=successor) == []

    def test_a_table_made_anew_in_the_same_incarnation_is_found(
        self, backend: SQLiteBackend, opened: Opener
    ) -> None:
        backend.put(PLAIN, [(b"a", b"1")])
        other = opened()
        other.drop_namespace()
        other.create_tables([PLAIN])
        assert scanned(backend) == []
        other.drop_namespace()
        other.create_tables([PLAIN])
        backend.put(PLAIN, [(b"b", b"2")])
        assert scanned(other) == [(b"b", b"2")]

    def test_numbers_of_tables_are_never_given_twice(self, backend: SQLiteBackend, path: Path) -> None:
        backend.drop_namespace()
        backend.drop_namespace()
        assert backend.list_namespaces() == []
        backend.create_tables([PLAIN])
        with bare(path) as connection:
            names = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
        assert sorted(names) == ["kv_4", "kvlayer_tables", "sqlite_sequence"]

    def test_dropping_one_namespace_leaves_others(self, backend: SQLiteBackend, opened: Opener) -> None:
        other = opened("app", "other")
        other.create_tables([PLAIN])
        other.put(PLAIN, [(b"a", b"1")])
        backend.drop_namespace()
        assert scanned(other) == [(b"a", b"1")]
        assert other.list_namespaces() == [("app", "other")]


class TestFacts:
    def test_ping(self, backend: SQLiteBackend, path: Path) -> None:
        facts = backend.ping()
        assert facts["version"] == sqlite3.sqlite_version
        assert facts["file"] == str(path)
        assert facts["journal_mode"] == "wal"
        assert facts["size_bytes"] + facts["log_bytes"] > 4096

    def test_estimate_rows(self, backend: SQLiteBackend) -> None:
        assert backend.estimate_rows(PLAIN) == 0
        rows = [(b"%d" % number, b"") for number in range(20_000)]
        backend.put(PLAIN, rows[:900])
        backend.put(PLAIN, rows[:900])
        assert backend.estimate_rows(PLAIN) == 900
        backend.put(PLAIN, rows)
        assert backend.estimate_rows(PLAIN) == 20_000
        backend.delete(PLAIN, [key for key, _ in rows[1:-1:2]])
        # 1000 samples of one half: 8 standard deviations are 13 % of the table.
        assert backend.estimate_rows(PLAIN) == pytest.approx(10_000, rel=0.26)

    def test_settings(self, opened: Opener, path: Path) -> None:
        """The file is in WAL mode and marked as kvlayer's."""
        opened()
        with bare(path) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA application_id").fetchone() == (0x6B766C79,)
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)


class TestLog:
    """The write-ahead log does not grow without end, whatever readers do."""

    LIMIT = 200_000

    @pytest.fixture(autouse=True)
    def tries(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """A low limit; the outcome of each try to begin the log anew."""
        tries: list[bool] = []
        restart_log = database.Database.restart_log

        def counted(self: database.Database, connection: sqlite3.Connection) -> bool:
            tries.append(restart_log(self, connection))
            return tries[-1]

        monkeypatch.setattr(database.Database, "restart_log", counted)
        monkeypatch.setattr(database, "LOG_BYTES", self.LIMIT)
        monkeypatch.setattr(connections, "LOG_BYTES", self.LIMIT)
        monkeypatch.setattr(connections, "_LOOK_AT_LOG_SECONDS", 0)
        monkeypatch.setattr(database, "_CHECKPOINT_MILLISECONDS", 1)
        return tries

    def test_it_is_bounded(self, opened: Opener, tries: list[bool]) -> None:
        backend = opened()
        backend.create_tables([PLAIN])
        rows = [(b"%d" % number, bytes(1000)) for number in range(50)]
        for _ in range(50):
            backend.put(PLAIN, [(key, os.urandom(1000)) for key, _ in rows])
            assert backend.ping()["log_bytes"] < self.LIMIT + 100_000
        assert tries
        assert all(tries)

    def test_a_reader_that_does_not_end_costs_few_tries(
        self, opened: Opener, path: Path, tries: list[bool]
    ) -> None:
        backend = opened()
        backend.create_tables([PLAIN])

        def write() -> int:
            for _ in range(40):
                backend.put(PLAIN, [(b"%d" % number, os.urandom(1000)) for number in range(50)])
            size: int = backend.ping()["log_bytes"]
            return size

        with bare(path) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM kvlayer_tables").fetchall()
            long = write()
        assert long > 10 * self.LIMIT
        assert not any(tries)
        assert len(tries) < 20
        for _ in range(3):
            short = write()
        assert short < 2 * self.LIMIT


class TestClosing:
    def test_operations_of_a_closed_backend(self, path: Path) -> None:
        backend = SQLiteBackend(SQLiteBackend.Options(filename=str(path)), "app", "ns")
        backend.create_tables([PLAIN])
        backend.put(PLAIN, [(b"%d" % number, b"") for number in range(PAGE_ROWS + 1)])
        pages = backend.scan(PLAIN, b"", None, reverse=False, limit=None)
        next(pages)
        backend.close()
        for operation in (backend.ping, lambda: next(pages), lambda: backend.put(PLAIN, [(b"a", b"")])):
            with pytest.raises(StorageClosed):
                operation()

    def test_the_last_one_leaves_one_file(self, path: Path) -> None:
        backend = SQLiteBackend(SQLiteBackend.Options(filename=str(path)), "app", "ns")
        backend.create_tables([PLAIN])
        backend.close()
        assert os.listdir(path.parent) == [path.name]


class TestOptions:
    def test_defaults(self) -> None:
        options = msgspec.convert({"filename": "data.db"}, SQLiteBackend.Options)
        assert msgspec.structs.asdict(options) == {
            "filename": "data.db",
            "synchronous": "FULL",
            "busy_timeout": 30.0,
        }

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"synchronous": "OFF"}, {"busy_timeout": -1}, {"busy_timeout": "soon"}],
    )
    def test_wrong_ones(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"filename": "data.db"} | wrong if wrong else {}, SQLiteBackend.Options)

    @pytest.mark.parametrize("filename", ["", ":memory:", "nul\0", "sqlite:///data.db", "."])
    def test_what_is_no_file(self, filename: str) -> None:
        with pytest.raises(msgspec.ValidationError, match="filename"):
            msgspec.convert({"filename": filename}, SQLiteBackend.Options)

    def test_memory_is_another_storage_type(self) -> None:
        with pytest.raises(ValueError, match="storage_type: local"):
            SQLiteBackend.Options(filename=":memory:")

    def test_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        SQLiteBackend(SQLiteBackend.Options(filename="~/home.db"), "app", "ns").close()
        assert (tmp_path / "home.db").exists()

    @pytest.mark.parametrize(
        "name", ["a b?mode=memory#x%20.db", "file:data.db", "ü.db", "\udcff.db", "~none.db"]
    )
    def test_any_file_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.chdir(tmp_path)
        SQLiteBackend(SQLiteBackend.Options(filename=name), "app", "ns").close()
        assert os.listdir(tmp_path) == [name]

    def test_a_relative_name_survives_a_change_of_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with closing(SQLiteBackend(SQLiteBackend.Options(filename="data.db"), "app", "ns")) as backend:
            monkeypatch.chdir("/")
            backend.create_tables([PLAIN])
            run_in_threads([partial(backend.put, PLAIN, [(b"%d" % thread, b"")]) for thread in range(3)])
        assert os.listdir(tmp_path) == ["data.db"]

    @pytest.mark.parametrize(
        ("url", "filename"),
        [
            ("sqlite:///relative.db", "relative.db"),
            ("sqlite:///folder/relative.db", "folder/relative.db"),
            ("sqlite:////var/absolute.db", "/var/absolute.db"),
            ("sqlite:///~/home.db", "~/home.db"),
            ("sqlite:///a%20b%23c%3F.db?busy_timeout=3", "a b#c?.db"),
            ("sqlite:///%FF.db", "\udcff.db"),
        ],
    )
    def test_urls(self, url: str, filename: str) -> None:
        assert SQLiteBackend.options_from_url(urlsplit(url)) == {"filename": filename}

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://host/data.db",
            "sqlite://user:hunter2@host:1/data.db",
            "sqlite://",
            "sqlite:///",
            "sqlite:data.db",
            "sqlite:///a#b.db",
        ],
    )
    def test_urls_that_name_no_file(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="URL") as raised:
            SQLiteBackend.options_from_url(urlsplit(url))
        assert "hunter2" not in str(raised.value)


def test_a_newer_format_is_refused(path: Path, opened: Opener) -> None:
    opened().close()
    with bare(path) as connection:
        connection.execute("PRAGMA user_version=2")
    with pytest.raises(StorageError, match="newer kvlayer"):
        opened()
