"""The functions of one schema, compiled from C; see `kvlayer._key_compiler.CompiledFunctions`."""

from collections.abc import Callable, Iterable
from typing import Any

from kvlayer._key_parts import Key

class KeyFunctions:
    def __new__(
        cls,
        parts: str,
        checked_encode: Callable[[Key], bytes],
        checked_encode_prefix: Callable[[Key], bytes],
        checked_decode: Callable[[bytes], Key],
    ) -> KeyFunctions: ...
    def encode(self, key: Any, encode_odd: Callable[[Any], bytes] = ..., /) -> bytes: ...
    def encode_many(
        self, keys: Iterable[Any], encode_odd: Callable[[Any], bytes] = ..., /
    ) -> list[bytes]: ...
    def encode_prefix(self, key: Key, /) -> bytes: ...
    def decode(self, data: bytes, /) -> Key: ...
    def decode_many(self, page: Iterable[bytes], /) -> list[Key]: ...
