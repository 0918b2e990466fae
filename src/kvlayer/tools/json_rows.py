"""Keys and values as JSON and back, and rows as lines of JSON.

Nothing is lost: given the table's types, each JSON form stands for one value. What JSON can't hold, or
what its other readers would round, is text: large ints, infinities, bytes that are no UTF-8.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TextIO
from uuid import UUID

from kvlayer import catalog
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, Row
from kvlayer.client import Client
from kvlayer.errors import BadKey
from kvlayer.keys import Key
from kvlayer.ranges import Range
from kvlayer.tools import filling
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import RawTable
from kvlayer.tools.records import ProgressReport
from kvlayer.tools.reporting import Reporter
from kvlayer.values import ACCUMULATOR, COUNTER, ValueType

_EXACT_IN_A_DOUBLE: Final = 2**53
_MOST_DECIMAL_BITS: Final = 14_000  # of fewer than the 4300 digits that Python parses
_DECIMAL: Final = re.compile(r"-?[0-9]{1,4300}")
_HEXADECIMAL: Final = re.compile(r"-?0x[0-9a-fA-F]+")
_NOTE: Final = {"reason": "lines that were put into it have not ended"}
_LONGEST_SHOWN: Final = 100
_PYTHON_TYPES: Final[dict[Any, Any]] = {COUNTER: int, ACCUMULATOR: float}
_FLOATS: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_json(value: Any) -> Any:
    """The JSON form of a key part or a value.

    str: a string. bytes: a string where they are UTF-8, else {"base64": …}. UUID: a string. int: a number
    up to 2**53, beyond that a string of decimal, or from 14,000 bits on hexadecimal, digits. float: a number,
    or "inf", "-inf", "nan".
    """
    match value:
        case bytes():
            return _bytes_to_json(value)
        case int():
            return _int_to_json(value)
        case float():
            return value if math.isfinite(value) else repr(value)
        case UUID():
            return str(value)
        case _:
            return value


def from_json(form: Any, value_type: type | ValueType) -> Any:
    """The key part or value of a type, from its JSON form. Raises BadKey for a form of another type."""
    python_type = _PYTHON_TYPES.get(value_type, value_type)
    try:
        value = _READERS[python_type](form)
    except ValueError:  # no UUID, no base64, a lone surrogate
        value = None
    if value is None:
        raise BadKey(f"expected the JSON form of a value of type {python_type.__name__}, got {_shown(form)}")
    return value


def key_to_json(key: Key) -> list[Any]:
    """The JSON form of a key: the list of its parts."""
    return [to_json(part) for part in key]


def key_from_json(form: Any, key_types: Sequence[type]) -> Key:
    """The key of its JSON form. Raises BadKey, naming the part that doesn't fit."""
    if not isinstance(form, list) or len(form) != len(key_types):
        raise BadKey(f"expected a JSON list of {len(key_types)} key parts, got {_shown(form)}")
    parts = []
    for number, (part, key_type) in enumerate(zip(form, key_types, strict=True), 1):
        try:
            parts.append(from_json(part, key_type))
        except BadKey as error:
            raise BadKey(f"key part {number}: {error}") from None
    return tuple(parts)


def write_ndjson(
    client: Client, file: TextIO, table: str, *ranges: Range, progress: ProgressReport | None = None
) -> int:
    """Writes rows to a text file (UTF-8), each as a line {"key": [...], "value": ...}; returns how many.

    Raises as `Table.scan`, TransferError for a table that is incomplete, and OSError where the file can't be
    written.
    """
    filling.whole(client, [table])
    reporter = Reporter(progress, table, None)
    for key, value in client.scan(table, *ranges):
        line = json.dumps({"key": key_to_json(key), "value": to_json(value)}, ensure_ascii=False)
        file.write(line + "\n")
        reporter.add(1, len(line))
    reporter.tell()
    return reporter.rows


