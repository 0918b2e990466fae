"""Memory stays flat: a scan, a get and a put_many hold a page or a chunk, not the table."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import kvlayer
from kvlayer.backends.base import PAGE_BYTES, Capabilities
from kvlayer.testing.model import Key
from kvlayer.testing.rules import rule
from kvlayer.testing.space import open_space
from kvlayer.testing.store import Store

LARGE_ROWS = 96
"""So many values of 1 MiB are six times what a page may hold."""


@pytest.fixture(scope="module")
def large_values(kvlayer_store: Store) -> Iterator[kvlayer.Client]:
    """A client of a table of 96 MiB."""
    with open_space(kvlayer_store) as space:
        kvl = space.client()
        kvl.setup_namespace({"t": (int,)})
        size = _large(kvl.capabilities)
        kvl.put_many("t", (((n,), bytes([n]) * size) for n in range(LARGE_ROWS)))
        yield kvl


@rule("S10")
class TestMemory:
    """S10, by what Python allocates: the bounds are generous, the tables far larger."""

    def test_a_scan_of_many_rows(self, kvl: kvlayer.Client) -> None:
        count = 10 * kvl.capabilities.page_rows
        size = min(1000, kvl.capabilities.max_value_bytes or 1000)
        kvl.setup_namespace({"t": (int,)})
        kvl.put_many("t", (((n,), b"%04d" % (n % 10_000) * (size // 4)) for n in range(count)))
        rows, peak = _peak(kvl.scan("t"))
        assert rows == count
        assert peak < count * size / 2

    def test_a_scan_of_large_values(self, large_values: kvlayer.Client) -> None:
        rows, peak = _peak(large_values.scan("t"))
        assert rows == LARGE_ROWS
        assert peak < 4 * PAGE_BYTES

    def test_scan_keys_moves_no_values(self, large_values: kvlayer.Client) -> None:
        rows, peak = _peak(large_values.scan_keys("t"))
        assert rows == LARGE_ROWS
        assert peak < PAGE_BYTES / 4

    def test_a_get_of_large_values(self, large_values: kvlayer.Client) -> None:
        keys: list[Key] = [(n,) for n in range(LARGE_ROWS)]
        rows, peak = _peak(large_values.get("t", *keys))
        assert rows == LARGE_ROWS
        assert peak < 4 * PAGE_BYTES

    def test_put_many_writes_while_it_reads(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)})
        count = 100

        def rows() -> Iterator[tuple[Key, bytes]]:
            for n in range(count):
                if n >= 30:
                    assert list(kvl.scan_keys("t", ((n - 30,), (n - 30,)))) == [(n - 30,)]
                yield (n,), b""

        assert kvl.put_many("t", rows(), batch_size=10) == count

    def test_put_many_bounds_its_batches_in_bytes(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)})
        value = b"x" * _large(kvl.capabilities)
        a_page = PAGE_BYTES // len(value) + 2

        def rows() -> Iterator[tuple[Key, bytes]]:
            for n in range(2 * a_page):
                if n >= a_page:
                    assert list(kvl.scan_keys("t", ((0,), (0,)))) == [(0,)]
                yield (n,), value

        assert kvl.put_many("t", rows(), batch_size=10**6) == 2 * a_page

    def test_put_many_of_many_rows_without_values(self, kvl: kvlayer.Client) -> None:
        """Keys count towards the bytes of a batch, too."""
        kvl.setup_namespace({"t": (int, bytes)})
        part = b"k" * min(2**20, (kvl.capabilities.max_key_bytes or 2**20) - 20)
        a_page = PAGE_BYTES // len(part) + 2

        def rows() -> Iterator[tuple[Key, bytes]]:
            for n in range(a_page + 2):
                if n >= a_page:
                    assert list(kvl.scan_keys("t", ((0,), (0,)))) == [(0, part)]
                yield (n, part), b""

        assert kvl.put_many("t", rows(), batch_size=10**6) == a_page + 2


def _large(capabilities: Capabilities) -> int:
    return min(2**20, capabilities.max_value_bytes or 2**20)


def _peak(rows: Iterable[Any]) -> tuple[int, int]:
    """How many rows there are, and the most bytes that Python held while it read them."""
    tracemalloc.start()
    try:
        return sum(1 for _ in rows), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
