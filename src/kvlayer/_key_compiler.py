"""Compiles a schema of key parts into the functions that encode and decode its keys.

A loop over parts would cost more than the work on them, so each schema gets Python source of its
own, with all parts in one expression and one comprehension for a batch. It is made from constants
of this module alone: nothing that a user or a store says becomes source. For `(str, int)`::

    def encode_many(keys, encode_odd=checked_encode):
        keys = keys if type(keys) is list else list(keys)
        if {*map(type, keys)} == ONLY_TUPLES:
            try:
                return [
                    p0.encode() + pack_1(p1 + INT_OFFSET)
                    if type(p0) is str and '\\0' not in p0 and ...
                    else encode_odd((p0, p1))
                    for p0, p1 in keys
                ]
            except Exception:
                pass
        return [encode_odd(key) for key in keys]

The functions hold the common case only. Whatever fails a condition or raises is left to the checked
functions of `kvlayer._key_parts.PlainCodec`, which know every case and what is wrong with a key.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from kvlayer._key_parts import (
    ALL_ONES,
    INT_HIGH,
    INT_LOW,
    INT_OFFSET,
    Key,
    decode_float,
    decode_uuid,
    encode_float,
)


class Encode(Protocol):
    """Encodes a key; if anything is odd about it, `encode_odd` does."""

    def __call__(self, key: Any, encode_odd: Callable[[Any], bytes] = ..., /) -> bytes: ...


class EncodeMany(Protocol):
    """Encodes a batch; what is odd about a key, `encode_odd` is given."""

    def __call__(self, keys: Iterable[Any], encode_odd: Callable[[Any], bytes] = ..., /) -> list[bytes]: ...


class CompiledFunctions(NamedTuple):
    """The functions of one schema, bound to what handles the uncommon cases of one table."""

    encode: Encode
    encode_many: EncodeMany
    decode: Callable[[bytes], Key]
    decode_many: Callable[[Iterable[bytes]], list[Key]]


class Bind(Protocol):
    """Binds compiled functions to the checked ones."""

    def __call__(
        self, checked_encode: Callable[[Key], bytes], checked_decode: Callable[[bytes], Key]
    ) -> CompiledFunctions: ...


_NAMES: Final[dict[str, Any]] = {
    "ALL_ONES": ALL_ONES,
    "INT_HIGH": INT_HIGH,
    "INT_LOW": INT_LOW,
    "INT_OFFSET": INT_OFFSET,
    "UUID": UUID,
    "CompiledFunctions": CompiledFunctions,
    "decode_float": decode_float,
    "decode_uuid": decode_uuid,
    "encode_float": encode_float,
    "ONLY_TUPLES": {tuple},
}

_TEMPLATE: Final = """
def bind(checked_encode, checked_decode):
    def encode(key, encode_odd=checked_encode):
        try:
            {parts} = key
            if type(key) is tuple and {fits}:
                return {encoded}
        except Exception:
            pass
        return encode_odd(key)

    def encode_many(keys, encode_odd=checked_encode):
        keys = keys if type(keys) is list else list(keys)
        if {{*map(type, keys)}} == ONLY_TUPLES:
            try:
                return [{encoded} if {fits} else encode_odd(({parts})) for {parts} in keys]
            except Exception:
                pass
        return [encode_odd(key) for key in keys]

    def decode(data):
        try:
            {split_one}
            if {common}:
                return {decoded}
        except Exception:
            pass
        return checked_decode(data)

    def decode_many(page):
        page = page if type(page) is list else list(page)
        try:
            return [
                {decoded} if {common} else checked_decode(data)
                for data in page {split_many}
            ]
        except Exception:
            pass
        return [decode(data) for data in page]

    return CompiledFunctions(encode, encode_many, decode, decode_many)
