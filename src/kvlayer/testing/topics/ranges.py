"""Ranges: which keys a scan, a delete_range and a resumed scan reach."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import kvlayer
from kvlayer.testing.model import End, Key, Range, expected_keys
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space

KEYS: list[Key] = [
    ("", ""),
    ("", "z"),
    ("a", ""),
    ("a", "\x00"),
    ("a", "b"),
    ("a\x00", "b"),
    ("a\x01", ""),
    ("ab", ""),
    ("ab", "c"),
    ("b", "a"),
    ("\U0010ffff", "\U0010ffff"),
]
ENDS: list[End] = [
    None,
    (),
    ("",),
    ("a",),
    ("a\x00",),
    ("ab",),
    ("b",),
    ("c",),
    ("\U0010ffff",),
    ("a", ""),
    ("a", "a"),
    ("a", "b"),
    ("ab", "c"),
    ("ab", "d"),
    ("\U0010ffff", "\U0010ffff"),
]


@needs("ordered")
class TestRanges:
    """S1 and S2, on keys of which some are the beginnings of others."""

    @pytest.fixture
    def kvl(self, common: kvlayer.Client) -> kvlayer.Client:
        return _filled(common)

    @pytest.fixture
    def own(self, space: Space) -> kvlayer.Client:
        """For the tests that write."""
        return _filled(space.client())

    @rule("S1")
    def test_both_ends_are_included(self, kvl: kvlayer.Client) -> None:
        assert list(kvl.scan_keys("t", (("a", ""), ("ab", "c")))) == KEYS[2:9]

    @rule("S1")
    def test_short_ends_stand_for_all_extensions(self, kvl: kvlayer.Client) -> None:
        assert list(kvl.scan_keys("t", (("a",), ("a",)))) == KEYS[2:5]
        assert list(kvl.scan_keys("t", (("",), ("",)))) == KEYS[:2]
        assert list(kvl.scan_keys("t", (("\U0010ffff",), ("\U0010ffff",)))) == KEYS[-1:]

    @rule("S1", "S2")
    @pytest.mark.parametrize("start", ENDS, ids=repr)
    def test_every_pair_of_ends(self, kvl: kvlayer.Client, start: End) -> None:
        for end in ENDS:
            expected = expected_keys(KEYS, [(start, end)])
            assert list(kvl.scan_keys("t", (start, end))) == expected, f"{start} to {end}"
            assert [key for key, _ in kvl.scan("t", (start, end))] == expected, f"{start} to {end}"

    @rule("S1", "S2")
    @needs("reverse")
    @pytest.mark.parametrize("start", ENDS, ids=repr)
    def test_every_pair_of_ends_backwards(self, kvl: kvlayer.Client, start: End) -> None:
        for end in ENDS:
            expected = expected_keys(KEYS, [(start, end)], reverse=True)
            found = [key for key, _ in kvl.scan("t", (start, end), reverse=True)]
            assert found == list(kvl.scan_keys("t", (start, end), reverse=True)) == expected, (
                f"{start} to {end}"
            )

    @rule("S1")
    def test_three_parts(self, own: kvlayer.Client) -> None:
        own.setup_namespace({"three": (str, int, bytes)})
        keys = [(a, n, b) for a in ("", "a", "b") for n in (-1, 0, 1) for b in (b"", b"\xff")]
        own.put("three", *((key, b"") for key in keys))
        ends: list[End] = [(), ("a",), ("a", 0), ("a", 0, b"\xff"), ("b", -1)]
        for start, end in itertools.product(ends, ends):
            assert list(own.scan_keys("three", (start, end))) == expected_keys(keys, [(start, end)])

    @rule("S2")
    def test_a_scan_without_a_range_is_the_whole_table(self, kvl: kvlayer.Client) -> None:
        assert list(kvl.scan_keys("t")) == KEYS
        assert list(kvl.scan("t")) == [(key, repr(key).encode()) for key in KEYS]

    @rule("S2")
    def test_ranges_are_answered_in_the_order_given(self, kvl: kvlayer.Client) -> None:
        ranges: list[Range] = [(("b",), None), (("a",), ("a",)), (("z",), ("a",)), (None, ("a", "\x00"))]
        assert list(kvl.scan_keys("t", *ranges)) == expected_keys(KEYS, ranges)
        assert list(kvl.scan_keys("t", *ranges)) == [*KEYS[-2:], *KEYS[2:5], *KEYS[:4]]

    @rule("S2")
    def test_limit_counts_over_all_ranges(self, kvl: kvlayer.Client) -> None:
        ranges: list[Range] = [(("a",), ("a",)), (("b",), ("c",)), (("a",), ("a",))]
        for limit in range(9):
            assert list(kvl.scan_keys("t", *ranges, limit=limit)) == expected_keys(KEYS, ranges, limit=limit)
            assert len(list(kvl.scan("t", *ranges, limit=limit))) == min(limit, 7)

    @rule("S2")
    def test_a_negative_limit_is_refused(self, kvl: kvlayer.Client) -> None:
        for method in (kvl.scan, kvl.scan_keys):
            with pytest.raises(kvlayer.KvlayerError):
                method("t", limit=-1)

    @rule("S2")
    @pytest.mark.parametrize("after", [*KEYS, ("a", "a"), ("aa", ""), ("z", "z")], ids=repr)
    def test_after_resumes_behind_a_key(self, kvl: kvlayer.Client, after: Key) -> None:
        for ranges in self._several_ranges():
            for limit in (None, 2):
                expected = expected_keys(KEYS, ranges, after=after, limit=limit)
                assert list(kvl.scan_keys("t", *ranges, after=after, limit=limit)) == expected, ranges
                assert [key for key, _ in kvl.scan("t", *ranges, after=after, limit=limit)] == expected, (
                    ranges
                )

    @rule("S2")
    @needs("reverse")
    @pytest.mark.parametrize("after", [*KEYS, ("a", "a"), ("aa", ""), ("z", "z")], ids=repr)
    def test_after_resumes_backwards(self, kvl: kvlayer.Client, after: Key) -> None:
        for ranges in self._several_ranges():
            expected = expected_keys(KEYS, ranges, after=after, reverse=True)
            assert list(kvl.scan_keys("t", *ranges, after=after, reverse=True)) == expected, ranges

    @rule("S2")
    def test_after_needs_a_whole_key(self, kvl: kvlayer.Client) -> None:
        for after in [("a",), (), ("a", "b", "c"), ("a", 1)]:
            with pytest.raises(kvlayer.KvlayerError):
                kvl.scan("t", after=after)

    @rule("S2")
    def test_delete_range_removes_what_a_scan_shows(self, own: kvlayer.Client) -> None:
        ranges: list[Range] = [(("a", "\x00"), ("a",)), (("b",), ("ab",)), (("b",), None)]
        own.delete_range("t", *ranges)
        removed = set(expected_keys(KEYS, ranges))
        assert list(own.scan_keys("t")) == [key for key in KEYS if key not in removed]
        assert [key for key, value in own.get("t", *KEYS) if value is None] == sorted(removed)

    @rule("S2")
    def test_delete_range_needs_a_range(self, own: kvlayer.Client) -> None:
        with pytest.raises(kvlayer.ProgrammerError):
            own.delete_range("t")
        assert list(own.scan_keys("t")) == KEYS
        own.delete_range("t", ((), ()))
        assert list(own.scan_keys("t")) == []

    @rule("S2", "S6")
    @pytest.mark.parametrize("bad", [("a",), "ab", (("a",),), (("a",), ("b",), ("c",)), 7, None], ids=repr)
    def test_what_is_no_range_is_refused(self, kvl: kvlayer.Client, bad: Any) -> None:
        for method in (kvl.scan, kvl.scan_keys, kvl.delete_range):
            with pytest.raises(kvlayer.KvlayerError):
                method("t", bad)
        assert list(kvl.scan_keys("t")) == KEYS

    @rule("S6")
    @pytest.mark.parametrize("end", [(1,), ("a", 1), ("a", "b", "c"), (None,), ["a"], ("\ud800",)], ids=repr)
    def test_ends_that_do_not_fit_are_refused(self, kvl: kvlayer.Client, end: Any) -> None:
        for method in (kvl.scan, kvl.scan_keys, kvl.delete_range):
            for range_ in [(end, None), (None, end)]:
                with pytest.raises(kvlayer.BadKey):
                    method("t", ((), ()), range_)
        assert list(kvl.scan_keys("t")) == KEYS

    @staticmethod
    def _several_ranges() -> list[list[Range]]:
        return [
            [],
            [(("a",), ("ab",))],
            [(("b",), None), (("a",), ("a",))],
            [(("a",), ("a",)), (("a",), ("ab",)), (("a", "b"), None)],
            [(("z",), ("a",))],
        ]


def _filled(kvl: kvlayer.Client) -> kvlayer.Client:
    kvl.setup_namespace({"t": (str, str)})
    kvl.put("t", *((key, repr(key).encode()) for key in KEYS))
    return kvl
