"""Tables of more rows than a page holds, and of more bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import kvlayer
from kvlayer.backends.base import PAGE_BYTES
from kvlayer.testing.model import Key, Range, expected_keys
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space, open_space
from kvlayer.testing.store import Store


@dataclass(frozen=True)
class Paged:
    """A table of two pages and a bit, which the tests only read."""

    kvl: kvlayer.Client
    page: int
    keys: list[Key]

    def value(self, key: Key) -> bytes:
        return repr(key).encode()


@pytest.fixture(scope="module")
def paged(kvlayer_store: Store) -> Iterator[Paged]:
    """Filled once for all tests that only read."""
    with open_space(kvlayer_store) as space:
        kvl = space.client()
        kvl.setup_namespace({"t": (str, int)})
        page = kvl.capabilities.page_rows
        keys: list[Key] = [(letter, n) for letter in "ab" for n in range(page + 7)]
        paged = Paged(kvl, page, keys)
        kvl.put("t", *((key, paged.value(key)) for key in keys))
        yield paged


@rule("S10")
@needs("ordered")
class TestPaging:
    """S1 to S5 hold across the borders of pages and chunks (S10)."""

    def test_a_scan_crosses_pages(self, paged: Paged) -> None:
        assert list(paged.kvl.scan_keys("t")) == paged.keys
        assert list(paged.kvl.scan("t")) == [(key, paged.value(key)) for key in paged.keys]

    @needs("reverse")
    def test_a_scan_crosses_pages_backwards(self, paged: Paged) -> None:
        assert list(paged.kvl.scan_keys("t", reverse=True)) == paged.keys[::-1]
        assert [key for key, _ in paged.kvl.scan("t", reverse=True)] == paged.keys[::-1]

    @rule("S2")
    def test_limits_around_a_page(self, paged: Paged) -> None:
        for limit in (1, paged.page - 1, paged.page, paged.page + 1, 2 * paged.page, 10 * paged.page):
            assert list(paged.kvl.scan_keys("t", limit=limit)) == paged.keys[:limit]
            assert [key for key, _ in paged.kvl.scan("t", limit=limit)] == paged.keys[:limit]

    @rule("S2")
    def test_ranges_that_end_with_a_page(self, paged: Paged) -> None:
        """The first has exactly a page of rows, the last exactly two."""
        page, keys = paged.page, paged.keys
        for size in (page, page - 1, page + 1, 2 * page):
            range_: Range = (keys[0], keys[size - 1])
            assert list(paged.kvl.scan_keys("t", range_)) == keys[:size]
            assert list(paged.kvl.scan("t", range_, range_)) == [(k, paged.value(k)) for k in keys[:size] * 2]

    @rule("S2")
    def test_several_ranges_and_a_limit(self, paged: Paged) -> None:
        page = paged.page
        ranges: list[Range] = [(("b",), None), (("a", 3), ("a", page)), (None, ("a", 0))]
        for limit in (None, page, page + 7, page + 8, 2 * page + 4):
            expected = expected_keys(paged.keys, ranges, limit=limit)
            assert list(paged.kvl.scan_keys("t", *ranges, limit=limit)) == expected

    @rule("S2")
    def test_after_around_a_page(self, paged: Paged) -> None:
        for position in (0, paged.page - 1, paged.page, paged.page + 7, len(paged.keys) - 1):
            after = paged.keys[position]
            assert list(paged.kvl.scan_keys("t", after=after)) == paged.keys[position + 1 :]

    @rule("S2")
    def test_a_table_read_by_limit_and_after(self, paged: Paged) -> None:
        found: list[Key] = []
        while part := list(paged.kvl.scan_keys("t", limit=333, after=found[-1] if found else None)):
            found += part
        assert found == paged.keys

    @rule("S4")
    def test_get_of_more_than_a_page(self, paged: Paged) -> None:
        asked = [*paged.keys[::-1], ("missing", 0), *paged.keys[:10]]
        expected = [(key, None if key[0] == "missing" else paged.value(key)) for key in asked]
        assert list(paged.kvl.get("t", *asked)) == expected

    def test_delete_of_more_than_a_page(self, kvl: kvlayer.Client) -> None:
        keys = _fill(kvl, 2 * kvl.capabilities.page_rows + 3)
        kvl.delete("t", *keys[1:-1])
        assert list(kvl.scan_keys("t")) == [keys[0], keys[-1]]

    def test_delete_range_of_more_than_a_page(self, kvl: kvlayer.Client) -> None:
        keys = _fill(kvl, 2 * kvl.capabilities.page_rows + 3)
        kvl.delete_range("t", (keys[1], keys[-2]))
        assert list(kvl.scan_keys("t")) == [keys[0], keys[-1]]

    def test_clear_of_more_than_a_page(self, kvl: kvlayer.Client) -> None:
        keys = _fill(kvl, 2 * kvl.capabilities.page_rows + 3)
        kvl.clear_table("t")
        assert list(kvl.scan_keys("t")) == []
        assert [value for _, value in kvl.get("t", *keys[::100])] == [None] * len(keys[::100])

    def test_a_page_that_was_deleted_does_not_end_a_scan(self, kvl: kvlayer.Client) -> None:
        """A store that leaves marks of deleted rows behind must look past a page of them."""
        page = kvl.capabilities.page_rows
        keys = _fill(kvl, 2 * page + 3)
        kvl.delete("t", *keys[1 : page + 2])
        assert list(kvl.scan_keys("t")) == [keys[0], *keys[page + 2 :]]
        assert [key for key, _ in kvl.scan("t", limit=2)] == [keys[0], keys[page + 2]]

    def test_rows_that_pass_the_bytes_of_a_page(self, space: Space) -> None:
        kvl = space.client()
        size = min(2**20, kvl.capabilities.max_value_bytes or 2**20)
        count = min(PAGE_BYTES // size + 8, 4 * kvl.capabilities.page_rows)
        rows: list[tuple[Key, Any]] = [((n,), bytes([n % 251]) * size) for n in range(count)]
        kvl.setup_namespace({"t": (int,)})
        assert kvl.put_many("t", iter(rows)) == count
        assert list(kvl.scan("t")) == rows
        assert list(kvl.get("t", *(key for key, _ in rows[::-1]))) == rows[::-1]
        assert list(kvl.scan("t", limit=count - 1)) == rows[:-1]
        assert list(kvl.scan_keys("t")) == [key for key, _ in rows]
        if kvl.capabilities.reverse:
            assert list(kvl.scan("t", reverse=True)) == rows[::-1]

    def test_one_put_that_passes_the_bytes_of_a_page(self, kvl: kvlayer.Client) -> None:
        size = min(2**20, kvl.capabilities.max_value_bytes or 2**20)
        rows: list[tuple[Key, Any]] = [((n,), b"%04d" % n + b"x" * (size - 4)) for n in range(20)]
        kvl.setup_namespace({"t": (int,)})
        kvl.put("t", *rows)
        assert list(kvl.scan("t")) == rows


def _fill(kvl: kvlayer.Client, count: int) -> list[Key]:
    kvl.setup_namespace({"t": (int,)})
    keys: list[Key] = [(n,) for n in range(count)]
    kvl.put("t", *((key, b"value") for key in keys))
    return keys
