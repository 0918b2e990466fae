"""The SQL of one table, and reading from it by the page."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from kvlayer.backends.base import PAGE_BYTES, BackendTable, Row
from kvlayer.values import add

_MOST_KEYS: Final = 1024  # of one SELECT; SQLite allows at least 32766
_LARGE_ROW: Final = 4096  # bytes
_PROBES: Final = 1000

# Not INSERT OR REPLACE, which deletes a row before it writes it anew: four times slower.
_PUT: Final = "INSERT INTO kv_N (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v"

# Only to what is surely the text of an int, and stays one: SQLite turns larger ones into floats.
_ADD: Final = """
    INSERT INTO kv_N (k, v) VALUES (?1, CAST(?2 AS BLOB))
    ON CONFLICT (k) DO UPDATE SET v = CAST(CAST(v AS INTEGER) + ?2 AS BLOB)
    WHERE length(v) < 18 AND v = CAST(CAST(v AS INTEGER) AS BLOB)
    RETURNING v"""
_MOST_ADDED: Final = 10**17


class TableStatements:
    """The statements on the table `kv_<number>`, each text made once so that SQLite's work is cached."""

    __slots__ = ("_number", "_texts", "add", "clear", "delete", "delete_from", "delete_range", "get", "put")

    def __init__(self, number: int) -> None:
        self._number = number
        self._texts: dict[object, str] = {}
        self.put = self._text(_PUT)
        self.add = self._text(_ADD)
        self.get = self._text("SELECT v FROM kv_N WHERE k = ?")
        self.delete = self._text("DELETE FROM kv_N WHERE k = ?")
        self.delete_range = self._text("DELETE FROM kv_N WHERE k >= ? AND k < ?")
        self.delete_from = self._text("DELETE FROM kv_N WHERE k >= ?")
        self.clear = self._text("DELETE FROM kv_N")

    def _text(self, template: str) -> str:
        return template.replace("kv_N", f"kv_{self._number}")

    def get_many(self, number_of_keys: int) -> str:
        """The rows of so many keys, in any order."""
        text = self._texts.get(number_of_keys)
        if text is None:
            places = ", ".join("?" * number_of_keys)
            text = self._text("SELECT k, v FROM kv_N WHERE k IN (PLACES)").replace("PLACES", places)
            self._texts[number_of_keys] = text
        return text

    def scan(self, columns: str, *, bounded: bool, reverse: bool) -> str:
        """A page of a scan; takes the start, the stop if bounded, and the number of rows."""
        variant = (columns, bounded, reverse)
        text = self._texts.get(variant)
        if text is None:
            text = self._text(f"SELECT {columns} FROM kv_N WHERE k >= ? STOP ORDER BY k DIRECTION LIMIT ?")  # noqa: S608
            text = text.replace("STOP ", "AND k < ? " if bounded else "")
            text = text.replace("DIRECTION ", "DESC " if reverse else "")
            self._texts[variant] = text
        return text

    def estimate_rows(self, connection: sqlite3.Connection) -> int:
        """About how many rows there are, from how many of the row numbers in use are taken.

        Exact for small tables; elsewhere from a sample, within a few per cent unless most rows were
        deleted.
        """
        first, last = connection.execute(
            self._text("SELECT (SELECT min(rowid) FROM kv_N), (SELECT max(rowid) FROM kv_N)")
        ).fetchone()
        if first is None:
            return 0
        numbers = range(first, last + 1)
        if len(numbers) <= _PROBES:
            count: int = connection.execute(self._text("SELECT count(*) FROM kv_N")).fetchone()[0]
            return count
        is_taken = self._text("SELECT 1 FROM kv_N WHERE rowid = ?")
        sample = random.sample(numbers, _PROBES)
        taken = sum(connection.execute(is_taken, (number,)).fetchone() is not None for number in sample)
        return round(len(numbers) * taken / _PROBES)


