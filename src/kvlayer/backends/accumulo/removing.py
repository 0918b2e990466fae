"""Removing ranges of rows: small ones row by row, the rest of large ones by whole files."""

from __future__ import annotations

from typing import Any, Final

import jpype

from kvlayer.backends.accumulo import crossing, waiting, writing
from kvlayer.backends.accumulo.connecting import Connection
from kvlayer.backends.accumulo.reading import Part, read_page
from kvlayer.backends.accumulo.writers import Kind, Writers
from kvlayer.backends.base import PAGE_ROWS

# To remove a range by files takes seconds whatever its size, in which so many rows are removed one by one.
_MANY: Final = 50_000
_NEAR: Final = b"\xff" * 16
_LONGEST_SPLIT: Final = 10_000  # bytes of a key that may become a split point, which servers keep in memory


def remove_range(
    connection: Connection, writers: Writers, kind: Kind, start: bytes, stop: bytes | None
) -> None:
    """Removes the rows with start <= key < stop (None: no end).

    Accumulo removes by files what lies in a range that is open at its start and closed at its end. Ours is
    the other way round, so its first rows are removed one by one, and those shortly before `stop` too.
    """
    last = _remove_rows(connection, writers, kind, Part(start, stop, _MANY))
    if last is None:
        return
    near = None if stop is None else _shortly_before(stop)
    if max(len(last), len(near or b"")) < _LONGEST_SPLIT and (near is None or last < near):
        _remove_files(connection, kind.table, last, near)
        last = near
    while last is not None:
        last = _remove_rows(connection, writers, kind, Part(last + b"\0", stop, _MANY))


def remove_all(connection: Connection, writers: Writers, kind: Kind) -> None:
    """Removes all rows."""
    if _remove_rows(connection, writers, kind, Part(b"", None, _MANY)) is not None:
        _remove_files(connection, kind.table, None, None)


def _remove_rows(connection: Connection, writers: Writers, kind: Kind, part: Part) -> bytes | None:
    """Removes up to so many rows, one by one; the last of them, or None if there are no more."""
    removed = 0
    while removed < part.rows:
        waiting.check()
        page = part._replace(rows=PAGE_ROWS)
        keys, complete = read_page(connection, kind.table, page, crossing.read_keys, keys_only=True)
        if keys:
            writing.delete(writers, kind, keys)
        if complete:
            return None
        removed += len(keys)
        part = part._replace(start=keys[-1] + b"\0")
    return keys[-1]


def _remove_files(connection: Connection, name: str, after: bytes | None, last: bytes | None) -> None:
    """Removes the rows with after < key <= last (None: no end), and keeps the table divided as it was."""
    operations = connection.client.tableOperations()
    before = _splits(operations, name)
    operations.deleteRows(name, _text(after), _text(last))
    lost = before - _splits(operations, name)
    if lost:
        points = jpype.java.util.TreeSet()
        for split in lost:
            points.add(crossing.text(split))
        operations.addSplits(name, points)


def _splits(operations: Any, name: str) -> set[bytes]:
    return {bytes(split.copyBytes()) for split in operations.listSplits(name)}


def _shortly_before(stop: bytes) -> bytes:
    """A key before `stop`, with few others between them or none."""
    if stop.endswith(b"\0"):
        return stop[:-1]
    return stop[:-1] + bytes([stop[-1] - 1]) + _NEAR


def _text(row: bytes | None) -> Any:
    return (
        jpype.JObject(None, jpype.JClass("org.apache.hadoop.io.Text")) if row is None else crossing.text(row)
    )
