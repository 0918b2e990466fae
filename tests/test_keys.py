"""What a key codec takes, what it refuses and how it says so; and schemas of tables."""

from __future__ import annotations

import copy
import enum
import pickle
from collections import namedtuple
from typing import Any
from uuid import UUID, SafeUUID, uuid4

import pytest

from key_codecs import way  # noqa: F401 - used by all tests
from kvlayer._key_parts import PART_TYPES, decode_uuid
from kvlayer.errors import BadKey, ConfigurationError, SerializationError
from kvlayer.keys import MAX_PARTS, KeyCodec, schema, type_names, types_named

ALL = (str, int, UUID, bytes, float)


class Word(str):
    __slots__ = ()

    def encode(self, *args: str) -> bytes:
        raise AssertionError("an overridden method must not count")

    def __str__(self) -> str:
        return "something else"


class Number(enum.IntEnum):
    SEVEN = 7


class Ratio(float):
    def __add__(self, other: object) -> float:
        return 0.0


class Blob(bytes):
    def replace(self, *args: Any) -> bytes:
        return b""

    def __bytes__(self) -> bytes:
        return b"something else"


class Identity(UUID):
    @property
    def bytes(self) -> bytes:
        return b""


class TestSchema:
    def test_a_tuple_or_list_of_types(self) -> None:
        assert schema(ALL, "t") == schema(list(ALL), "t") == ALL

    def test_a_number_means_so_many_uuids(self) -> None:
        assert schema(2, "t") == (UUID, UUID)
        assert schema(MAX_PARTS, "t") == (UUID,) * MAX_PARTS

    @pytest.mark.parametrize("wrong", [(), [], 0, -1, MAX_PARTS + 1, 10**30, (str,) * (MAX_PARTS + 1)])
    def test_the_number_of_parts_is_limited(self, wrong: object) -> None:
        with pytest.raises(ConfigurationError, match="table 'cities'.*1 to 64 parts"):
            schema(wrong, "cities")

    @pytest.mark.parametrize("wrong", [bool, object, type(None), "str", None, 1, dict, list[int], int | str])
    def test_a_part_of_another_type_is_named(self, wrong: object) -> None:
        with pytest.raises(
            ConfigurationError, match="table 'cities': .* key part 2 is one of str, int, uuid"
        ):
            schema((str, wrong), "cities")

    @pytest.mark.parametrize("wrong", [None, True, 2.0, "str", str, {str: 1}, iter([str])])
    def test_anything_else_is_no_schema(self, wrong: object) -> None:
        with pytest.raises(ConfigurationError, match="table 'cities': key types are a tuple of str, int"):
            schema(wrong, "cities")

    def test_a_codec_checks_its_types_too(self) -> None:
        with pytest.raises(ConfigurationError):
            KeyCodec((str, complex), "t")

    def test_names_of_types_in_the_catalogue(self) -> None:
        assert type_names(ALL) == ["str", "int", "uuid", "bytes", "float"]
        assert types_named(type_names(ALL)) == ALL

    def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(SerializationError, match="'decimal'"):
            types_named(["str", "decimal"])


