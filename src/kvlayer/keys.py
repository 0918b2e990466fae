"""Key tuples ↔ bytes that sort the same: the schema of a table's keys, and its codec.

The format is recorded in docs/key-format.md, version `FORMAT_VERSION`. There are two ways to the same
bytes: `_key_accelerator.c`, where it could be compiled, and Python made for the schema (`_key_compiler.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final
from uuid import UUID

from kvlayer._key_compiler import CompiledFunctions, Encode, EncodeMany, compiled
from kvlayer._key_parts import PART_TYPES, Key, PlainCodec
from kvlayer.errors import ConfigurationError, SerializationError

try:
    from kvlayer import _key_accelerator
except ImportError:
    _ACCELERATOR_FOUND = False
else:
    _ACCELERATOR_FOUND = True

__all__ = [
    "ACCELERATED",
    "FORMAT_VERSION",
    "MAX_PARTS",
    "Key",
    "KeyCodec",
    "schema",
    "type_names",
    "types_named",
]

FORMAT_VERSION: Final = 1
"""The version of the key format, kept in the catalogue."""

MAX_PARTS: Final = 64
"""Most parts of a key."""

ACCELERATED: bool = _ACCELERATOR_FOUND and not os.environ.get("KVLAYER_PURE_PYTHON")
"""Whether codecs made from now on work in C; the environment's `KVLAYER_PURE_PYTHON=1` says no."""

_ALLOWED: Final = "str, int, uuid.UUID, bytes, float"


def schema(key_types: object, table: str) -> tuple[type, ...]:
    """The types of a table's key parts, from what `setup_namespace` takes.

    That is a tuple or list of types, or an int n for n UUIDs. Raises ConfigurationError, naming the
    table and the part, for anything else, for no part at all, and for more than `MAX_PARTS`.
    """
    if isinstance(key_types, int) and not isinstance(key_types, bool):
        if not 1 <= key_types <= MAX_PARTS:
            raise ConfigurationError(
                f"table {table!r}: a key has 1 to {MAX_PARTS} parts, not the number of UUIDs given"
            )
        return (UUID,) * key_types
    if not isinstance(key_types, (tuple, list)):
        raise ConfigurationError(
            f"table {table!r}: key types are a tuple of {_ALLOWED}, or a number of UUIDs,"
            f" not {type(key_types).__name__}"
        )
    if not 1 <= len(key_types) <= MAX_PARTS:
        raise ConfigurationError(f"table {table!r}: a key has 1 to {MAX_PARTS} parts, not {len(key_types)}")
    for position, part in enumerate(key_types, 1):
        if not isinstance(part, type) or part not in PART_TYPES:
            shown = part.__name__ if isinstance(part, type) else type(part).__name__ + " instance"
            raise ConfigurationError(
                f"table {table!r}: the type of key part {position} is one of {_ALLOWED}, not {shown}"
            )
    return tuple(key_types)


def type_names(types: Iterable[type]) -> list[str]:
    """The names of key part types in the catalogue."""
    return [PART_TYPES[part].name for part in types]


def types_named(names: Sequence[str]) -> tuple[type, ...]:
    """The key part types of names in the catalogue; raises SerializationError for an unknown one."""
    known = {part.name: python_type for python_type, part in PART_TYPES.items()}
    for name in names:
        if name not in known:
            raise SerializationError(f"unknown key type {name!r}; a newer kvlayer may have written it")
    return tuple(known[name] for name in names)


class KeyCodec:
    """Encodes and decodes the keys of one table, by functions compiled for its schema.

    Encoded keys sort as their tuples do. A key is exactly a tuple; a part of a subclass of str, int,
    float, bytes or UUID counts by its value and comes back plain; a bool is no int.
    """

    __slots__ = (
        "_encode_prefix",
        "_plain",
        "decode",
        "decode_many",
        "encode",
        "encode_many",
        "table",
        "types",
    )

    encode: Encode
    """A key as bytes. Raises BadKey for one that doesn't fit the table, naming the part."""

    encode_many: EncodeMany
    """As `encode`, for a batch."""

    decode: Callable[[bytes], Key]
    """The key of its bytes. Raises SerializationError for bytes that `encode` doesn't make."""

    decode_many: Callable[[Iterable[bytes]], list[Key]]
    """As `decode`, for a page."""

    def __init__(self, types: tuple[type, ...], table: str) -> None:
        """Raises ConfigurationError for types that `schema` refuses. `table` is for messages."""
        self.types = schema(types, table)
        self.table = table
        self._plain = PlainCodec(self.types, table)
        plain = self._plain
        functions: CompiledFunctions | _key_accelerator.KeyFunctions
        if ACCELERATED:
            letters = "".join(name[0] for name in type_names(self.types))
            functions = _key_accelerator.KeyFunctions(
                letters, plain.encode, plain.encode_prefix, plain.decode
            )
            self._encode_prefix = functions.encode_prefix
        else:
            functions = compiled(self.types)(plain.encode, plain.decode)
            self._encode_prefix = plain.encode_prefix
        self.encode, self.encode_many = functions.encode, functions.encode_many
        self.decode, self.decode_many = functions.decode, functions.decode_many

    def encode_plain(self, keys: Sequence[Any]) -> tuple[list[bytes], Sequence[Key]]:
        """As `encode_many`; besides, the keys with parts of subclasses as their plain types."""
        odd: list[Key] = []

        def encode_odd(key: Key) -> bytes:
            odd.append(key)
            return self._plain.encode(key)

        encoded = [self.encode(keys[0], encode_odd)] if len(keys) == 1 else self.encode_many(keys, encode_odd)
        if not odd or {*map(type, chain.from_iterable(odd))} <= PART_TYPES.keys():
            return encoded, keys
        return encoded, self.decode_many(encoded)

    def range(self, start: Key | None, end: Key | None) -> tuple[bytes, bytes | None] | None:
        """The encoded keys from `start` to `end`, both included: those from the first bytes on and
        below the second (None: no end). None for a range whose start lies behind its end.

        An end may have fewer parts than the table's keys and stands for all its extensions then;
        () or None is no bound. Raises BadKey for ends that don't fit the table.
        """
        first = b"" if start is None else self._encode_end(start)
        behind = None if end is None else self._behind(end)
        return None if behind is not None and first >= behind else (first, behind)

    def _encode_end(self, end: Key) -> bytes:
        if type(end) is tuple and len(end) == len(self.types):
            return self.encode(end)
        return self._encode_prefix(end)

    def _behind(self, end: Key) -> bytes | None:
        """The least bytes behind all keys that an end of a range stands for; None: there are none."""
        prefix = self._encode_end(end)
        if len(end) == len(self.types):
            return prefix + b"\0"
        kept = prefix.rstrip(b"\xff")
        return kept[:-1] + bytes((kept[-1] + 1,)) if kept else None
