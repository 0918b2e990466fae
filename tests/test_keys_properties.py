"""Encoded keys sort as their tuples do, come back as they were, and ranges end where they should."""

from __future__ import annotations

import itertools
import random
import sys
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from key_codecs import way  # noqa: F401 - used by all tests
from kvlayer._key_parts import PlainCodec
from kvlayer.errors import BadKey, SerializationError
from kvlayer.keys import Key, KeyCodec

Types = tuple[type, ...]

_AROUND = (-2, -1, 0, 1, 2)
NASTY: dict[type, list[Any]] = {
    str: [
        *[
            "",
            "\0",
            "\0\0",
            "\0\1",
            "\1",
            "\1\0",
            "\1\1",
            "\1\2",
            "\2",
            "\t",
            "a",
            "a\0",
            "a\0b",
            "a\1",
            "a\2",
        ],
        *["aa", "ab", "b", "\x7f", "\x80", "é", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"],
        *["\uffff\uffff", "\U0010ffff\U0010ffff", "\U0010ffff\0"],
    ],
    bytes: [
        *[
            b"",
            b"\0",
            b"\0\0",
            b"\0\1",
            b"\1",
            b"\1\0",
            b"\1\1",
            b"\1\2",
            b"\2",
            b"a",
            b"a\0",
            b"a\0b",
            b"a\1",
        ],
        *[b"aa", b"ab", b"b", b"\x7f", b"\x80", b"\xfe", b"\xff", b"\xff\0", b"\xff\1", b"\xff\xff"],
    ],
    int: [
        *[
            around + sign * 2**power
            for power in (0, 7, 8, 32, 63, 64, 200)
            for sign in (-1, 1)
            for around in _AROUND
        ],
        *[sign * 10**199 for sign in (-1, 1)],
    ],
    float: [
        *[
            sign * size
            for size in (0.0, 5e-324, sys.float_info.min, 0.1, 1.0, 1.5, 2.0**53)
            for sign in (-1, 1)
        ],
        *[sign * size for size in (sys.float_info.max, float("inf")) for sign in (-1, 1)],
    ],
    UUID: [
        UUID(int=i) for i in (0, 1, 0xFF, 2**64 - 1, 2**64, 2**127, 2**128 - 2**8, 0xFF << 120, 2**128 - 1)
    ],
}

PARTS: dict[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(NASTY[str]) | st.text(max_size=8) | st.text(alphabet="\0\1\2a", max_size=5),
    bytes: st.sampled_from(NASTY[bytes]) | st.binary(max_size=8),
    int: st.sampled_from(NASTY[int]) | st.integers() | st.integers(-(2**300), 2**300),
    float: st.sampled_from(NASTY[float]) | st.floats(allow_nan=False),
    UUID: st.sampled_from(NASTY[UUID]) | st.uuids(),
}

thorough = settings(max_examples=300, deadline=None)

SCHEMAS = st.lists(st.sampled_from(list(PARTS)), min_size=1, max_size=4).map(tuple)


def keys_of(types: Types) -> st.SearchStrategy[Key]:
    return st.tuples(*(PARTS[part] for part in types))


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Types, Key, Key]:
    """A schema and two keys of it, which often begin with the same parts."""
    types = draw(SCHEMAS)
    first, second = draw(keys_of(types)), draw(keys_of(types))
    shared = draw(st.integers(0, len(types)))
    return types, first, first[:shared] + second[shared:]


