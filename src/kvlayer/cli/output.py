"""Rows in the formats that people and programs read: table, json, ndjson, csv, raw.

Only `table` shortens and escapes; the others give everything, in constant memory.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from shutil import get_terminal_size
from typing import Any, Final, TypeAlias

from kvlayer.catalog import TableInfo
from kvlayer.cli.keys import format_key, scalar_text
from kvlayer.cli.terminal import has_colours, is_terminal, size
from kvlayer.keys import Key, type_names
from kvlayer.values import ValueCodec

FORMATS: Final = ("table", "json", "ndjson", "csv", "raw")

Rows: TypeAlias = Iterable[tuple[Key, Any]]

_WINDOW: Final = 100
"""Rows that the widths of columns are made from before the first of them is shown."""

_KEY_SHARE: Final = 0.6
"""Most of the width that keys may take from values."""

_CUT: Final = "…"

_MORE_THAN_A_LINE: Final = 10_000
"""As much of a long value as has to be looked at to show its beginning."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Listing:
    """How rows are to be shown."""

    table: TableInfo
    values: bool
    """Whether rows have values, or are keys alone (their values are None then)."""
    full: bool = False
    """Whether long keys and values are shown whole in a table."""


def default_format() -> str:
    """A table for people, plain lines for programs."""
    return "table" if is_terminal(sys.stdout) else "raw"


def write_rows(rows: Rows, listing: Listing, output_format: str) -> int:
    """Writes rows to the output; returns how many there were."""
    return _WRITERS[output_format](rows, listing)


def text_of(value: Any) -> str | None:
    """A value as text; None for bytes that are none."""
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else scalar_text(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def shown(value: Any, most: int | None = None) -> str:
    """A value in one line: text with its odd characters escaped, or hex; of `most` characters or bytes."""
    text = text_of(value)
    if text is None:
        return f"0x{value[:most].hex()}"
    text = text[:most]
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def cut(text: str, width: int, mark: str = _CUT) -> str:
    """The text in so many columns of a terminal, with a mark where something is missing."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - cell_len(mark))).rstrip() + mark


def _write_table(rows: Rows, listing: Listing) -> int:
    from rich.cells import cell_len, set_cell_size

    columns = get_terminal_size().columns
    key_title = f"key ({', '.join(type_names(listing.table.key_types))})"
    value_title = f"value ({ValueCodec(listing.table.value_type, listing.table.name).name})"
    bold, plain = ("\x1b[1m", "\x1b[0m") if has_colours(sys.stdout) else ("", "")
    widest = cell_len(key_title)
    count = 0
    for window in _windows(rows):
        keys = [format_key(key) for key, _ in window]
        if not listing.full:
            most = int(columns * _KEY_SHARE) if listing.values else columns
            keys = [cut(key, most) for key in keys]
        widest = max(widest, *map(cell_len, keys))
        if count == 0 and listing.values:
            sys.stdout.write(f"{bold}{set_cell_size(key_title, widest)}  {value_title}{plain}\n")
        elif count == 0:
            sys.stdout.write(f"{bold}{key_title}{plain}\n")
        for key, (_, value) in zip(keys, window, strict=True):
            if listing.values:
                room = None if listing.full else max(8, columns - widest - 2)
                sys.stdout.write(f"{set_cell_size(key, widest)}  {_cell(value, room)}\n")
            else:
                sys.stdout.write(f"{key}\n")
        count += len(window)
    return count


def _cell(value: Any, room: int | None) -> str:
    """A value in so many columns (None: whole); one that is cut says how large it is."""
    if room is None:
        return shown(value) or '""'
    text = shown(value, _MORE_THAN_A_LINE) or '""'
    length = len(value) if isinstance(value, bytes) else len(str(value).encode())
    mark = f"{_CUT} {size(length)}"
    return cut(text, room, mark if len(mark) * 2 <= room else _CUT)


def _windows(rows: Rows) -> Iterator[list[tuple[Key, Any]]]:
    remaining = iter(rows)
    while window := list(islice(remaining, _WINDOW)):
        yield window


def _write_raw(rows: Rows, listing: Listing) -> int:
    """Lines of a key, or of a key, a tab and the value, byte for byte."""
    write = sys.stdout.buffer.write
    count = 0
    for count, (key, value) in enumerate(rows, 1):  # noqa: B007 - counted
        line = format_key(key).encode()
        write(b"%s\t%s\n" % (line, as_bytes(value)) if listing.values else b"%s\n" % line)
    return count


def as_bytes(value: Any) -> bytes:
    """A value as it goes into a file: bytes as they are, text as UTF-8, numbers as text."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else scalar_text(value)).encode()


def _write_csv(rows: Rows, listing: Listing) -> int:
    """One column for each part of the key; bytes that are no text as hex."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    titles = [f"key{number}" for number in range(1, len(listing.table.key_types) + 1)]
    writer.writerow([*titles, "value"] if listing.values else titles)
    count = 0
    for key, value in rows:
        cells = [*key, value] if listing.values else key
        writer.writerow(map(_csv_cell, cells))
        count += 1
    return count


def _csv_cell(value: Any) -> str:
    text = text_of(value)
    return f"0x{value.hex()}" if text is None else text


def _write_ndjson(rows: Rows, listing: Listing) -> int:
    count = 0
    for record in _records(rows, listing):
        sys.stdout.write(f"{record}\n")
        count += 1
    return count


def _write_json(rows: Rows, listing: Listing) -> int:
    count = 0
    for record in _records(rows, listing):
        sys.stdout.write(f"{',' if count else '['}\n  {record}")
        count += 1
    sys.stdout.write("\n]\n" if count else "[]\n")
    return count


def _records(rows: Rows, listing: Listing) -> Iterator[str]:
    """Rows as `kvlayer load` reads them back, without characters that a terminal would act on."""
    from kvlayer.tools import key_to_json, to_json

    for key, value in rows:
        record: dict[str, Any] = {"key": key_to_json(key)}
        if listing.values:
            record["value"] = to_json(value)
        text = json.dumps(record, ensure_ascii=False)
        yield text if text.isprintable() else json.dumps(record)


_WRITERS: Final[dict[str, Callable[[Rows, Listing], int]]] = {
    "table": _write_table,
    "json": _write_json,
    "ndjson": _write_ndjson,
    "csv": _write_csv,
    "raw": _write_raw,
}
