"""The types of key parts, and the key format as plainly as it can be written (docs/key-format.md).

`PlainCodec` goes through a key part by part. It is the reference that the compiled functions of
`kvlayer._key_compiler` must agree with, and what they hand over to for whatever is rare: parts of
subclasses, escapes, ints beyond 8 bytes, and keys or bytes that must be refused.
"""

from __future__ import annotations

import reprlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID, SafeUUID

from kvlayer.errors import BadKey, SerializationError

Key: TypeAlias = tuple[Any, ...]

INT_OFFSET: Final = 2**63
"""What is added to an int so that 8 unsigned bytes hold it."""

INT_LOW: Final = -(2**63)
"""The ints between `INT_LOW` and `INT_HIGH`, both excluded, take 8 bytes; the others follow a marker."""

INT_HIGH: Final = 2**63 - 1

ALL_ONES: Final = 2**64 - 1

TERMINATOR: Final = b"\x00"
"""Ends a str or bytes part that is not the last."""

_SIGN_BIT: Final = 2**63
_BELOW: Final = bytes(8)
_ABOVE: Final = b"\xff" * 8
_LENGTH_BYTES: Final = 4

_unsigned: Final = struct.Struct(">Q")
_double: Final = struct.Struct(">d")
_set_uuid_int: Final = vars(UUID)["int"].__set__
_set_uuid_safety: Final = vars(UUID)["is_safe"].__set__
_UNKNOWN_SAFETY: Final = SafeUUID.unknown  # an enum looks its members up slowly


def escape(part: bytes) -> bytes:
    """Makes room for the terminator below every byte: 01 → 01 02, then 00 → 01 01."""
    return part.replace(b"\x01", b"\x01\x02").replace(b"\x00", b"\x01\x01")


def _unescape(part: bytes) -> bytes:
    # In this order: what follows a 01 is never another escape's first byte.
    return part.replace(b"\x01\x01", b"\x00").replace(b"\x01\x02", b"\x01")


def encode_float(value: float) -> int:
    """A float as 64 bits that sort by its value. Raises ValueError for NaN."""
    if value != value:
        raise ValueError("is NaN, which has no place in an order")
    bits: int = _unsigned.unpack(_double.pack(value + 0.0))[0]  # -0.0 + 0.0 is 0.0
    return bits ^ _SIGN_BIT if bits < _SIGN_BIT else bits ^ ALL_ONES


def decode_float(bits: int) -> float:
    """The inverse of `encode_float`. Raises ValueError for bits that it doesn't make."""
    bits = bits ^ _SIGN_BIT if bits >= _SIGN_BIT else bits ^ ALL_ONES
    value: float = _double.unpack(_unsigned.pack(bits))[0]
    if value != value or bits == _SIGN_BIT:
        raise ValueError("NaN or -0.0, which no key holds")
    return value


def decode_uuid(stored: bytes) -> UUID:
    """The UUID of 16 bytes; as `UUID(bytes=stored)`, in a third of the time.

    UUID's constructor checks and converts much that needs neither here, so its slots are filled directly.
    """
    value = UUID.__new__(UUID)
    _set_uuid_int(value, int.from_bytes(stored, "big"))
    _set_uuid_safety(value, _UNKNOWN_SAFETY)
    return value


