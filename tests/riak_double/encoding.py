"""The wire format of Protocol Buffers, by hand: https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations

VARINT, BYTES = 0, 2

Fields = dict[int, list[int | bytes]]
"""Field number → its values, in their order."""


class Malformed(ValueError):
    """Bytes that are no message."""


def decode(data: bytes) -> Fields:
    """All fields of a message. Raises Malformed."""
    fields: Fields = {}
    position, end = 0, len(data)
    while position < end:
        key, position = _read_varint(data, position)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == VARINT:
            value, position = _read_varint(data, position)
        elif kind == BYTES:
            size, position = _read_varint(data, position)
            value = data[position : position + size]
            if len(value) < size:
                raise Malformed("a field that ends too early")
            position += size
        else:
            raise Malformed(f"a field of kind {kind}")
        fields.setdefault(number, []).append(value)
    return fields


def varint(number: int) -> bytes:
    """A number of up to 64 bits, as it stands in a message."""
    number &= 2**64 - 1
    if number < 0x80:
        return bytes((number,))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def field(number: int, value: int | bytes) -> bytes:
    """One field."""
    if isinstance(value, bytes):
        return varint(number << 3 | BYTES) + varint(len(value)) + value
    return varint(number << 3 | VARINT) + varint(value)


def zigzag(number: int) -> int:
    """How a sint64 is written."""
    if not -(2**63) <= number < 2**63:
        raise OverflowError("a sint64 of more than 64 bits")
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """The sint64 that was written so."""
    return number >> 1 if number & 1 == 0 else -((number + 1) >> 1)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    shift = number = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Malformed("a number that does not end")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
