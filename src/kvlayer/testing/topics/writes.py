"""`put`, `put_many`, `delete` and `clear_table`: what they write, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import kvlayer
from kvlayer.backends.base import PAGE_ROWS
from kvlayer.testing.rules import rule

BAD_PAIRS: list[Any] = [
    (("a", "b"), b""),
    ((), b""),
    ((1,), b""),
    (["a"], b""),
    ("a", b""),
    (("a",), "text"),
    (("a",), None),
    (("a",), 1),
    (("a",), bytearray(b"")),
    (("a",),),
    (("a",), b"", b""),
    None,
    7,
]


class TestPut:
    """S5 to S7 for a single client."""

    @pytest.fixture
    def kvl(self, kvl: kvlayer.Client) -> kvlayer.Client:
        kvl.setup_namespace({"t": (str,), "n": (int,)})
        return kvl

    @pytest.fixture
    def common(self, common: kvlayer.Client) -> kvlayer.Client:
        """For the tests in which nothing is written."""
        common.setup_namespace({"t": (str,), "n": (int,)})
        return common

    @rule("S7")
    def test_rows_are_there_when_put_returns(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("b",), b"2"), (("a",), b"1"))
        assert list(kvl.get("t", ("a",), ("b",))) == [(("a",), b"1"), (("b",), b"2")]
        assert list(kvl.scan("t")) == [(("a",), b"1"), (("b",), b"2")]
        assert list(kvl.scan_keys("t")) == [("a",), ("b",)]

    @rule("S7")
    def test_a_newer_value_replaces_the_older(self, kvl: kvlayer.Client) -> None:
        for value in (b"long" * 100, b"", b"short"):
            kvl.put("t", (("a",), value))
            assert list(kvl.scan("t")) == [(("a",), value)]

    @rule("S7")
    def test_a_key_can_be_deleted_and_written_again_at_once(self, kvl: kvlayer.Client) -> None:
        for turn in range(50):
            kvl.put("t", (("a",), b"%d" % turn))
            assert list(kvl.scan("t")) == [(("a",), b"%d" % turn)]
            kvl.delete("t", ("a",))
            assert list(kvl.get("t", ("a",))) == [(("a",), None)]
            assert list(kvl.scan_keys("t")) == []

    @rule("S5")
    def test_the_last_of_equal_keys_wins(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"), (("b",), b"2"), (("a",), b"3"), (("a",), b"4"))
        assert list(kvl.scan("t")) == [(("a",), b"4"), (("b",), b"2")]
        kvl.put_many("t", ((("a",), b"%d" % n) for n in range(10)), batch_size=3)
        assert list(kvl.get("t", ("a",))) == [(("a",), b"9")]

    @rule("S5")
    def test_empty_calls_do_nothing(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"))
        kvl.put("t")
        kvl.delete("t")
        assert kvl.put_many("t", []) == 0
        assert list(kvl.scan("t")) == [(("a",), b"1")]

    @rule("S5")
    def test_deleting_what_is_not_there(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"), (("b",), b"2"))
        kvl.delete("t", ("a",), ("missing",), ("a",))
        kvl.delete("t", ("a",))
        assert list(kvl.scan("t")) == [(("b",), b"2")]

    @rule("S5")
    def test_clear_table_leaves_an_empty_table(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"))
        kvl.put("n", ((1,), b"1"))
        kvl.clear_table("t")
        kvl.clear_table("t")
        assert list(kvl.scan("t")) == []
        assert list(kvl.get("t", ("a",))) == [(("a",), None)]
        assert list(kvl.scan("n")) == [((1,), b"1")]
        kvl.put("t", (("b",), b"2"))
        assert list(kvl.scan("t")) == [(("b",), b"2")]

    @rule("S6")
    @pytest.mark.parametrize("bad", BAD_PAIRS, ids=repr)
    def test_one_bad_pair_and_nothing_is_written(self, common: kvlayer.Client, bad: Any) -> None:
        for pairs in [((("good",), b"1"), bad), (bad, (("good",), b"1"))]:
            with pytest.raises(kvlayer.BadKey):
                common.put("t", *pairs)
        assert list(common.scan("t")) == []

    @rule("S6")
    def test_one_bad_key_and_nothing_is_deleted(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"))
        for bad in [(1,), ("a", "b"), "a", None]:
            with pytest.raises(kvlayer.BadKey):
                kvl.delete("t", ("a",), bad)  # type: ignore[arg-type]
        assert list(kvl.scan("t")) == [(("a",), b"1")]

    @rule("S6")
    def test_a_bad_row_behind_many_good_ones(self, common: kvlayer.Client) -> None:
        good: list[Any] = [((n,), b"") for n in range(2 * PAGE_ROWS)]
        with pytest.raises(kvlayer.BadKey):
            common.put("n", *good, (("a",), b""))
        with pytest.raises(kvlayer.BadKey):
            common.put("n", *good, ((-1,), None))
        assert list(common.scan_keys("n")) == []

    @rule("S6")
    def test_put_many_writes_nothing_of_the_bad_batch(self, kvl: kvlayer.Client) -> None:
        pairs: list[Any] = [((n,), b"") for n in range(40)]
        pairs[25] = ((25,), None)
        with pytest.raises(kvlayer.BadKey):
            kvl.put_many("n", pairs, batch_size=10)
        assert list(kvl.scan_keys("n")) == [(n,) for n in range(20)]

    @rule("S7")
    @pytest.mark.parametrize("batch_size", [1, 7, 100])
    def test_put_many_counts_its_rows(self, kvl: kvlayer.Client, batch_size: int) -> None:
        assert kvl.put_many("n", (((n,), b"%d" % n) for n in range(50)), batch_size=batch_size) == 50
        assert list(kvl.scan("n")) == [((n,), b"%d" % n) for n in range(50)]

    @rule("S6")
    def test_put_many_refuses_a_batch_size_below_one(self, common: kvlayer.Client) -> None:
        with pytest.raises(kvlayer.KvlayerError):
            common.put_many("n", [((1,), b"")], batch_size=0)
        assert list(common.scan_keys("n")) == []

    @rule("S7")
    def test_put_many_when_its_source_fails(self, kvl: kvlayer.Client) -> None:
        """The error of the source comes through; the store stays usable."""

        def source() -> Iterator[tuple[tuple[int], bytes]]:
            for n in range(25):
                yield (n,), b""
            raise RuntimeError("the source ended")

        with pytest.raises(RuntimeError, match="the source ended"):
            kvl.put_many("n", source(), batch_size=10)
        assert set(kvl.scan_keys("n")) >= {(n,) for n in range(20)}
        kvl.put("n", ((99,), b""))
        assert list(kvl.get("n", (99,))) == [((99,), b"")]