@st.composite
def tables_with_range(draw: st.DrawFn) -> tuple[Types, set[Key], Key | None, Key | None]:
    """A schema, some keys of it, and the two ends of a range, often made of parts of those keys."""
    types = draw(SCHEMAS)
    keys = draw(st.lists(keys_of(types), min_size=1, max_size=12))
    # Keys that share parts with others are where an end is easily off by one.
    keys += [one[: len(types) // 2] + other[len(types) // 2 :] for one, other in itertools.pairwise(keys)]
    ends = st.none() | st.builds(
        lambda key, length: key[:length], st.sampled_from(keys) | keys_of(types), st.integers(0, len(types))
    )
    return types, set(keys), draw(ends), draw(ends)


def exactly(key: Key) -> list[tuple[type, str]]:
    """What == does not see: the types of parts, and a zero's sign."""
    return [(type(part), repr(part)) for part in key]


def normal(key: Key) -> Key:
    return tuple(part + 0.0 if type(part) is float else part for part in key)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_schema_keeps_the_order_of_nasty_keys(length: int) -> None:
    random_ = random.Random(length)
    for types in itertools.product(PARTS, repeat=length):
        codec, plain = KeyCodec(types, "t"), PlainCodec(types, "t")
        keys = [tuple(random_.choice(NASTY[part]) for part in types) for _ in range(30)]
        keys += [one[:at] + other[at:] for one, other in itertools.pairwise(keys) for at in range(1, length)]
        encoded = codec.encode_many(keys)
        assert encoded == [codec.encode(key) for key in keys] == [plain.encode(key) for key in keys]
        in_order = sorted(zip(keys, encoded, strict=True))
        assert [data for _, data in in_order] == sorted(encoded)
        for (key, data), (next_key, next_data) in itertools.pairwise(in_order):
            assert (key < next_key) == (data < next_data)
        decoded = codec.decode_many(encoded)
        assert decoded == [codec.decode(data) for data in encoded] == [plain.decode(data) for data in encoded]
        assert [exactly(key) for key in decoded] == [exactly(normal(key)) for key in keys]


@pytest.mark.parametrize("part", PARTS)
def test_all_pairs_of_nasty_parts_keep_their_order_first_and_last(part: type) -> None:
    last, first = KeyCodec((part,), "t"), KeyCodec((part, part), "t")
    low, high = min(NASTY[part]), max(NASTY[part])
    for one, other in itertools.product(NASTY[part], repeat=2):
        assert (one < other) == (last.encode((one,)) < last.encode((other,)))
        # Whatever follows, the first part decides, unless they are equal.
        assert (one < other) == (first.encode((one, high)) < first.encode((other, low))) or one == other


@thorough
@given(neighbours())
def test_order_is_kept(sample: tuple[Types, Key, Key]) -> None:
    types, one, other = sample
    codec = KeyCodec(types, "t")
    a, b = codec.encode(one), codec.encode(other)
    assert (one < other) == (a < b)
    assert (one == other) == (a == b)


@thorough
@given(neighbours())
def test_decode_is_the_inverse(sample: tuple[Types, Key, Key]) -> None:
    types, *keys = sample
    codec, plain = KeyCodec(types, "t"), PlainCodec(types, "t")
    encoded = codec.encode_many(iter(keys))
    assert encoded == list(map(codec.encode, keys)) == list(map(plain.encode, keys))
    decoded = codec.decode_many(tuple(encoded))
    assert decoded == list(map(codec.decode, encoded)) == list(map(plain.decode, encoded))
    assert list(map(exactly, decoded)) == [exactly(normal(key)) for key in keys]


@thorough
@given(tables_with_range())
def test_a_range_holds_what_the_tuples_say(sample: tuple[Types, set[Key], Key | None, Key | None]) -> None:
    types, keys, start, end = sample
    codec = KeyCodec(types, "t")
    start_parts, end_parts = start or (), end or ()
    inside = {
        key for key in keys if key[: len(start_parts)] >= start_parts and key[: len(end_parts)] <= end_parts
    }
    common = min(len(start_parts), len(end_parts))
    encoded = codec.range(start, end)
    if start_parts[:common] > end_parts[:common]:
        assert encoded is None
        assert not inside
    else:
        assert encoded is not None
        first, behind = encoded
        assert inside == {
            key
            for key in keys
            if first <= codec.encode(key) and (behind is None or codec.encode(key) < behind)
        }


@thorough
@given(SCHEMAS.flatmap(lambda types: st.tuples(st.just(types), keys_of(types))))
def test_nothing_lies_between_a_key_and_the_end_of_its_own_range(sample: tuple[Types, Key]) -> None:
    types, key = sample
    codec = KeyCodec(types, "t")
    assert codec.range(key, key) == (codec.encode(key), codec.encode(key) + b"\0")


_FRAGMENTS = st.sampled_from(
    [
        *[b"\0", b"\1", b"\2", b"\1\1", b"\1\2", b"\1\3", b"a", b"\xff", b"\xc3\xa9", b"\xc0\x80", b"\xed\xa0\x80"],
        *[bytes(8), b"\xff" * 8, b"\x80" + bytes(7), b"\x7f" + b"\xff" * 7, b"\xff\xf0" + bytes(6), b"\0\x0f" + b"\xff" * 6],
        *[b"\xff" * 8 + bytes((0, 0, 0, length)) for length in (0, 1, 8, 9)],
        *[bytes(8) + bytes((255, 255, 255, 255 - length)) for length in (0, 1, 8, 9)],
        *[bytes(7), b"\xff" * 7, bytes(16), b"\xff" * 15],
    ]
)  # fmt: skip


@thorough
@given(SCHEMAS, st.binary(max_size=40) | st.lists(_FRAGMENTS, max_size=6).map(b"".join))
def test_any_bytes_are_a_key_or_refused(types: Types, data: bytes) -> None:
    refused_or_inverse(types, data)


@thorough
@given(neighbours(), st.data())
def test_a_damaged_key_is_another_key_or_refused(sample: tuple[Types, Key, Key], data: st.DataObject) -> None:
    types, key, _ = sample
    stored = KeyCodec(types, "t").encode(key)
    start = data.draw(st.integers(0, len(stored)))
    stop = data.draw(st.integers(start, min(len(stored), start + 3)))
    refused_or_inverse(types, stored[:start] + data.draw(_FRAGMENTS | st.just(b"")) + stored[stop:])


def refused_or_inverse(types: Types, data: bytes) -> None:
    codec, plain = KeyCodec(types, "t"), PlainCodec(types, "t")
    try:
        key = codec.decode(data)
    except SerializationError:
        with pytest.raises(SerializationError):
            codec.decode_many([data])
        with pytest.raises(SerializationError):
            plain.decode(data)
    else:
        assert codec.encode(key) == data
        assert exactly(key) == exactly(codec.decode_many([data])[0]) == exactly(plain.decode(data))


_ANYTHING = st.one_of(
    *PARTS.values(),
    st.none(),
    st.booleans(),
    st.just("\ud800"),
    st.just(float("nan")),
    st.lists(st.integers()),
)


@thorough
@given(SCHEMAS, st.lists(_ANYTHING, max_size=5).map(tuple) | st.lists(_ANYTHING, max_size=4) | _ANYTHING)
def test_anything_else_is_refused_in_the_same_words_wherever_it_stands(types: Types, key: Any) -> None:
    codec, plain = KeyCodec(types, "t"), PlainCodec(types, "t")
    good = tuple(NASTY[part][0] for part in types)
    try:
        encoded = plain.encode(key)
    except BadKey as error:
        for refuse in (codec.encode, lambda key: codec.encode_many([good, key, good])):
            with pytest.raises(BadKey) as caught:
                refuse(key)
            assert str(caught.value) == str(error)
    else:
        assert codec.encode(key) == encoded
        assert codec.encode_many([good, key]) == [plain.encode(good), encoded]
