"""Reading rows: single keys, many keys at once, and pages of a range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from kvlayer.backends.accumulo import crossing
from kvlayer.backends.accumulo.connecting import Connection
from kvlayer.backends.accumulo.jvm import java_class
from kvlayer.backends.accumulo.options import SHARE_OF_DRIVER
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS

_Item = TypeVar("_Item")

ReadPage = Callable[[Any, int], tuple[list[_Item], bool]]
"""`read_rows` or `read_keys` of `crossing`."""

_FEW: Final = 3  # keys that are read quicker one after the other than by asking for all at once

_CLIENT: Final = "org.apache.accumulo.core.client."
_KEYS_ONLY: Final = (
    1000,  # behind all that a table may have of its own
    "keys only",
    "org.apache.accumulo.core.iterators.SortedKeyIterator",
)


class Part(NamedTuple):
    """What a page is read of: start <= key < stop (None: no end), and at most so many rows."""

    start: bytes
    stop: bytes | None
    rows: int


def read_values(connection: Connection, name: str, keys: list[bytes]) -> list[bytes | None]:
    """The values of keys, in their order; of the first so many, where those pass PAGE_BYTES."""
    found: dict[bytes, bytes] = {}
    if len(keys) > _FEW:
        found, complete = _read_in_any_order(connection, name, keys)
        if complete:
            return list(map(found.get, keys))
    values: list[bytes | None] = []
    size = 0
    for key in keys:
        value = found[key] if key in found else _read_value(connection, name, key)
        values.append(value)
        size += len(value or b"")
        if size >= PAGE_BYTES:
            break
    return values


def read_all_values(connection: Connection, name: str, keys: list[bytes]) -> list[bytes | None]:
    """The values of keys, in their order, whatever their size."""
    values: list[bytes | None] = []
    while len(values) < len(keys):
        values += read_values(connection, name, keys[len(values) : len(values) + PAGE_ROWS])
    return values


def read_page(
    connection: Connection, name: str, part: Part, read: ReadPage[_Item], *, keys_only: bool
) -> tuple[list[_Item], bool]:
    """Up to so many rows or keys of a range, and whether there are no more."""
    with _scanner(connection, name) as scanner:
        scanner.setRange(crossing.range_of(part.start, part.stop))
        scanner.setBatchSize(part.rows)
        if keys_only:
            scanner.addScanIterator(java_class(_CLIENT + "IteratorSetting")(*_KEYS_ONLY))
        return read(scanner.iterator(), part.rows)


def _read_in_any_order(
    connection: Connection, name: str, keys: list[bytes]
) -> tuple[dict[bytes, bytes], bool]:
    """What is found until PAGE_BYTES have come, and whether that was all."""
    with _scanner(connection, name, many=True) as scanner:
        scanner.setRanges(crossing.exact_ranges(keys))
        rows, complete = crossing.read_rows(scanner.iterator(), len(keys) + 1)
        return dict(rows), complete


def _read_value(connection: Connection, name: str, key: bytes) -> bytes | None:
    with _scanner(connection, name) as scanner:
        scanner.setRange(crossing.range_of(key, key + b"\0"))
        scanner.setBatchSize(2)  # with one, the driver asks again whether there are more
        rows, _ = crossing.read_rows(scanner.iterator(), 2)
        return rows[0][1] if rows else None


@contextmanager
def _scanner(connection: Connection, name: str, *, many: bool = False) -> Iterator[Any]:
    make = connection.client.createBatchScanner if many else connection.client.createScanner
    # No row has a visibility, so none of the user's authorizations matters.
    scanner = make(name, java_class("org.apache.accumulo.core.security.Authorizations").EMPTY)
    try:
        scanner.setTimeout(
            round(connection.options.timeout * SHARE_OF_DRIVER * 1000),
            java_class("java.util.concurrent.TimeUnit").MILLISECONDS,
        )
        yield scanner
    finally:
        scanner.close()
