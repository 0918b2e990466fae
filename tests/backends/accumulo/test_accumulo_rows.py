"""Rows in Accumulo: large ones, many, and their removal, by each way between Python and Java."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import jpype
import pytest

from accumulo_tables import COUNTER, FAST, PLAIN, keys_of, name_of, rows_of, splits_of
from kvlayer.backends.accumulo import AccumuloBackend, by_batch, by_row, crossing, removing
from kvlayer.backends.base import PAGE_BYTES, BackendTable


@pytest.fixture(params=[by_batch, by_row], ids=["by_batch", "by_row"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Each of the ways in which rows cross between Python and Java."""
    module: ModuleType = request.param
    monkeypatch.setattr(crossing, "way", lambda: module)
    return module


def keep_large_value(backend: AccumuloBackend, table: BackendTable, size: int) -> None:
    backend.create_tables([table])
    value = random.Random(size).randbytes(size)
    backend.put(table, [(b"large", value), (b"small", b"1")])
    assert backend.get(table, [b"large"]) == [value]
    assert rows_of(backend, table) == [(b"large", value), (b"small", b"1")]
    assert keys_of(backend, table) == [b"large", b"small"]
    if table is PLAIN:
        assert not backend.compare_and_put(table, b"large", b"other", b"")
        assert backend.compare_and_put(table, b"large", value, value[::-1])
        assert backend.get(table, [b"large"]) == [value[::-1]]


