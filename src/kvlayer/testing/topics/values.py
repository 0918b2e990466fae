"""Values of each type come back exactly, and others are refused."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

import kvlayer
from kvlayer.testing import nasty
from kvlayer.testing.rules import rule

GOOD: dict[Any, list[Any]] = {
    bytes: [*nasty.BYTES, bytes(range(256)), b"x" * 100_000],
    str: [*nasty.STRINGS, "\u20ac" * 50_000],
    int: [*nasty.INTS, 10**4299],
    float: [*nasty.FLOATS, -0.0],
}

TABLES: dict[str, Any] = {
    "bytes": bytes,
    "str": str,
    "int": int,
    "float": float,
    "counter": kvlayer.COUNTER,
    "accumulator": kvlayer.ACCUMULATOR,
}
"""A table for each value type."""


class TestValues:
    """The rules for rows hold for every value type."""

    @rule("S7")
    @pytest.mark.parametrize("value_type", GOOD, ids=lambda value_type: value_type.__name__)
    def test_values_come_back_exactly(self, kvl: kvlayer.Client, value_type: Any) -> None:
        kvl.setup_namespace({"t": (int,)}, value_types={"t": value_type})
        rows = [((n,), value) for n, value in enumerate(GOOD[value_type])]
        kvl.put("t", *rows)
        for found in (list(kvl.scan("t")), list(kvl.get("t", *(key for key, _ in rows)))):
            assert found == rows
            assert {type(value) for _, value in found} == {value_type}

    @rule("S7")
    def test_floats_come_back_bit_for_bit(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)}, value_types={"t": float})
        values = [*nasty.FLOATS, -0.0, math.nan, math.pi, 1 / 3]
        kvl.put("t", *(((n,), value) for n, value in enumerate(values)))
        found = [value for _, value in kvl.scan("t")]
        assert [struct.pack(">d", value) for value in found] == [struct.pack(">d", value) for value in values]

    @rule("S7")
    def test_numbers_in_tables_for_increments(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace(
            {"c": (int,), "a": (int,)}, value_types={"c": kvlayer.COUNTER, "a": kvlayer.ACCUMULATOR}
        )
        smallest, largest = kvl.capabilities.counter_range or (-(10**200), 10**200)
        numbers: dict[str, list[Any]] = {"c": [smallest, -1, 0, 1, largest], "a": [*nasty.FLOATS]}
        for table, values in numbers.items():
            rows = [((n,), value) for n, value in enumerate(values)]
            kvl.put(table, *rows)
            assert list(kvl.scan(table)) == rows
            assert list(kvl.get(table, *(key for key, _ in rows))) == rows

    @rule("S6")
    @pytest.mark.parametrize(
        ("table", "value"),
        [
            ("bytes", "text"),
            ("bytes", None),
            ("bytes", 1),
            pytest.param("bytes", memoryview(b"a"), id="a memoryview"),
            ("str", b"bytes"),
            ("str", None),
            ("str", "\ud800"),
            ("int", 1.0),
            ("int", True),
            ("int", "1"),
            ("int", None),
            pytest.param("int", 10**4300, id="an int of 4301 digits"),
            ("float", 1),
            ("float", False),
            ("float", "1.0"),
            ("float", None),
            ("counter", 1.0),
            ("counter", True),
            ("counter", None),
            ("accumulator", "1.0"),
            ("accumulator", None),
        ],
        ids=repr,
    )
    def test_values_of_another_type_are_refused(self, common: kvlayer.Client, table: str, value: Any) -> None:
        common.setup_namespace(dict.fromkeys(TABLES, (int,)), value_types=TABLES)
        with pytest.raises(kvlayer.BadKey):
            common.put(table, ((1,), value))
        assert list(common.scan(table)) == []

    @rule("S6")
    def test_subclasses_count_by_their_plain_value(self, kvl: kvlayer.Client) -> None:
        class Text(str):
            __slots__ = ()

        kvl.setup_namespace({"t": (int,)}, value_types={"t": str})
        kvl.put("t", ((1,), Text("a")))
        ((_, found),) = kvl.scan("t")
        assert (type(found), found) == (str, "a")
