"""The ranges that a table is cut into."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer.tools.raw import RawTable
from kvlayer.tools.splitting import split

Memory = Callable[[], kvlayer.Client]
Files = Callable[[str], kvlayer.Client]


@given(
    keys=st.sets(st.binary(max_size=12), max_size=60),
    pieces=st.integers(1, 12),
    reverse=st.booleans(),
)
def test_ranges_are_the_whole_table(keys: set[bytes], pieces: int, reverse: bool) -> None:
    with kvlayer.client("local://", namespace="splitting") as client:
        client.setup_namespace({"t": (bytes,)})
        client.put_many("t", (((key,), b"") for key in keys))
        with pytest.MonkeyPatch.context() as patch:
            if not reverse:
                withdraw_reverse(client, patch)
            ranges = split(RawTable(client, "t"), pieces)
        assert 1 <= len(ranges) <= pieces
        assert ranges[0][0] == b""
        assert ranges[-1][1] is None
        assert all(stop == start for (_, stop), (start, _) in pairwise(ranges))
        assert all(start < stop for start, stop in ranges if stop is not None)
        if len(ranges) > 1:
            table = RawTable(client, "t")
            assert all(table.first_key(start, stop) is not None for start, stop in ranges)
        client.delete_namespace()


@pytest.mark.parametrize("reverse", [True, False])
def test_ranges_hold_about_as_many_rows(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    client = memory()
    client.setup_namespace({"t": (str, int)})
    client.put_many("t", ((("the same long beginning", number), b"") for number in range(100_000, 116_000)))
    if not reverse:
        withdraw_reverse(client, monkeypatch)
    table = RawTable(client, "t")
    sizes = [sum(map(len, table.keys(start, stop))) for start, stop in split(table, 16)]
    assert len(sizes) == 16
    assert max(sizes) < 2500


def withdraw_reverse(client: kvlayer.Client, patch: pytest.MonkeyPatch) -> None:
    """Makes the store one that can't scan backwards."""
    backend = client._connected()
    present = backend.capabilities
    fields = {name: getattr(present, name) for name in type(present).__slots__}
    patch.setattr(backend, "capabilities", type(present)(**{**fields, "reverse": False}), raising=False)
    scan_keys = backend.scan_keys

    def forwards(*arguments: Any, reverse: bool, limit: int | None) -> Any:
        assert not reverse
        return scan_keys(*arguments, reverse=reverse, limit=limit)

    patch.setattr(backend, "scan_keys", forwards)