def _encode_int(value: int) -> bytes:
    if INT_LOW < value < INT_HIGH:
        return _unsigned.pack(value + INT_OFFSET)
    magnitude = abs(value).to_bytes((value.bit_length() + 7) // 8, "big")
    try:
        stored = len(magnitude).to_bytes(_LENGTH_BYTES, "big") + magnitude
    except OverflowError:
        raise ValueError("is an int of more than 4 GiB") from None
    return _ABOVE + stored if value > 0 else _BELOW + _complement(stored)


def _decode_int(data: bytes, start: int) -> tuple[int, int]:
    stop = start + 8
    pattern = data[start:stop]
    if pattern not in (_BELOW, _ABOVE):
        return _unsigned.unpack(pattern)[0] - INT_OFFSET, stop
    adjusted = _complement if pattern == _BELOW else bytes
    start, stop = stop, stop + _LENGTH_BYTES
    length = int.from_bytes(adjusted(data[start:stop]), "big")
    start, stop = stop, stop + length
    magnitude = int.from_bytes(adjusted(data[start:stop]), "big")
    return (-magnitude if pattern == _BELOW else magnitude), stop


def _complement(stored: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in stored)


def _encode_str(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise ValueError("is a str with a lone surrogate, which is no character") from None


def _decode_fixed(width: int, decode: Callable[[bytes], Any]) -> Callable[[bytes, int], tuple[Any, int]]:
    return lambda data, start: (decode(data[start : start + width]), start + width)


@dataclass(frozen=True, slots=True)
class PartType:
    """How parts of one type are stored. Of the functions, all but `plain` raise ValueError."""

    name: str  # in the catalogue
    python_type: type
    plain: Callable[[Any], Any]  # a subclass's value, whatever methods the subclass overrides
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any] | None = None  # of types whose end must be marked: the whole part
    decode_at: Callable[[bytes, int], tuple[Any, int]] | None = None  # of others: the part, its end

    @property
    def marked(self) -> bool:
        """Whether a terminator follows where another part follows."""
        return self.decode is not None


PART_TYPES: Final = {
    part.python_type: part
    for part in (
        PartType("str", str, str.__str__, _encode_str, decode=bytes.decode),
        PartType("int", int, int.__pos__, _encode_int, decode_at=_decode_int),
        PartType(
            "uuid",
            UUID,
            lambda value: UUID(int=value.int),
            lambda value: value.int.to_bytes(16, "big"),
            decode_at=_decode_fixed(16, lambda stored: UUID(bytes=stored)),
        ),
        PartType("bytes", bytes, lambda value: b"".join((value,)), bytes, decode=bytes),
        PartType(
            "float",
            float,
            float.__pos__,
            lambda value: _unsigned.pack(encode_float(value)),
            decode_at=_decode_fixed(8, lambda stored: decode_float(_unsigned.unpack(stored)[0])),
        ),
    )
}
"""The types that key parts may have."""


class _Shown(reprlib.Repr):
    """A short `repr`, also of ints that have too many digits for Python's own."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80
        self.maxtuple = self.maxlist = 64

    def repr_int(self, x: int, level: int) -> str:
        bits = x.bit_length()
        return repr(x) if bits <= 1024 else f"<int of {bits} bits>"

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x) if len(x) <= self.maxstring else f"<{len(x)} bytes>"


_shown: Final = _Shown().repr


class PlainCodec:
    """Encodes and decodes the keys of one table part by part, checking everything."""

    __slots__ = ("_parts", "_schema", "_table")

    def __init__(self, types: tuple[type, ...], table: str) -> None:
        self._parts = [PART_TYPES[part] for part in types]
        self._schema = f"({', '.join(part.__name__ for part in types)}{',' * (len(types) == 1)})"
        self._table = table

    def encode(self, key: Key) -> bytes:
        """Raises BadKey for a key that doesn't fit the table."""
        self._check_tuple(key, "a key")
        if len(key) != len(self._parts):
            raise BadKey(
                f"table {self._table!r}: key {_shown(key)} has {_parts(len(key))},"
                f" expected {len(self._parts)}: {self._schema}"
            )
        return self._encode_parts(key, "key")

    def encode_prefix(self, key: Key) -> bytes:
        """What the encodings of all keys that begin with these parts, fewer than a key's, begin with.

        Raises BadKey.
        """
        self._check_tuple(key, "the end of a range")
        if len(key) > len(self._parts):
            raise BadKey(
                f"table {self._table!r}: range end {_shown(key)} has {_parts(len(key))},"
                f" expected at most {len(self._parts)}: {self._schema}"
            )
        return self._encode_parts(key, "range end")

    def decode(self, data: bytes) -> Key:
        """Raises SerializationError for bytes that `encode` doesn't make."""
        try:
            key = self._parse(data)
            if self._encode_parts(key, "key") == data:
                return key
            reason = "it is not how that key is written"
        except (ValueError, struct.error) as error:
            reason = str(error)
        shown = data[:40].hex() + "…" * (len(data) > 40)
        raise SerializationError(
            f"table {self._table!r}: {len(data)} stored bytes are no key of {self._schema}: {shown}: {reason}"
        )

    def _parse(self, data: bytes) -> Key:
        """The key as far as it can be read; what is overlong or odd shows when it is encoded again."""
        key = []
        start, last = 0, len(self._parts) - 1
        for position, part in enumerate(self._parts):
            if part.decode_at is not None:
                value, start = part.decode_at(data, start)
            elif part.decode is not None and position == last:
                value, start = part.decode(data[start:]), len(data)
            elif part.decode is not None:
                stop = data.index(TERMINATOR, start)
                value, start = part.decode(_unescape(data[start:stop])), stop + 1
            key.append(value)
        return tuple(key)

    def _check_tuple(self, key: object, what: str) -> None:
        if type(key) is not tuple:
            raise BadKey(
                f"table {self._table!r}: {what} must be a tuple of {self._schema},"
                f" not {type(key).__name__}: {_shown(key)}"
            )

    def _encode_parts(self, key: Key, what: str) -> bytes:
        encoded = []
        for position, (value, part) in enumerate(zip(key, self._parts, strict=False), 1):
            try:
                stored = part.encode(self._plain(value, part))
            except ValueError as error:
                raise BadKey(
                    f"table {self._table!r}: part {position} of {what} {_shown(key)} {error}"
                ) from None
            if part.marked and position < len(self._parts):
                stored = escape(stored) + TERMINATOR
            encoded.append(stored)
        return b"".join(encoded)

    @staticmethod
    def _plain(value: object, part: PartType) -> Any:
        """The value, of a subclass as its plain type; raises ValueError for another type."""
        if type(value) is part.python_type:
            return value
        if not isinstance(value, part.python_type) or isinstance(value, bool):
            raise ValueError(f"must be {part.python_type.__name__}, not {type(value).__name__}")
        return part.plain(value)


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"