def read_ndjson(client: Client, file: TextIO, table: str, *, progress: ProgressReport | None = None) -> int:
    """Puts rows from lines as `write_ndjson` makes them into a table that is there; returns how many.

    They go in batches of 1000 rows or 16 MiB. What was written before an error stays, and the table is marked
    as incomplete then, until the lines are read again to their end; that does no harm. Empty lines are
    skipped. Raises NoSuchTable; TransferError for a table that a copy or load has left incomplete, and for a
    line that can't be read or doesn't fit the table, naming the line and what is wrong with it.
    """
    raw = RawTable(client, table)
    note = catalog.read_note(raw.backend, table)
    if note is not None and note != _NOTE:
        raise TransferError(f"table {table!r} of {client!r} is incomplete: {note['reason']}")
    reporter = Reporter(progress, table, None)
    marked = False
    for batch in _batches(_encoded_rows(raw, file), reporter):
        if not marked:
            catalog.add_note(raw.backend, table, _NOTE)
            marked = True
        raw.put(batch)
    if marked:
        catalog.remove_notes(raw.backend, [table])
    reporter.tell()
    return reporter.rows


def _batches(rows: Iterator[Row], reporter: Reporter) -> Iterator[list[Row]]:
    """Rows in lists of unique keys, of which the last counts."""
    batch: dict[bytes, bytes] = {}
    batch_size = 0
    for key, value in rows:
        size = len(key) + len(value)
        batch[key] = value
        batch_size += size
        if len(batch) == PAGE_ROWS or batch_size >= PAGE_BYTES:
            yield list(batch.items())
            batch, batch_size = {}, 0
        reporter.add(1, size)
    if batch:
        yield list(batch.items())


def _encoded_rows(raw: RawTable, file: TextIO) -> Iterator[Row]:
    number = 0
    try:
        for number, line in enumerate(file, 1):  # noqa: B007 - for the messages below
            if not line.isspace():
                yield _encoded_row(raw, line)
    except UnicodeDecodeError as error:
        raise TransferError(f"behind line {number}: no UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        problem = f"no JSON: {error.msg} at column {error.colno}"
        raise TransferError(f"line {number}: {problem}") from error
    except (ValueError, RecursionError) as error:
        raise TransferError(f"line {number}: {error}") from error


def _encoded_row(raw: RawTable, line: str) -> Row:
    row = json.loads(line)
    if not isinstance(row, dict) or row.keys() != {"key", "value"}:
        raise BadKey(f'expected {{"key": [...], "value": ...}}, got {_shown(row)}')
    key = key_from_json(row["key"], raw.info.key_types)
    return raw.encode(key, from_json(row["value"], raw.info.value_type))


def _bytes_to_json(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


def _int_to_json(value: int) -> int | str:
    if -_EXACT_IN_A_DOUBLE <= value <= _EXACT_IN_A_DOUBLE:
        return value
    return str(value) if value.bit_length() <= _MOST_DECIMAL_BITS else hex(value)


# Each reads a JSON form of one type; None: it is none.


def _read_str(form: Any) -> str | None:
    return form if isinstance(form, str) else None


def _read_bytes(form: Any) -> bytes | None:
    if isinstance(form, str):
        return form.encode()
    if isinstance(form, dict) and form.keys() == {"base64"} and isinstance(form["base64"], str):
        return base64.b64decode(form["base64"], validate=True)
    return None


def _read_int(form: Any) -> int | None:
    if isinstance(form, int):
        return None if isinstance(form, bool) else form
    if isinstance(form, str) and _DECIMAL.fullmatch(form):
        return int(form)
    return int(form, 16) if isinstance(form, str) and _HEXADECIMAL.fullmatch(form) else None


def _read_float(form: Any) -> float | None:
    if isinstance(form, str):
        return _FLOATS.get(form)
    if isinstance(form, int) and (isinstance(form, bool) or abs(form) > _EXACT_IN_A_DOUBLE):
        return None
    return float(form) if isinstance(form, (int, float)) else None


def _read_uuid(form: Any) -> UUID | None:
    return UUID(form) if isinstance(form, str) else None


_READERS: Final[dict[Any, Callable[[Any], Any]]] = {
    str: _read_str,
    bytes: _read_bytes,
    int: _read_int,
    float: _read_float,
    UUID: _read_uuid,
}


def _shown(form: Any) -> str:
    text = json.dumps(form)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
