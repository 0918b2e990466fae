"""A table as its encoded pages: what the tools move, without decoding a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Final

from kvlayer.backends.base import Backend, Row
from kvlayer.catalog import TableInfo
from kvlayer.client import Client
from kvlayer.definition import Definition
from kvlayer.errors import BadKey, KvlayerError, NotSupported
from kvlayer.ranges import EVERYTHING, ByteRange, Range, byte_ranges
from kvlayer.values import check_range

_LONGEST_SHOWN: Final = 200


class RawTable:
    """One table of a client. Raises NoSuchTable when it is made for one that isn't there."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._definition: Definition = client._define(name)

    @property
    def info(self) -> TableInfo:
        """The table's name and types."""
        return self._definition.info

    @property
    def name(self) -> str:
        """The table's name."""
        return self._definition.info.name

    @property
    def backend(self) -> Backend:
        """The store; raises StorageClosed once the client is closed."""
        return self._client._connected()

    def byte_ranges(self, ranges: Sequence[Range]) -> list[ByteRange]:
        """The ranges (none: the whole table) in key order, joined where they overlap.

        Raises ProgrammerError and BadKey as `Table.scan` does.
        """
        if not ranges:
            return [EVERYTHING]
        joined: list[ByteRange] = []
        for start, stop in sorted(byte_ranges(self._definition.keys, ranges), key=lambda ends: ends[0]):
            if joined and (joined[-1][1] is None or start <= joined[-1][1]):
                first, last = joined.pop()
                start, stop = first, None if last is None or stop is None else max(last, stop)
            joined.append((start, stop))
        return joined

    def rows(self, start: bytes, stop: bytes | None) -> Iterator[list[Row]]:
        """Pages of rows with start <= key < stop."""
        return self.backend.scan(self._definition.stored, start, stop, reverse=False, limit=None)

    def keys(self, start: bytes, stop: bytes | None) -> Iterator[list[bytes]]:
        """Pages of keys with start <= key < stop."""
        return self.backend.scan_keys(self._definition.stored, start, stop, reverse=False, limit=None)

    def first_key(self, start: bytes, stop: bytes | None, *, reverse: bool = False) -> bytes | None:
        """The first key of a range, or the last one; None where it is empty."""
        pages = self.backend.scan_keys(self._definition.stored, start, stop, reverse=reverse, limit=1)
        return next((page[0] for page in pages), None)

    def encode(self, key: tuple[object, ...], value: object) -> Row:
        """A row; raises BadKey for what doesn't fit the table or the store's limits."""
        return self._definition.rows([(key, value)])[0]

    def put(self, rows: list[Row]) -> None:
        """Writes rows, at least one, with unique keys.

        Raises BadKey, before any is written, where one doesn't fit the store's limits, naming its key.
        """
        self._check_limits(rows)
        self.backend.put(self._definition.stored, rows)

    def clear(self) -> None:
        """Removes all rows."""
        self.backend.clear(self._definition.stored)

    def estimate_rows(self) -> int | None:
        """About how many rows there are, if the store can tell without counting."""
        return self.backend.estimate_rows(self._definition.stored)

    def decode_key(self, key: bytes) -> tuple[object, ...]:
        """The key of its bytes; raises SerializationError."""
        return self._definition.keys.decode(key)

    def decode_keys(self, keys: list[bytes]) -> list[tuple[object, ...]]:
        """As `decode_key`, for a page."""
        return self._definition.keys.decode_many(keys)

    def _check_limits(self, rows: list[Row]) -> None:
        limits = self.backend.capabilities
        for what, position, longest in (
            ("key", 0, limits.max_key_bytes),
            ("value", 1, limits.max_value_bytes),
        ):
            if longest is None or max(map(len, map(itemgetter(position), rows))) <= longest:
                continue
            row = next(row for row in rows if len(row[position]) > longest)
            raise BadKey(
                f"table {self.name!r}: the {what} of row {self._shown(row[0])} has"
                f" {len(row[position])} bytes; this store takes up to {longest} bytes"
            )
        if self._definition.stored.kind == "counter" and limits.counter_range is not None:
            for key, value in rows:
                try:
                    check_range(self.name, self._definition.values.decode(value), limits.counter_range)
                except BadKey as error:
                    raise BadKey(f"{error} (row {self._shown(key)})") from None

    def _shown(self, key: bytes) -> str:
        """A key for a message, shortened."""
        try:
            text = repr(self.decode_key(key))
        except KvlayerError:
            text = f"0x{key.hex()}"
        return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def require_order(client: Client, purpose: str) -> None:
    """Raises NotSupported where scans don't come in key order."""
    if not client.capabilities.ordered:
        raise NotSupported(f"{purpose} needs scans in key order, which {client!r} doesn't declare")


def size_of(rows: list[Row]) -> int:
    """Bytes of the keys and values."""
    return sum(map(len, chain.from_iterable(rows)))