@pytest.mark.usefixtures("way")
class TestRows:
    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_writing_and_reading(self, backend: AccumuloBackend, table: BackendTable) -> None:
        backend.create_tables([table])
        rows = [
            (b"", b"empty key"),
            (b"\0", b""),
            (b"\xff\xff", bytes(range(256))),
            (b"a", b"1"),
            (b"b", b"2"),
        ]
        backend.put(table, rows)
        backend.put(table, [(b"a", b"3")])
        backend.delete(table, [b"b", b"missing"])
        expected = {**dict(rows), b"a": b"3"}
        del expected[b"b"]
        assert rows_of(backend, table) == sorted(expected.items())
        assert keys_of(backend, table) == sorted(expected)
        asked = [b"\xff\xff", b"b", b"", b"a", b"a", b"\0"]
        assert backend.get(table, asked) == [expected.get(key) for key in asked]
        assert backend.get(table, asked[:2]) == [expected[b"\xff\xff"], None]

    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_large_values(self, backend: AccumuloBackend, table: BackendTable) -> None:
        keep_large_value(backend, table, 5_000_000)

    def test_answers_stay_small(self, backend: AccumuloBackend) -> None:
        backend.create_tables([PLAIN])
        value = bytes(2**20)
        keys = [b"%03d" % number for number in range(40)]
        for key in keys:
            backend.put(PLAIN, [(key, value)])
        found = backend.get(PLAIN, [*keys, b"missing"])
        assert len(found) in range(1, PAGE_BYTES // len(value) + 2)
        assert found == [value] * len(found)
        for page in backend.scan(PLAIN, b"", None, reverse=False, limit=None):
            assert len(page) <= PAGE_BYTES // len(value) + 1

    def test_counters_of_many_keys(self, backend: AccumuloBackend) -> None:
        backend.create_tables([COUNTER])
        deltas = [(b"%05d" % number, number * 10**30) for number in range(2500)]
        assert backend.increment(COUNTER, deltas) == [delta for _, delta in deltas]
        assert backend.increment(COUNTER, deltas[::-1]) == [2 * delta for _, delta in deltas[::-1]]


class TestMuch:
    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_very_large_values(self, backend: AccumuloBackend, table: BackendTable) -> None:
        keep_large_value(backend, table, 50_000_000)

    def test_a_hundred_thousand(self, backend: AccumuloBackend) -> None:
        table = BackendTable("many", incarnation="1", options={"splits": [b"025", b"05", b"075"]})
        backend.create_tables([table])
        rows = [(b"%06d" % number, b"%d" % number) for number in range(100_000)]
        shuffled = rows[:]
        random.Random(5).shuffle(shuffled)
        backend.put(table, shuffled[:60_000])
        for first in range(60_000, len(rows), 1000):
            backend.put(table, shuffled[first : first + 1000])
        assert rows_of(backend, table) == rows
        some = shuffled[:1000]
        assert backend.get(table, [key for key, _ in some]) == [value for _, value in some]
        part = backend.scan_keys(table, b"05", b"0501", reverse=False, limit=None)
        assert [key for page in part for key in page] == [key for key, _ in rows[50_000:50_100]]
        backend.delete(table, [key for key, _ in rows[::2]])
        assert keys_of(backend, table) == [key for key, _ in rows[1::2]]

    def test_splits_under_a_scan(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        backend.create_tables([PLAIN])
        rows = [(b"%04d" % number, b"%d" % number) for number in range(5000)]
        backend.put(PLAIN, rows)
        seen = []
        for number, page in enumerate(backend.scan(PLAIN, b"", None, reverse=False, limit=None)):
            seen += page
            points = jpype.java.util.TreeSet()
            points.add(crossing.text(b"%04d" % (number * 500)))
            points.add(crossing.text(b"%04d" % (len(seen) + 200)))
            points.add(crossing.text(page[-1][0]))
            administrator.tableOperations().addSplits(name_of(PLAIN, app_name), points)
        assert seen == rows
        assert len(splits_of(administrator, PLAIN, app_name)) > 5
        assert rows_of(backend, PLAIN) == rows


class TestRemoving:
    """Ranges of so many rows that files are removed: the bounds of Accumulo's `deleteRows` are other ones."""

    @pytest.fixture(autouse=True)
    def _a_few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(removing, "_MANY", 3)

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (b"b", b"d"),
            (b"b", b"d\0"),
            (b"b\0", b"d\0\0"),
            (b"", b"c"),
            (b"c", None),
            (b"b5", b"d5"),
            (b"b", b"b\xff"),
            (b"b9", b"b9\0"),
        ],
    )
    def test_bounds(self, backend: AccumuloBackend, start: bytes, stop: bytes | None) -> None:
        table = BackendTable("t", incarnation="1", options={"splits": [b"b5", b"c", b"d"]})
        backend.create_tables([table])
        ends = [b"", b"\0", b"\0\0", b"\xff", b"\xff" * 20, b"~"]
        keys = [
            letter + end
            for letter in (b"a", b"b", b"c", b"d")
            for end in [*ends, *map(b"%d".__mod__, range(10))]
        ]
        keys += [b"c" + b"\xff" * 15, b"c" + b"\xff" * 16, b"c" + b"\xff" * 16 + b"\0"]
        backend.put(table, [(key, key) for key in keys])
        backend.delete_range(table, start, stop)
        left = [key for key in sorted(keys) if key < start or (stop is not None and key >= stop)]
        assert rows_of(backend, table) == [(key, key) for key in left]
        backend.put(table, [(b"c1", b"new")])
        assert backend.get(table, [b"c1"]) == [b"new"]

    def test_a_table_stays_divided(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        splits = [b"%02d" % number for number in range(10, 90, 10)]
        table = BackendTable("t", incarnation="1", options={"splits": splits})
        backend.create_tables([table])
        rows = [(b"%02d" % number, b"") for number in range(100)]
        backend.put(table, rows)
        backend.delete_range(table, b"15", b"85")
        assert rows_of(backend, table) == rows[:15] + rows[85:]
        assert set(splits) <= set(splits_of(administrator, table, app_name))
        backend.put(table, rows)
        backend.clear(table)
        assert rows_of(backend, table) == []
        assert set(splits) <= set(splits_of(administrator, table, app_name))
        backend.put(table, rows)
        assert rows_of(backend, table) == rows
