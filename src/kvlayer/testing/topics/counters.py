"""`increment`, on ints and floats, by one client."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

import kvlayer
from kvlayer.testing import nasty
from kvlayer.testing.rules import lacks, needs, rule


@rule("S11")
class TestCounters:
    """S11; the races are in TestSharing and TestProcesses."""

    @pytest.fixture
    def kvl(self, kvl: kvlayer.Client) -> kvlayer.Client:
        kvl.setup_namespace(
            {"c": (str,), "a": (str,)}, value_types={"c": kvlayer.COUNTER, "a": kvlayer.ACCUMULATOR}
        )
        return kvl

    @pytest.fixture
    def common(self, common: kvlayer.Client) -> kvlayer.Client:
        """For the tests in which nothing is written."""
        common.setup_namespace(
            {"c": (str,), "plain": (str,), "n": (str,), "f": (str,)},
            value_types={"c": kvlayer.COUNTER, "n": int, "f": float},
        )
        return common

    @needs("atomic_increment")
    def test_increment_returns_the_new_values_in_order(self, kvl: kvlayer.Client) -> None:
        assert kvl.increment("c", (("b",), 2), (("a",), 1)) == [2, 1]
        assert kvl.increment("c", (("a",), 10), (("b",), -5), (("c",), 0)) == [11, -3, 0]
        assert list(kvl.scan("c")) == [(("a",), 11), (("b",), -3), (("c",), 0)]

    @needs("atomic_increment")
    def test_a_delta_of_zero_creates_the_key(self, kvl: kvlayer.Client) -> None:
        assert kvl.increment("c", (("a",), 0)) == [0]
        assert list(kvl.get("c", ("a",), ("b",))) == [(("a",), 0), (("b",), None)]

    @needs("atomic_increment")
    def test_a_key_named_twice_gets_both_deltas(self, kvl: kvlayer.Client) -> None:
        assert kvl.increment("c", (("a",), 1), (("b",), 7), (("a",), 2)) == [3, 7, 3]
        assert kvl.increment("c", (("a",), 1), (("a",), -1)) == [3, 3]

    @needs("atomic_increment")
    def test_no_deltas_give_nothing(self, kvl: kvlayer.Client) -> None:
        assert kvl.increment("c") == []

    @needs("atomic_increment")
    def test_put_and_delete_set_a_counter(self, kvl: kvlayer.Client) -> None:
        kvl.put("c", (("a",), 40))
        assert kvl.increment("c", (("a",), 2)) == [42]
        kvl.delete("c", ("a",))
        assert list(kvl.get("c", ("a",))) == [(("a",), None)]
        assert kvl.increment("c", (("a",), 1)) == [1]
        kvl.clear_table("c")
        assert kvl.increment("c", (("a",), 1)) == [1]
        kvl.delete_range("c", ((), ()))
        assert list(kvl.scan("c")) == []

    @needs("atomic_increment")
    def test_sums_are_exact_up_to_the_declared_range(self, kvl: kvlayer.Client) -> None:
        smallest, largest = kvl.capabilities.counter_range or (-(10**200), 10**200)
        for name, edge, step in [("up", largest, 1), ("down", smallest, -1)]:
            kvl.put("c", ((name,), edge - 2 * step))
            assert kvl.increment("c", ((name,), step)) == [edge - step]
            assert kvl.increment("c", ((name,), step)) == [edge]
            assert list(kvl.get("c", (name,))) == [((name,), edge)]
        assert kvl.increment("c", (("odd",), 2**53), (("odd",), 1)) == [2**53 + 1] * 2
        assert kvl.increment("c", (("odd",), 2)) == [2**53 + 3]

    @needs("atomic_increment", "counter_range")
    def test_sums_outside_of_the_declared_range_are_refused(self, kvl: kvlayer.Client) -> None:
        assert kvl.capabilities.counter_range is not None
        for edge, step in zip(kvl.capabilities.counter_range, (-1, 1), strict=True):
            kvl.put("c", (("edge",), edge))
            for delta in (step, step * 2**40):
                with pytest.raises(kvlayer.BadKey):
                    kvl.increment("c", (("edge",), delta))
            with pytest.raises(kvlayer.BadKey):
                kvl.increment("c", (("missing",), edge + step))
            with pytest.raises(kvlayer.BadKey):
                kvl.put("c", (("edge",), edge + step))
            assert list(kvl.scan("c")) == [(("edge",), edge)]

    @needs("atomic_increment")
    @lacks("counter_range")
    def test_sums_of_more_than_4300_digits_are_refused(self, kvl: kvlayer.Client) -> None:
        largest = 10**4300 - 1
        kvl.put("c", (("a",), largest))
        with pytest.raises(kvlayer.BadKey):
            kvl.increment("c", (("a",), 1))
        assert list(kvl.get("c", ("a",))) == [(("a",), largest)]
        assert kvl.increment("c", (("a",), -largest)) == [0]

    @needs("atomic_increment", "atomic_increment_batch")
    def test_a_refused_sum_leaves_the_whole_call_undone(self, kvl: kvlayer.Client) -> None:
        largest = (
            10**4300 - 1 if kvl.capabilities.counter_range is None else kvl.capabilities.counter_range[1]
        )
        kvl.put("c", (("full",), largest))
        with pytest.raises(kvlayer.BadKey):
            kvl.increment("c", (("a",), 1), (("full",), 1), (("z",), 1))
        assert list(kvl.scan("c")) == [(("full",), largest)]

    @rule("S6")
    @needs("atomic_increment")
    @pytest.mark.parametrize(
        "bad",
        [
            (("b",), 1.0),
            (("b",), "1"),
            (("b",), None),
            (("b",), True),
            ((1,), 1),
            (("b", "c"), 1),
            ("b", 1),
            (("b",),),
            7,
        ],
        ids=repr,
    )
    def test_one_bad_delta_and_nothing_is_added(self, common: kvlayer.Client, bad: Any) -> None:
        for deltas in [((("a",), 1), bad), (bad, (("a",), 1))]:
            with pytest.raises(kvlayer.BadKey):
                common.increment("c", *deltas)
        assert list(common.scan("c")) == []

    @pytest.mark.parametrize("table", ["plain", "n", "f"])
    def test_other_tables_refuse_increment(self, common: kvlayer.Client, table: str) -> None:
        with pytest.raises(kvlayer.ProgrammerError):
            common.increment(table, (("a",), 1))
        assert list(common.scan(table)) == []

    @needs("accumulate")
    def test_floats_add_as_in_python(self, kvl: kvlayer.Client) -> None:
        total = 0.0
        for delta in [0.1, 0.2, -0.3, 1e16, 1.0, -1e16, 5e-324, 1e-300, 1 / 3, 1e308, 1e308, -math.inf, 1.0]:
            total += delta
            (answer,) = kvl.increment("a", (("a",), delta))
            ((_, stored),) = kvl.get("a", ("a",))
            assert [_bits(answer), _bits(stored)] == [_bits(total)] * 2

    @needs("accumulate")
    def test_nasty_floats_are_added_exactly(self, kvl: kvlayer.Client) -> None:
        for first in nasty.FLOATS:
            kvl.put("a", *(((str(n),), first) for n in range(len(nasty.FLOATS))))
            answers = kvl.increment("a", *(((str(n),), delta) for n, delta in enumerate(nasty.FLOATS)))
            assert list(map(_bits, answers)) == [_bits(first + delta) for delta in nasty.FLOATS]

    @needs("accumulate")
    def test_an_accumulator_takes_ints_and_gives_floats(self, kvl: kvlayer.Client) -> None:
        (answer,) = kvl.increment("a", (("a",), 2))
        assert (type(answer), answer) == (float, 2.0)
        (answer,) = kvl.increment("a", (("zero",), 0))
        assert (type(answer), answer) == (float, 0.0)

    @needs("accumulate")
    def test_float_deltas_to_one_key_are_added_to_each_other_first(self, kvl: kvlayer.Client) -> None:
        kvl.put("a", (("a",), 1e16))
        assert kvl.increment("a", (("a",), 1.0), (("b",), 0.5), (("a",), 1.0)) == [
            1e16 + 2.0,
            0.5,
            1e16 + 2.0,
        ]

    @needs("atomic_increment")
    def test_many_keys_in_one_call(self, kvl: kvlayer.Client) -> None:
        count = 2 * kvl.capabilities.page_rows + 3
        deltas = [((f"{n:06}",), n) for n in range(count)]
        assert kvl.increment("c", *deltas) == list(range(count))
        assert kvl.increment("c", *deltas) == [2 * n for n in range(count)]
        assert list(kvl.scan("c")) == [((f"{n:06}",), 2 * n) for n in range(count)]


def _bits(number: float) -> bytes:
    """All bits of a float; of NaN there is only one."""
    return b"NaN" if math.isnan(number) else struct.pack(">d", number)
