"""`compare_and_put`, by one client; the races are in TestSharing and TestProcesses."""

from __future__ import annotations

from typing import Any

import pytest

import kvlayer
from kvlayer.testing.rules import needs, rule


@rule("S16")
@needs("compare_and_put")
class TestCompareAndPut:
    """S16."""

    @pytest.fixture
    def kvl(self, kvl: kvlayer.Client) -> kvlayer.Client:
        kvl.setup_namespace(
            {"t": (str,), "n": (str,), "c": (str,)}, value_types={"n": int, "c": kvlayer.COUNTER}
        )
        return kvl

    @pytest.fixture
    def common(self, common: kvlayer.Client) -> kvlayer.Client:
        """For the tests in which nothing is written."""
        common.setup_namespace({"t": (str,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
        return common

    def test_it_makes_a_key_that_is_absent(self, kvl: kvlayer.Client) -> None:
        assert kvl.compare_and_put("t", ("a",), None, b"1") is True
        assert kvl.compare_and_put("t", ("a",), None, b"2") is False
        assert list(kvl.scan("t")) == [(("a",), b"1")]

    def test_it_replaces_only_what_was_expected(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"))
        for wrong in (b"", b"2", b"1 ", b"1\x00"):
            assert kvl.compare_and_put("t", ("a",), wrong, b"no") is False
        assert kvl.compare_and_put("t", ("a",), b"1", b"2") is True
        assert list(kvl.scan("t")) == [(("a",), b"2")]

    def test_it_removes_a_key(self, kvl: kvlayer.Client) -> None:
        kvl.put("t", (("a",), b"1"))
        assert kvl.compare_and_put("t", ("a",), b"2", None) is False
        assert kvl.compare_and_put("t", ("a",), b"1", None) is True
        assert list(kvl.scan_keys("t")) == []
        assert kvl.compare_and_put("t", ("a",), b"1", None) is False
        assert kvl.compare_and_put("t", ("a",), None, b"new") is True

    def test_absent_and_empty_are_different(self, kvl: kvlayer.Client) -> None:
        assert kvl.compare_and_put("t", ("a",), b"", b"1") is False
        assert kvl.compare_and_put("t", ("a",), None, b"") is True
        assert kvl.compare_and_put("t", ("a",), None, b"1") is False
        assert kvl.compare_and_put("t", ("a",), b"", b"1") is True

    def test_expecting_and_leaving_nothing(self, kvl: kvlayer.Client) -> None:
        assert kvl.compare_and_put("t", ("a",), None, None) is True
        assert list(kvl.scan_keys("t")) == []
        kvl.put("t", (("a",), b"1"))
        assert kvl.compare_and_put("t", ("a",), None, None) is False
        assert list(kvl.scan_keys("t")) == [("a",)]

    @pytest.mark.parametrize("table", ["n", "c"])
    def test_numbers(self, kvl: kvlayer.Client, table: str) -> None:
        large = 10**100 if kvl.capabilities.counter_range is None else kvl.capabilities.counter_range[1]
        assert kvl.compare_and_put(table, ("a",), None, large) is True
        assert kvl.compare_and_put(table, ("a",), large - 1, 0) is False
        assert kvl.compare_and_put(table, ("a",), large, 0) is True
        assert kvl.compare_and_put(table, ("a",), 0, -1) is True
        assert list(kvl.scan(table)) == [(("a",), -1)]

    @needs("atomic_increment")
    def test_it_sees_what_increment_wrote(self, kvl: kvlayer.Client) -> None:
        kvl.increment("c", (("a",), 5))
        assert kvl.compare_and_put("c", ("a",), 4, 0) is False
        assert kvl.compare_and_put("c", ("a",), 5, 7) is True
        assert kvl.increment("c", (("a",), 1)) == [8]

    @rule("S6")
    @pytest.mark.parametrize(
        ("key", "expected", "value"),
        [
            ((1,), None, b""),
            (("a", "b"), None, b""),
            ("a", None, b""),
            (("a",), "text", b""),
            (("a",), None, "text"),
            (("a",), 1, None),
        ],
        ids=repr,
    )
    def test_bad_arguments_are_refused(
        self, common: kvlayer.Client, key: Any, expected: Any, value: Any
    ) -> None:
        with pytest.raises(kvlayer.BadKey):
            common.compare_and_put("t", key, expected, value)
        assert list(common.scan_keys("t")) == []

    @rule("S6")
    @needs("counter_range")
    def test_counters_stay_in_their_range(self, common: kvlayer.Client) -> None:
        assert common.capabilities.counter_range is not None
        with pytest.raises(kvlayer.BadKey):
            common.compare_and_put("c", ("a",), None, common.capabilities.counter_range[1] + 1)
        assert list(common.scan_keys("c")) == []