"""


@lru_cache(maxsize=1024)
def compiled(types: tuple[type, ...]) -> Bind:
    """The functions of a schema; made once, whatever the number of tables that have it."""
    names = dict(_NAMES)
    encoder, decoder = _Encoder(types, names), _Decoder(types, names)
    source = _TEMPLATE.format(
        parts="".join(f"p{position}, " for position in range(len(types))),
        fits=" and ".join(encoder.conditions),
        encoded=" + ".join(encoder.pieces),
        common=" and ".join(decoder.conditions) or "True",
        decoded=f"({', '.join(decoder.values)},)",
        split_one="; ".join(f"{targets} = {value}" for targets, value in decoder.steps) or "pass",
        split_many=" ".join(f"for {targets} in [{value}]" for targets, value in decoder.steps),
    )
    exec(source, names)  # noqa: S102  made from the constants above
    bind: Bind = names["bind"]
    return bind


_TEXT: Final = frozenset({str, bytes})
_EIGHT_BYTES: Final = frozenset({int, float})


@dataclass
class _Encoder:
    """Source of the pieces that an encoded key is the sum of, and of what it takes to use them."""

    types: tuple[type, ...]
    names: dict[str, Any]
    conditions: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for position, part in enumerate(self.types):
            self.conditions += self._part_conditions(f"p{position}", part, position == len(self.types) - 1)
        for like, group in groupby(range(len(self.types)), self._groups_with):
            positions = list(group)
            if like is str:
                self._add_strings(positions)
            elif like is int:
                self._add_numbers(positions)
            elif like is bytes:
                self.pieces += [f"p{at}" + " + b'\\0'" * self._ends_itself(at) for at in positions]
            else:
                self.pieces += [f"p{at}.int.to_bytes(16, 'big')" for at in positions]

    def _groups_with(self, position: int) -> type:
        """A type that stands for all whose neighbouring parts are made in one go."""
        part = self.types[position]
        return int if part in _EIGHT_BYTES else part

    def _ends_itself(self, position: int) -> bool:
        """Whether a str or bytes part comes with its terminator. The last has none, and that of one
        before a number is padding of the number, which costs nothing."""
        following = self.types[position + 1 : position + 2]
        return following != () and following[0] not in _EIGHT_BYTES

    @staticmethod
    def _part_conditions(name: str, part: type, last: bool) -> list[str]:
        conditions = [f"type({name}) is {part.__name__}"]
        if part is int:
            conditions.append(f"INT_LOW < {name} < INT_HIGH")
        elif part in _TEXT and not last:
            prefix = "b" if part is bytes else ""
            conditions += [f"{prefix}'\\0' not in {name}", f"{prefix}'\\1' not in {name}"]
        return conditions

    def _add_strings(self, positions: list[int]) -> None:
        if len(positions) == 1 and not self._ends_itself(positions[0]):
            self.pieces.append(f"p{positions[0]}.encode()")
        else:
            text = "".join(f"{{p{at}}}" + "\\0" * self._ends_itself(at) for at in positions)
            self.pieces.append(f"f'{text}'.encode()")

    def _add_numbers(self, positions: list[int]) -> None:
        values = [
            f"p{at} + INT_OFFSET" if self.types[at] is int else f"encode_float(p{at})" for at in positions
        ]
        pack = f"pack_{positions[0]}"
        terminator = "x" if positions[0] and self.types[positions[0] - 1] in _TEXT else ""
        self.names[pack] = struct.Struct(f">{terminator}{len(values)}Q").pack
        self.pieces.append(f"{pack}({', '.join(values)})")


@dataclass
class _Decoder:
    """Source of the steps that take an encoded key apart, and of the values of its parts."""

    types: tuple[type, ...]
    names: dict[str, Any]
    steps: list[tuple[str, str]] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    rest: str = "data"

    def __post_init__(self) -> None:
        last = len(self.types) - 1
        for is_text, group in groupby(range(len(self.types)), lambda at: self.types[at] in _TEXT):
            positions = list(group)
            if not is_text:
                self._add_fixed(positions, positions[-1] == last)
            elif positions[-1] != last:
                self._add_marked(positions)
            elif len(positions) > 1 and {self.types[at] for at in positions} == {str}:
                self._add_only_strings(positions)
            else:
                self._add_marked(positions[:-1])
                self.values.append(self.rest + ".decode()" * (self.types[last] is str))

    def _add_marked(self, positions: list[int]) -> None:
        """Parts of str and bytes, each with a terminator, and more behind them."""
        if not positions:
            return
        rest = f"rest_{positions[-1]}"
        targets = "".join(f"s{at}, " for at in positions)
        self.steps.append((f"{targets}{rest}", f"{self.rest}.split(b'\\0', {len(positions)})"))
        self.rest = rest
        self.conditions += [f"1 not in s{at}" for at in positions]
        self.values += [f"s{at}" + ".decode()" * (self.types[at] is str) for at in positions]

    def _add_only_strings(self, positions: list[int]) -> None:
        """Parts of str up to the end, decoded at once."""
        targets = ", ".join(f"s{at}" for at in positions)
        self.steps.append((targets, f"{self.rest}.decode().split('\\0', {len(positions) - 1})"))
        self.conditions += [f"'\\1' not in s{at}" for at in positions[:-1]]
        self.values += [f"s{at}" for at in positions]

    def _add_fixed(self, positions: list[int], last: bool) -> None:
        """Neighbouring parts of fixed width."""
        layout = struct.Struct(">" + "".join("16s" if self.types[at] is UUID else "Q" for at in positions))
        unpack = f"unpack_{positions[0]}"
        self.names[unpack] = layout.unpack if last else layout.unpack_from
        self.steps.append(("".join(f"n{at}, " for at in positions), f"{unpack}({self.rest})"))
        if not last:
            rest = f"rest_{positions[-1]}"
            self.steps.append((rest, f"{self.rest}[{layout.size}:]"))
            self.rest = rest
        for at in positions:
            if self.types[at] is int:
                self.conditions.append(f"0 < n{at} < ALL_ONES")
                self.values.append(f"n{at} - INT_OFFSET")
            else:
                self.values.append(f"decode_{'uuid' if self.types[at] is UUID else 'float'}(n{at})")
