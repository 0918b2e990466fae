"""Values become bytes and back without loss, and only values of the table's type do."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer.backends.base import BackendTable
from kvlayer.values import ACCUMULATOR, COUNTER, MAX_DIGITS, ValueCodec, ValueType, add, value_type_named

TYPES: list[ValueType] = [bytes, str, int, float, COUNTER, ACCUMULATOR]
OF_TYPE: dict[ValueType, st.SearchStrategy[Any]] = {
    bytes: st.binary(),
    str: st.text(),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    COUNTER: st.integers(),
    ACCUMULATOR: st.floats(allow_nan=False),
}


@pytest.mark.parametrize("value_type", TYPES, ids=str)
@given(data=st.data())
def test_round_trip(value_type: ValueType, data: st.DataObject) -> None:
    codec = ValueCodec(value_type, "t")
    values = data.draw(st.lists(OF_TYPE[value_type]))
    stored = list(codec.encode_many(values))
    assert all(type(value) is bytes for value in stored)
    back = codec.decode_many(stored)
    assert [(type(value), repr(value)) for value in back] == [(type(value), repr(value)) for value in values]


def test_nan_and_negative_zero_are_values() -> None:
    codec = ValueCodec(float, "t")
    assert math.isnan(codec.decode(codec.encode(math.nan)))
    assert math.copysign(1, codec.decode(codec.encode(-0.0))) == -1


class Text(str):
    def __str__(self) -> str:
        return "other"


class Number(int):
    def __int__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "other"


class Real(float):
    def __repr__(self) -> str:
        return "other"


class Octets(bytes):
    pass


class Color(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value_type", "value", "plain"),
    [
        (str, Text("a"), "a"),
        (int, Number(3), 3),
        (float, Real(1.5), 1.5),
        (bytes, Octets(b"a"), b"a"),
        (int, Color.RED, 3),
    ],
)
def test_a_subclass_counts_by_its_value(value_type: ValueType, value: Any, plain: Any) -> None:
    codec = ValueCodec(value_type, "t")
    (back,) = codec.decode_many(list(codec.encode_many([value])))
    assert (type(back), back) == (type(plain), plain)


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        (bytes, None), (bytes, "a"), (bytes, bytearray(b"a")), (bytes, memoryview(b"a")), (bytes, 1),
        (str, b"a"), (str, None), (int, True), (int, 1.0), (int, "1"), (float, 1), (float, None), (float, "1"),
        (COUNTER, False), (COUNTER, 1.0), (ACCUMULATOR, 1), (ACCUMULATOR, None),
    ],
)  # fmt: skip
def test_another_type_is_refused(value_type: ValueType, value: Any) -> None:
    expected = {COUNTER: "int", ACCUMULATOR: "float", bytes: "bytes", str: "str", int: "int", float: "float"}[
        value_type
    ]
    with pytest.raises(
        kvlayer.BadKey, match=f"table 'rows': a value must be {expected}, not {type(value).__name__}"
    ):
        ValueCodec(value_type, "rows").encode_many([value])


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(kvlayer.BadKey, match=f"more than {MAX_DIGITS} digits"):
        ValueCodec(int, "t").encode(10**MAX_DIGITS)
    assert ValueCodec(int, "t").decode(ValueCodec(int, "t").encode(10**MAX_DIGITS - 1)) == 10**MAX_DIGITS - 1
    with pytest.raises(kvlayer.BadKey, match="surrogates"):
        ValueCodec(str, "t").encode("\ud800")


@pytest.mark.parametrize(
    ("value_type", "stored"), [(str, b"\xff"), (int, b"one"), (float, b"\xff"), (COUNTER, b"")]
)
def test_foreign_bytes_are_reported_without_showing_them(value_type: ValueType, stored: bytes) -> None:
    with pytest.raises(kvlayer.SerializationError, match=f"table 't': {len(stored)} stored bytes") as caught:
        ValueCodec(value_type, "t").decode_many([stored])
    assert repr(stored) not in str(caught.value)


@pytest.mark.parametrize("nonsense", [None, 3, list, "bytes", bytes | str, []])
def test_no_value_type(nonsense: Any) -> None:
    with pytest.raises(
        kvlayer.ConfigurationError, match=r"table 't': a value type is one of bytes, str.*COUNTER"
    ):
        ValueCodec(nonsense, "t")


@pytest.mark.parametrize("value_type", TYPES, ids=str)
def test_names_in_the_catalogue(value_type: ValueType) -> None:
    assert value_type_named(ValueCodec(value_type, "t").name) is value_type


def test_unknown_name_in_the_catalogue() -> None:
    with pytest.raises(kvlayer.SerializationError, match="unknown value type 'decimal'"):
        value_type_named("decimal")


@given(st.lists(st.integers()))
def test_counters_add_exactly(deltas: list[int]) -> None:
    stored = None
    for position, delta in enumerate(deltas):
        [(total, stored)] = add(BackendTable("t", "counter"), [stored], [delta])
        assert total == sum(deltas[: position + 1])


@given(st.lists(st.floats(allow_nan=False)))
def test_accumulators_add_as_python_does(deltas: list[float]) -> None:
    stored, expected = None, 0.0
    for delta in deltas:
        [(total, stored)] = add(BackendTable("t", "accumulator"), [stored], [delta])
        expected += delta
        assert repr(total) == repr(expected)


def test_adding_keeps_within_the_range_and_the_digits() -> None:
    table = BackendTable("t", "counter")
    with pytest.raises(kvlayer.BadKey, match="table 't': a counter holds -128 to 127"):
        add(table, [b"126", b"127"], [1, 1], (-128, 127))
    with pytest.raises(kvlayer.BadKey, match="digits"):
        add(table, [b"9" * MAX_DIGITS], [1])
    with pytest.raises(kvlayer.SerializationError, match="table 't'"):
        add(table, [b"1", b"one"], [1, 1])


def test_deltas() -> None:
    assert repr(ValueCodec(ACCUMULATOR, "t").delta(2)) == "2.0"
    with pytest.raises(kvlayer.BadKey, match="too large"):
        ValueCodec(ACCUMULATOR, "t").delta(10**400)
    for value_type, delta in ((ACCUMULATOR, True), (ACCUMULATOR, "1"), (COUNTER, 1.0), (COUNTER, True)):
        with pytest.raises(kvlayer.BadKey, match="must be"):
            ValueCodec(value_type, "t").delta(delta)
