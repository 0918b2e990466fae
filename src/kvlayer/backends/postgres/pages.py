"""Reading values so that an answer stays small whatever their size.

A statement for n rows asks for values of up to `PAGE_BYTES` / n bytes and is thus answered in one step
for most tables. The values that are longer are asked for in a second one, so many as fit into a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from psycopg.types.numeric import Int4

from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, Row
from kvlayer.backends.postgres.sessions import Session
from kvlayer.backends.postgres.statements import TableStatements

_Found: TypeAlias = dict[bytes, bytes | None]  # None: longer than its share

_SHARE_OF_SCAN: Final = Int4(PAGE_BYTES // PAGE_ROWS)


def read_value(session: Session, sql: TableStatements, key: bytes) -> bytes | None:
    """The value of a key."""
    answer = session.ask(sql.get_one, (key,))
    if not answer.ntuples:
        return None
    value = answer.get_value(0, 0)
    convert = sql.column.unpack
    return value if convert is None or value is None else convert(value)


def read_values(session: Session, sql: TableStatements, keys: list[bytes]) -> list[bytes | None]:
    """The values of keys, in their order; of the first so many, where those pass PAGE_BYTES."""
    if not keys:
        return []
    share = Int4(PAGE_BYTES // len(keys))
    convert = sql.column.from_member
    found: _Found = dict(session.execute(sql.get_small, (share, keys)).fetchall())
    if convert is not None:
        found = {key: None if value is None else convert(value) for key, value in found.items()}
    if None in found.values():
        keys = _complete(session, sql, keys, found)
    return list(map(found.get, keys))


def read_rows(
    session: Session, sql: TableStatements, start: bytes, stop: bytes | None, rows: int, reverse: bool
) -> tuple[list[Row], bytes | None]:
    """Up to so many rows of a range, and the key behind which the next page begins; None: no more."""
    text = sql.scan(keys_only=False, bounded=stop is not None, reverse=reverse)
    ends = (start,) if stop is None else (start, stop)
    found = session.execute(text, (_SHARE_OF_SCAN, *ends, rows)).fetchall()
    convert = sql.column.from_member
    if convert is not None:
        found = [(key, convert(value)) for key, value in found]
    last = found[-1][0] if len(found) == rows else None
    if [None for _, value in found if value is None]:
        known: _Found = dict(found)
        keys = _complete(session, sql, list(known), known)
        if len(keys) < len(found):
            last = keys[-1]
        found = [(key, value) for key in keys if (value := known[key]) is not None]
    return found, last


def read_keys(
    session: Session, sql: TableStatements, start: bytes, stop: bytes | None, rows: int, reverse: bool
) -> tuple[list[bytes], bytes | None]:
    """As `read_rows`, for keys; PostgreSQL limits their length, so any number of rows is small."""
    text = sql.scan(keys_only=True, bounded=stop is not None, reverse=reverse)
    ends = (start,) if stop is None else (start, stop)
    keys = [key for (key,) in session.execute(text, (*ends, rows)).fetchall()]
    return keys, keys[-1] if len(keys) == rows else None


def _complete(session: Session, sql: TableStatements, keys: Sequence[bytes], found: _Found) -> list[bytes]:
    """Fills in the long values of as many keys as fit into a page, and returns those keys.

    The value of a row that was deleted meanwhile stays None.
    """
    long = [key for key, value in found.items() if value is None]
    sizes: dict[bytes, int] = dict(session.execute(sql.sizes, (long,)).fetchall())
    fitting: list[bytes] = []
    wanted: dict[bytes, None] = {}
    total = 0
    for key in keys:
        total += sizes.get(key) or len(found.get(key) or b"")
        if fitting and total > PAGE_BYTES:
            break
        fitting.append(key)
        if key in sizes:
            wanted[key] = None
    found.update(session.execute(sql.get, (list(wanted),)).fetchall())
    return fitting
