"""Erlang's external term format, as far as Riak stores counters in it.

https://www.erlang.org/doc/apps/erts/erl_ext_dist.html
"""

from __future__ import annotations

import zlib
from typing import Any, Final

_VERSION: Final = 131
_COMPRESSED: Final = 80

_SMALL_INTEGER: Final = 97
_INTEGER: Final = 98
_SMALL_TUPLE: Final = 104
_LARGE_TUPLE: Final = 105
_NIL: Final = 106
_STRING: Final = 107
_LIST: Final = 108
_BINARY: Final = 109
_SMALL_BIG: Final = 110
_LARGE_BIG: Final = 111
_ATOMS: Final = {100: 2, 115: 1, 118: 2, 119: 1}
"""Tag → how many bytes its length has."""


def decode_term(data: bytes) -> Any:
    """Integers, binaries (bytes), atoms (str), lists and tuples. Raises ValueError for anything else."""
    try:
        if data[0] != _VERSION:
            raise ValueError("not an Erlang term")
        if data[1] == _COMPRESSED:
            return _Reader(zlib.decompress(data[6:])).term()
        return _Reader(data[1:]).term()
    except (IndexError, zlib.error) as error:
        raise ValueError("a damaged Erlang term") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def term(self) -> Any:
        tag = self._number(1)
        if tag == _SMALL_INTEGER:
            return self._number(1)
        if tag == _INTEGER:
            return int.from_bytes(self._bytes(4), "big", signed=True)
        if tag in (_SMALL_BIG, _LARGE_BIG):
            return self._big(self._number(1 if tag == _SMALL_BIG else 4))
        if tag in (_SMALL_TUPLE, _LARGE_TUPLE):
            return tuple(self.term() for _ in range(self._number(1 if tag == _SMALL_TUPLE else 4)))
        if tag == _NIL:
            return []
        if tag == _LIST:
            items = [self.term() for _ in range(self._number(4))]
            if self.term() != []:
                raise ValueError("an improper Erlang list")
            return items
        if tag == _STRING:  # a list of small integers
            return list(self._bytes(self._number(2)))
        if tag == _BINARY:
            return self._bytes(self._number(4))
        if tag in _ATOMS:
            return self._bytes(self._number(_ATOMS[tag])).decode("utf-8", "replace")
        raise ValueError(f"an Erlang term of the unknown kind {tag}")

    def _big(self, length: int) -> int:
        negative = self._number(1)
        magnitude = int.from_bytes(self._bytes(length), "little")
        return -magnitude if negative else magnitude

    def _number(self, length: int) -> int:
        return int.from_bytes(self._bytes(length), "big")

    def _bytes(self, length: int) -> bytes:
        end = self._position + length
        found = self._data[self._position : end]
        if len(found) < length:
            raise ValueError("a damaged Erlang term")
        self._position = end
        return found
