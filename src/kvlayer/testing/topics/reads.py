"""`get`: the order of its answers, what is missing, and when it complains."""

from __future__ import annotations

from typing import Any

import pytest

import kvlayer
from kvlayer.testing.rules import rule
from kvlayer.testing.space import Space


class TestGet:
    """S4."""

    @pytest.fixture
    def kvl(self, common: kvlayer.Client) -> kvlayer.Client:
        return _filled(common)

    @pytest.fixture
    def own(self, space: Space) -> kvlayer.Client:
        """For the tests that write."""
        return _filled(space.client())

    @rule("S4")
    def test_answers_come_in_the_order_asked(self, kvl: kvlayer.Client) -> None:
        asked = [("b",), ("missing",), ("a",), ("b",), ("",)]
        assert list(kvl.get("t", *asked)) == list(zip(asked, [b"2", None, b"1", b"2", None], strict=True))

    @rule("S4")
    def test_an_empty_value_is_a_value(self, kvl: kvlayer.Client) -> None:
        assert list(kvl.get("t", ("empty",))) == [(("empty",), b"")]
        assert ("empty",) in list(kvl.scan_keys("t"))

    @rule("S4")
    def test_zero_is_a_value(self, own: kvlayer.Client) -> None:
        own.put("numbers", (("zero",), 0))
        assert list(own.get("numbers", ("zero",), ("missing",))) == [(("zero",), 0), (("missing",), None)]

    @rule("S4")
    def test_keys_that_begin_alike_are_different(self, own: kvlayer.Client) -> None:
        own.put("t", (("a\x00",), b"nul"))
        assert [value for _, value in own.get("t", ("a",), ("a\x00",), ("a\x00\x00",))] == [
            b"1",
            b"nul",
            None,
        ]

    @rule("S5")
    def test_no_keys_give_nothing(self, kvl: kvlayer.Client) -> None:
        assert list(kvl.get("t")) == []

    @rule("S6")
    @pytest.mark.parametrize(
        "bad", ["a", ["a"], (), ("a", "b"), (1,), (None,), None, 7, (("a",),), ("\udfff",)], ids=repr
    )
    def test_keys_are_checked_when_get_is_called(self, kvl: kvlayer.Client, bad: Any) -> None:
        with pytest.raises(kvlayer.BadKey):
            kvl.get("t", ("a",), bad)

    @rule("S6")
    def test_a_subclass_of_tuple_is_no_key(self, kvl: kvlayer.Client) -> None:
        class Pair(tuple[str, ...]):
            __slots__ = ()

        with pytest.raises(kvlayer.BadKey):
            kvl.get("t", Pair(("a",)))

    @rule("S6")
    def test_scans_check_their_arguments_when_called(self, kvl: kvlayer.Client) -> None:
        for method in (kvl.scan, kvl.scan_keys):
            with pytest.raises(kvlayer.BadKey):
                method("t", ((1,), ()))

    @rule("S6")
    def test_an_error_says_which_table_and_what_was_expected(self, kvl: kvlayer.Client) -> None:
        with pytest.raises(kvlayer.BadKey, match=r"numbers.*str.*int|numbers.*int.*str"):
            kvl.get("numbers", (1,))
        with pytest.raises(ValueError, match="numbers"):
            kvl.put("numbers", (("a",), "one"))


def _filled(kvl: kvlayer.Client) -> kvlayer.Client:
    kvl.setup_namespace({"t": (str,), "numbers": (str,)}, value_types={"numbers": int})
    kvl.put("t", (("a",), b"1"), (("b",), b"2"), (("empty",), b""))
    return kvl
