"""Tables are counted, measured and compared as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer import tools
from kvlayer.tools import comparing
from kvlayer.tools.raw import RawTable
from tools.contents import fill, many

Memory = Callable[[], kvlayer.Client]


def test_count(memory: Memory) -> None:
    client = memory()
    many(client, 3500)
    seen: list[tools.Progress] = []
    assert tools.count(client, "many", progress=seen.append) == 3500
    assert seen[-1] == tools.Progress("many", 3500, 3500 * 8, 3500)
    assert tools.count(client, "many", ((10,), (19,))) == 10
    assert tools.count(client, "many", ((19,), (10,))) == 0
    with pytest.raises(kvlayer.NoSuchTable):
        tools.count(client, "nowhere")
    with pytest.raises(kvlayer.BadKey):
        tools.count(client, "many", (("a",), None))


@given(st.lists(st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(0, 30)), max_size=5))
def test_ranges_that_overlap_count_once(ends: list[tuple[int | None, int | None]]) -> None:
    with kvlayer.client("local://", namespace="overlap") as client:
        many(client, 31)
        ranges: list[Any] = [
            (None if start is None else (start,), None if end is None else (end,)) for start, end in ends
        ]
        expected = len(set(client.scan_keys("many", *ranges)))
        assert tools.count(client, "many", *ranges) == expected
        assert tools.measure(client, "many", *ranges).rows == expected


def test_measure(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (str, int)})
    pairs = [((f"p{n % 13:02}" if n % 5 else "large", n), b"x" * (n % 70)) for n in range(4000)]
    client.put_many("t", pairs)
    found = tools.measure(client, "t")
    keys = {key: len(RawTable(client, "t").encode(key, b"")[0]) for key, _ in pairs}
    rows: Counter[str] = Counter(key[0] for key, _ in pairs)
    size: Counter[str] = Counter()
    for key, value in pairs:
        size[key[0]] += keys[key] + len(value)
    assert (found.rows, found.key_bytes) == (4000, sum(keys.values()))
    assert found.value_bytes == sum(len(value) for _, value in pairs)
    assert found.key_sizes == {16: 4000}
    expected = {0: range(1), 1: range(1, 2), 2: range(2, 3), 4: range(3, 5), 8: range(5, 9), 16: range(9, 17)}
    expected |= {32: range(17, 33), 64: range(33, 65), 128: range(65, 70)}
    assert found.value_sizes == {
        end: sum(len(value) in lengths for _, value in pairs) for end, lengths in expected.items()
    }
    assert list(found.value_sizes) == sorted(found.value_sizes)
    assert [prefix.rows for prefix in found.prefixes_by_rows] == [n for _, n in rows.most_common(10)]
    assert [prefix.bytes for prefix in found.prefixes_by_bytes] == [n for _, n in size.most_common(10)]
    for prefix in found.prefixes_by_rows + found.prefixes_by_bytes:
        assert (prefix.rows, prefix.bytes) == (rows[prefix.part], size[prefix.part])
    assert found.prefixes_by_rows[0].part == "large"


def test_measure_tables_of_all_types(memory: Memory) -> None:
    client = memory()
    fill(client)
    for info in client.tables():
        found = tools.measure(client, info.name)
        assert found.rows == len(list(client.scan(info.name))) == sum(found.key_sizes.values())
        assert bool(found.prefixes_by_rows) == bool(found.rows)


def differences(a: dict[bytes, bytes], b: dict[bytes, bytes]) -> list[tuple[bytes, str]]:
    return [
        (key, "missing" if key not in b else "unexpected" if key not in a else "different")
        for key in sorted(a | b)
        if a.get(key) != b.get(key)
    ]


contents = st.dictionaries(st.binary(max_size=2), st.sampled_from([b"", b"x", b"y"]), max_size=30)


@given(a=contents, b=contents, pages=st.tuples(st.integers(1, 7), st.integers(1, 7)))
def test_pages_side_by_side(a: dict[bytes, bytes], b: dict[bytes, bytes], pages: tuple[int, int]) -> None:
    """Whatever the sizes of pages, both sides of a step lie between the same keys."""

    def paged(rows: dict[bytes, bytes], size: int) -> list[list[tuple[bytes, bytes]]]:
        in_order = sorted(rows.items())
        return [in_order[start : start + size] for start in range(0, len(in_order), size)]

    steps = list(comparing._side_by_side(iter(paged(a, pages[0])), iter(paged(b, pages[1]))))
    assert [row for ours, _ in steps for row in ours] == sorted(a.items())
    assert [row for _, theirs in steps for row in theirs] == sorted(b.items())
    last = b""
    for ours, theirs in steps:
        keys = sorted(key for key, _ in ours + theirs)
        assert keys[0] >= last
        last = keys[-1] + b"\0"


@given(a=contents, b=contents)
def test_verify_finds_all_differences(a: dict[bytes, bytes], b: dict[bytes, bytes]) -> None:
    with (
        kvlayer.client("local://", namespace="left") as left,
        kvlayer.client("local://", namespace="right") as right,
    ):
        for client, rows in ((left, a), (right, b)):
            client.setup_namespace({"t": (bytes,)})
            client.clear_table("t")
            client.put("t", *(((key,), value) for key, value in rows.items()))
        found = tools.verify(left, right, limit_differences=5)
    expected = differences(a, b)
    kinds = Counter(kind for _, kind in expected)
    counts = kinds["missing"], kinds["unexpected"], kinds["different"]
    assert found.tables == [tools.ComparedTable("t", len(a | b), *counts)]
    assert (found.rows, found.differing, found.equal) == (len(a | b), len(expected), not expected)
    assert [(difference.key, difference.kind) for difference in found.differences] == [
        ((key,), kind) for key, kind in expected[:5]
    ]


def test_verify_many_pages(memory: Memory) -> None:
    a, b = memory(), memory()
    for client in (a, b):
        many(client, 10_000)
    b.delete("many", (0,), (9_999,))
    b.put("many", ((5_000,), b"other"), ((-5,), b""), ((20_000,), b""))
    seen: list[tools.Progress] = []
    found = tools.verify(a, b, progress=seen.append)
    assert [(difference.key[0], difference.kind) for difference in found.differences] == [
        (-5, "unexpected"),
        (0, "missing"),
        (5_000, "different"),
        (9_999, "missing"),
        (20_000, "unexpected"),
    ]
    assert found.rows == 10_002 == seen[-1].rows


def test_numbers_compare_as_they_are_stored(memory: Memory) -> None:
    a, b = memory(), memory()
    for client, zero in ((a, 0.0), (b, -0.0)):
        client.setup_namespace({"t": (int,)}, {"t": float})
        client.put("t", ((1,), zero), ((2,), float("nan")))
    assert tools.verify(a, b).differences == [tools.Difference("t", (1,), "different")]


def test_verify_needs_the_same_tables(memory: Memory) -> None:
    a, b = memory(), memory()
    many(a, 3)
    with pytest.raises(kvlayer.NoSuchTable, match="no table 'many'"):
        tools.verify(a, b)
    b.setup_namespace({"many": (str,)})
    with pytest.raises(kvlayer.SchemaMismatch):
        tools.verify(a, b)
    assert tools.verify(a, b, []).equal
    with pytest.raises(kvlayer.NoSuchTable):
        tools.verify(a, b, ["nowhere"])