def _fetch(cursor: sqlite3.Cursor, room: int = PAGE_BYTES) -> tuple[list[Any], int]:
    """The rows of a query, cut off where they fill the room, in bytes; and the room that is left."""
    rows: list[Any] = []
    some = cursor.fetchmany(1)
    size = 0
    while some:
        rows += some
        size += sum(map(len, chain.from_iterable(some)))
        if size >= room:
            cursor.close()
            break
        # Large rows one by one, so that a page ends where it should; small ones as is fastest.
        some = cursor.fetchmany(1 if size > _LARGE_ROW * len(rows) else 32)
    return rows, room - size


def read_rows(connection: sqlite3.Connection, text: str, parameters: Sequence[Any]) -> tuple[list[Row], bool]:
    """The rows that a scan's statement finds, and whether they were cut off at PAGE_BYTES."""
    rows, room = _fetch(connection.execute(text, parameters))
    return rows, room <= 0


def read_keys(
    connection: sqlite3.Connection, text: str, parameters: Sequence[Any]
) -> tuple[list[bytes], bool]:
    """As `read_rows`, for a statement that finds keys."""
    rows, room = _fetch(connection.execute(text, parameters))
    return [key for (key,) in rows], room <= 0


def read_values(
    connection: sqlite3.Connection, statements: TableStatements, keys: list[bytes]
) -> list[bytes | None]:
    """The values of keys, in their order; of the first so many, where those pass PAGE_BYTES."""
    if len(keys) == 1:
        found = connection.execute(statements.get, keys).fetchone()
        return [found[0] if found else None]
    values: dict[bytes, bytes] = {}
    room = PAGE_BYTES
    for at in range(0, len(keys), _MOST_KEYS):
        some = keys[at : at + _MOST_KEYS]
        # Few statements are kept for all numbers of keys: powers of two, filled up with the last key.
        places = 1 << (len(some) - 1).bit_length()
        filled = some + some[-1:] * (places - len(some))
        rows, room = _fetch(connection.execute(statements.get_many(places), filled), room)
        values.update(rows)
        if room <= 0:
            return _read_values_in_turn(connection, statements, keys, values)
    return list(map(values.get, keys))


def add_in_one_statement(
    connection: sqlite3.Connection, statements: TableStatements, key: bytes, delta: int
) -> int | None:
    """The new value of a counter; None, and nothing is changed, where Python has to add."""
    if type(delta) is not int or not -_MOST_ADDED < delta < _MOST_ADDED:
        return None
    changed = connection.execute(statements.add, (key, delta)).fetchall()
    return int(changed[0][0]) if changed else None


def add_in_python(
    connection: sqlite3.Connection,
    statements: TableStatements,
    table: BackendTable,
    deltas: list[tuple[bytes, Any]],
) -> list[Any]:
    """The new values of counters or accumulators. Belongs into a transaction."""
    ordered = sorted(deltas)  # by key, of which each is there once; neighbours share a page
    keys = [key for key, _ in ordered]
    stored: list[bytes | None] = []
    while len(stored) < len(keys):
        stored += read_values(connection, statements, keys[len(stored) :])
    sums = add(table, stored, [delta for _, delta in ordered])
    connection.executemany(statements.put, [(key, text) for key, (_, text) in zip(keys, sums, strict=True)])
    new_values = {key: total for key, (total, _) in zip(keys, sums, strict=True)}
    return [new_values[key] for key, _ in deltas]


def _read_values_in_turn(
    connection: sqlite3.Connection, statements: TableStatements, keys: list[bytes], known: dict[bytes, bytes]
) -> list[bytes | None]:
    """The values of the first so many keys, key by key, for SQLite found them in another order."""
    values: list[bytes | None] = []
    size = 0
    for key in keys:
        value = known.get(key)
        if value is None:
            found = connection.execute(statements.get, (key,)).fetchone()
            value = found[0] if found else None
        values.append(value)
        size += len(value or b"")
        if size >= PAGE_BYTES:
            break
    return values