class TestEncode:
    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (("a", True), "table 'cities': part 2 of key ('a', True) must be int, not bool"),
            (("a", 1.0), "table 'cities': part 2 of key ('a', 1.0) must be int, not float"),
            ((b"a", 1), "table 'cities': part 1 of key (b'a', 1) must be str, not bytes"),
            ((None, 1), "table 'cities': part 1 of key (None, 1) must be str, not NoneType"),
            (("a",), "table 'cities': key ('a',) has 1 part, expected 2: (str, int)"),
            ((), "table 'cities': key () has 0 parts, expected 2: (str, int)"),
            (("a", 1, 2), "table 'cities': key ('a', 1, 2) has 3 parts, expected 2: (str, int)"),
            (["a", 1], "table 'cities': a key must be a tuple of (str, int), not list: ['a', 1]"),
            ("a1", "table 'cities': a key must be a tuple of (str, int), not str: 'a1'"),
            (None, "table 'cities': a key must be a tuple of (str, int), not NoneType: None"),
            (
                ("\ud800", 1),
                r"table 'cities': part 1 of key ('\ud800', 1) is a str with a lone surrogate,"
                " which is no character",
            ),
        ],
    )
    def test_a_key_that_does_not_fit_is_refused_by_name(self, key: Any, message: str) -> None:
        codec = KeyCodec((str, int), "cities")
        with pytest.raises(BadKey) as caught:
            codec.encode(key)
        assert str(caught.value) == message
        with pytest.raises(BadKey) as caught:
            codec.encode_many(iter([("a", 1), ("b", 2), key, ("c", 3), (4, 4)]))
        assert str(caught.value) == message

    def test_a_lone_surrogate_is_refused_in_the_last_part_too(self) -> None:
        with pytest.raises(BadKey, match="part 1 .*lone surrogate"):
            KeyCodec((str,), "t").encode(("a\udfff",))

    def test_nan_is_refused(self) -> None:
        with pytest.raises(BadKey, match="table 't': part 2 of key .1, nan. is NaN"):
            KeyCodec((int, float), "t").encode((1, float("nan")))

    def test_an_int_is_no_float(self) -> None:
        with pytest.raises(BadKey, match="part 1 of key .1,. must be float, not int"):
            KeyCodec((float,), "t").encode((1,))

    def test_a_subclass_of_tuple_is_no_key(self) -> None:
        point = namedtuple("point", "x y")
        with pytest.raises(BadKey, match="must be a tuple of .int, int., not point"):
            KeyCodec((int, int), "t").encode(point(1, 2))

    def test_messages_stay_short_and_can_be_made(self) -> None:
        codec = KeyCodec((str, bytes, int, float), "t")
        with pytest.raises(BadKey) as caught:
            codec.encode(("x" * 10**6, b"y" * 10**6, 10**5000, None))
        assert "part 4" in str(caught.value)
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize(
        ("part", "plain"),
        [
            (Word("a\0b"), "a\0b"),
            (Word("ab"), "ab"),
            (Number.SEVEN, 7),
            (Ratio(1.5), 1.5),
            (Blob(b"a\0b"), b"a\0b"),
            (Identity(int=5), UUID(int=5)),
        ],
        ids=["str with NUL", "str", "int", "float", "bytes", "uuid"],
    )
    def test_a_subclass_counts_by_its_value_and_comes_back_plain(self, part: Any, plain: Any) -> None:
        codec = KeyCodec((type(plain), str), "t")
        encoded = codec.encode((part, "z"))
        assert encoded == codec.encode((plain, "z"))
        assert codec.encode_many([(plain, "z"), (part, "z")]) == [encoded, encoded]
        (decoded, _) = codec.decode(encoded)
        assert decoded == plain
        assert type(decoded) is type(plain)

    def test_an_empty_batch(self) -> None:
        codec = KeyCodec((str,), "t")
        assert codec.encode_many([]) == codec.encode_many(iter(())) == []
        assert codec.decode_many([]) == []

    def test_a_batch_may_be_any_iterable(self) -> None:
        codec = KeyCodec((str, int), "t")
        keys = [("a", 1), ("b\0", 2), ("c", 2**70)]
        encoded = [codec.encode(key) for key in keys]
        for batch in (keys, tuple(keys), iter(keys), dict.fromkeys(keys), (key for key in keys)):
            assert codec.encode_many(batch) == encoded
        for page in (encoded, tuple(encoded), iter(encoded)):
            assert codec.decode_many(page) == keys

    def test_the_longest_schema(self) -> None:
        types = tuple(ALL[position % 5] for position in range(MAX_PARTS))
        key = tuple({str: "a", int: -1, UUID: UUID(int=9), bytes: b"b", float: -1.5}[part] for part in types)
        codec = KeyCodec(types, "t")
        assert codec.decode(codec.encode(key)) == key

    def test_two_tables_of_one_schema_keep_their_names(self) -> None:
        one, other = KeyCodec((str,), "one"), KeyCodec((str,), "other")
        for codec in (one, other):
            with pytest.raises(BadKey, match=f"table '{codec.table}'"):
                codec.encode((1,))


