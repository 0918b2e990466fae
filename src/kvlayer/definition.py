"""What a client knows of an open table, compiled: how its keys and values become bytes and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kvlayer.backends.base import PART_ROWS, BackendTable, Capabilities, Row
from kvlayer.catalog import TableInfo
from kvlayer.errors import BadKey
from kvlayer.keys import Key, KeyCodec
from kvlayer.values import ValueCodec, check_range


class Definition:
    """A table's types and the store's limits, applied to whole batches.

    `info` is what the catalogue says, `stored` what the backend needs, `keys` and `values` are the
    codecs. All methods raise BadKey for what doesn't fit.
    """

    __slots__ = ("_counter_range", "_longest_key", "_longest_value", "info", "keys", "stored", "values")

    def __init__(
        self, info: TableInfo, capabilities: Capabilities, options: Mapping[str, Any] | None = None
    ) -> None:
        self.info = info
        self.keys = KeyCodec(info.key_types, info.name)
        self.values = ValueCodec(info.value_type, info.name)
        self.stored = BackendTable(info.name, self.values.kind, info.incarnation, options or {})
        self._counter_range = capabilities.counter_range if self.values.kind == "counter" else None
        self._longest_key = _unbounded(capabilities.max_key_bytes)
        self._longest_value = _unbounded(capabilities.max_value_bytes)

    def rows(self, pairs: Sequence[tuple[Key, Any]]) -> list[Row]:
        """(key, value) pairs as rows with unique keys, of which the last one wins."""
        keys, values = self.unzip(pairs)
        if len(keys) == 1:
            return [(self.encode_key(keys[0]), self.encode_value(values[0]))]
        return list(dict(zip(self.encode_keys(keys), self.encode_values(values), strict=True)).items())

    def row_parts(self, pairs: Sequence[tuple[Key, Any]]) -> Iterator[list[Row]]:
        """As `rows`, a part at a time, each encoded when it is taken; keys are unique in each part."""
        for first in range(0, len(pairs), PART_ROWS):
            yield self.rows(pairs[first : first + PART_ROWS])

    def unzip(self, pairs: Sequence[tuple[Key, Any]]) -> tuple[list[Key], list[Any]]:
        """The first and the second members of pairs."""
        try:
            return [key for key, _ in pairs], [value for _, value in pairs]
        except (TypeError, ValueError):
            raise BadKey(f"table {self.info.name!r}: expected pairs of a key and a value") from None

    def encode_key(self, key: Key) -> bytes:
        """A key as the store orders it."""
        encoded = self.keys.encode(key)
        if len(encoded) > self._longest_key:
            raise self._too_long("key", len(encoded), self._longest_key)
        return encoded

    def encode_keys(self, keys: Sequence[Key]) -> list[bytes]:
        """Keys as the store orders them."""
        if len(keys) == 1:
            return [self.encode_key(keys[0])]
        encoded = self.keys.encode_many(keys)
        self._check_lengths("key", encoded, self._longest_key)
        return encoded

    def encode_plain(self, keys: Sequence[Key]) -> tuple[list[bytes], Sequence[Key]]:
        """Keys as the store orders them; and the keys, with parts of subclasses as their plain types."""
        encoded, plain = self.keys.encode_plain(keys)
        self._check_lengths("key", encoded, self._longest_key)
        return encoded, plain

    def key_parts(self, keys: Sequence[Key], encoded: list[bytes], plain: list[Key]) -> Iterator[list[bytes]]:
        """As `encode_plain`, a part at a time, each encoded when it is taken; all are added to the lists."""
        for first in range(0, len(keys), PART_ROWS):
            some, some_plain = self.encode_plain(keys[first : first + PART_ROWS])
            encoded += some
            plain += some_plain
            yield some

    def encode_value(self, value: Any) -> bytes:
        """A value as the store keeps it."""
        if self._counter_range is not None:
            check_range(self.info.name, self.values.delta(value), self._counter_range)
        encoded = self.values.encode(value)
        if len(encoded) > self._longest_value:
            raise self._too_long("value", len(encoded), self._longest_value)
        return encoded

    def encode_values(self, values: Sequence[Any]) -> Sequence[bytes]:
        """Values as the store keeps them."""
        if self._counter_range is not None:
            for value in values:
                check_range(self.info.name, self.values.delta(value), self._counter_range)
        encoded = self.values.encode_many(values)
        self._check_lengths("value", encoded, self._longest_value)
        return encoded

    def _check_lengths(self, what: str, encoded: Sequence[bytes], limit: float) -> None:
        if encoded and (longest := max(map(len, encoded))) > limit:
            raise self._too_long(what, longest, limit)

    def _too_long(self, what: str, size: int, limit: float) -> BadKey:
        return BadKey(
            f"table {self.info.name!r}: a {what} of {size} bytes when encoded; this store takes up to"
            f" {limit} bytes"
        )


def _unbounded(limit: int | None) -> float:
    """A limit to compare with; infinity where there is none."""
    return math.inf if limit is None else limit