class TestDecode:
    @pytest.mark.parametrize(
        ("types", "stored"),
        [
            ((str,), "ff"),  # no UTF-8
            ((str,), "c080"),  # an overlong NUL
            ((str,), "eda080"),  # a surrogate
            ((str, str), "61"),  # no terminator
            ((str, str), "0100"),  # an escape cut off
            ((str, str), "010300"),  # an unknown escape
            ((str, int), "6100" + "80" + "00" * 6),  # truncated
            ((str, int), "6100" + "80" + "00" * 8),  # trailing bytes
            ((bytes, str), "0103" + "00"),
            ((UUID,), "00" * 15),
            ((UUID,), "00" * 17),
            ((UUID, str), "00" * 15),
            ((int,), ""),
            ((int,), "ff" * 8),  # a marker and nothing behind it
            ((int,), "ff" * 8 + "00000008" + "7ffffffffffffffe"),  # fits into 8 bytes
            ((int,), "ff" * 8 + "00000009" + "008000000000000000"),  # a leading zero
            ((int,), "ff" * 8 + "0000000a" + "010000000000000000"),  # shorter than it says
            ((int,), "ff" * 8 + "ffffffff" + "01"),
            ((int,), "00" * 8 + "fffffff7" + "8000000000000000"),  # would be -(2**63 - 1)
            ((float,), "7f" + "ff" * 7),  # -0.0
            ((float,), "fff0000000000001"),  # NaN
            ((float,), "00" * 8),  # NaN
            ((float, int), "80" + "00" * 7),
        ],
    )
    def test_bytes_that_no_key_has_are_refused(self, types: tuple[type, ...], stored: str) -> None:
        codec = KeyCodec(types, "cities")
        with pytest.raises(SerializationError, match="table 'cities': .* stored bytes are no key of"):
            codec.decode(bytes.fromhex(stored))
        good = codec.encode(
            tuple({str: "a", int: 5, UUID: uuid4(), bytes: b"b", float: 0.5}[t] for t in types)
        )
        with pytest.raises(SerializationError, match="table 'cities'"):
            codec.decode_many([good, bytes.fromhex(stored), good])

    def test_a_uuid_comes_back_as_a_true_one(self) -> None:
        made = uuid4()
        decoded = decode_uuid(made.bytes)
        assert type(decoded) is UUID
        assert decoded == made
        assert hash(decoded) == hash(made)
        assert (str(decoded), decoded.version, decoded.is_safe) == (str(made), 4, SafeUUID.unknown)
        assert pickle.loads(pickle.dumps(decoded)) == copy.copy(decoded) == copy.deepcopy(decoded) == made


class TestRange:
    def test_no_ends(self) -> None:
        codec = KeyCodec((str, str), "t")
        assert codec.range(None, None) == codec.range((), ()) == codec.range(None, ()) == (b"", None)

    def test_a_short_end_stands_for_its_extensions_alone(self) -> None:
        codec = KeyCodec((str, str), "t")
        found = codec.range(("a",), ("a",))
        assert found is not None
        first, behind = found
        assert behind is not None
        inside = [("a", ""), ("a", "\0"), ("a", "\U0010ffff")]
        outside = [("", "z"), ("a\0", ""), ("a\1", ""), ("ab", ""), ("A", "")]
        assert all(first <= codec.encode(key) < behind for key in inside)
        assert not any(first <= codec.encode(key) < behind for key in outside)

    def test_the_last_value_of_all_has_no_end(self) -> None:
        last = UUID(int=2**128 - 1)
        assert KeyCodec((UUID, str), "t").range(None, (last,)) == (b"", None)
        assert KeyCodec((UUID,), "t").range(None, (last,)) == (b"", b"\xff" * 16 + b"\0")

    def test_a_start_behind_the_end_is_empty(self) -> None:
        codec = KeyCodec((str, int), "t")
        assert codec.range(("b",), ("a",)) is None
        assert codec.range(("a", 2), ("a", 1)) is None
        assert KeyCodec((str,), "t").range(("a\0",), ("a",)) is None
        assert codec.range(("a", 2), ("a",)) is not None
        assert codec.range(("a",), ("a", -(2**100))) is not None

    @pytest.mark.parametrize(
        ("end", "message"),
        [
            (("a", 1, 2), "range end ('a', 1, 2) has 3 parts, expected at most 2: (str, int)"),
            ((1,), "part 1 of range end (1,) must be str, not int"),
            (("a", "b"), "part 2 of key ('a', 'b') must be int, not str"),
            (["a"], "the end of a range must be a tuple of (str, int), not list: ['a']"),
            ("a", "the end of a range must be a tuple of (str, int), not str: 'a'"),
        ],
    )
    def test_ends_that_do_not_fit_are_refused(self, end: Any, message: str) -> None:
        codec = KeyCodec((str, int), "cities")
        for ends in ((end, None), (None, end), (("z",), end)):
            with pytest.raises(BadKey) as caught:
                codec.range(*ends)
            assert str(caught.value) == f"table 'cities': {message}"


def test_every_part_type_is_allowed_and_documented_as_such() -> None:
    assert set(PART_TYPES) == set(ALL)
