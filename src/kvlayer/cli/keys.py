"""Keys as people type them, by the table's key types: `fr,Paris,2988507`.

Parts stand between commas. A part in double quotes is taken as it is, with `""` for a quote in it;
it may hold commas, dots and whatever else. Bytes may be given as hex, `0x00ff`. A key may also be
a JSON list, `["fr","Paris",2988507]`, in the form that `kvlayer.tools` documents. A range is
`START..END`, with both ends included and either left out, or a prefix alone.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from uuid import UUID

from kvlayer.catalog import TableInfo
from kvlayer.cli.failures import CommandError
from kvlayer.errors import KvlayerError
from kvlayer.keys import Key, type_names
from kvlayer.ranges import Range

_QUOTED: Final = r'"(?P<quoted>(?:[^"]|"")*)"'
_PART: Final = re.compile(_QUOTED + r"|(?P<plain>[^,]*)")
_PART_OF_RANGE: Final = re.compile(_QUOTED + r"|(?P<plain>(?:(?!\.\.)[^,])*)")
_HEX: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
_INT: Final = re.compile(r"[+-]?[0-9]+|[+-]?0x[0-9a-fA-F]+")
_TO: Final = ".."


def parse_key(text: str, table: TableInfo) -> Key:
    """A whole key. Raises CommandError for one that doesn't fit the table."""
    key = parse_prefix(text, table)
    if len(key) != len(table.key_types):
        raise CommandError(
            f"key {text!r}: table {table.name!r} has keys of {len(table.key_types)} parts"
            f" ({', '.join(type_names(table.key_types))}), not {len(key)}"
        )
    return key


def parse_prefix(text: str, table: TableInfo) -> Key:
    """A key, or its first parts."""
    key, position = _parts(text, 0, table, _PART)
    _require_end(text, position)
    return key


def parse_end(text: str | None, table: TableInfo) -> Key | None:
    """An end of a range; an empty text is no bound."""
    return parse_prefix(text, table) if text else None


def parse_range(text: str, table: TableInfo) -> Range:
    """`START..END`, `START..`, `..END`, or a prefix, which stands for all its extensions."""
    start, position = _end_of_range(text, 0, table)
    if position == len(text):
        return start, start
    if not text.startswith(_TO, position):
        _require_end(text, position)
    end, position = _end_of_range(text, position + len(_TO), table)
    _require_end(text, position)
    return start, end


def format_key(key: Key) -> str:
    """A key as `parse_key` takes it: in one line, and free of what a terminal would act on."""
    shown = [_format_part(part) for part in key]
    if None in shown:
        from kvlayer.tools import key_to_json

        return json.dumps(key_to_json(key), separators=(",", ":"))
    return ",".join(part for part in shown if part is not None)


def _format_part(part: Any) -> str | None:
    """None for text that only JSON can show."""
    if isinstance(part, bytes):
        try:
            text = part.decode()
        except UnicodeDecodeError:
            return f"0x{part.hex()}"
        if not text.isprintable():
            return f"0x{part.hex()}"
        return _quoted(text) if text.startswith("0x") else _quoted_if_needed(text)
    if isinstance(part, str):
        return _quoted_if_needed(part) if part.isprintable() else None
    return scalar_text(part)


def scalar_text(value: Any) -> str:
    """An int, a float or a UUID as `parse_scalar` takes it."""
    try:
        return repr(value) if isinstance(value, float) else str(value)
    except ValueError:  # an int of more decimal digits than Python makes or reads
        return hex(value)


def _quoted_if_needed(text: str) -> str:
    # A - at the beginning would look like a flag, spaces at an end are easily lost.
    plain = text and text[0] not in '"[-' and text == text.strip(" .") and "," not in text and _TO not in text
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _end_of_range(text: str, position: int, table: TableInfo) -> tuple[Key | None, int]:
    if position == len(text) or text.startswith(_TO, position):
        return None, position
    return _parts(text, position, table, _PART_OF_RANGE)


def _parts(text: str, position: int, table: TableInfo, pattern: re.Pattern[str]) -> tuple[Key, int]:
    """The typed parts that begin at a position, and where they end."""
    if text.startswith("[", position):
        parts, position = _json_list(text, position)
        convert = _from_json
    else:
        parts, position = _split(text, position, pattern)
        convert = _from_text
    if len(parts) > len(table.key_types):
        raise CommandError(
            f"key {text!r}: table {table.name!r} has keys of {len(table.key_types)} parts"
            f" ({', '.join(type_names(table.key_types))}), not {len(parts)}"
        )
    key = []
    for number, (part, kind) in enumerate(zip(parts, table.key_types, strict=False), 1):
        try:
            key.append(convert(part, kind))
        except (ValueError, KvlayerError) as error:
            (name,) = type_names([kind])
            raise CommandError(
                f"key {text!r}: part {number} of a key of table {table.name!r} is of type {name}: {error}"
            ) from None
    return tuple(key), position


def _split(text: str, position: int, pattern: re.Pattern[str]) -> tuple[list[tuple[str, bool]], int]:
    """The parts as (text, whether it stood in quotes), and where they end."""
    parts = []
    while True:
        match = pattern.match(text, position)
        assert match is not None, "a plain part may be empty"
        quoted = match["quoted"]
        parts.append((match["plain"], False) if quoted is None else (quoted.replace('""', '"'), True))
        position = match.end()
        if text[position : position + 1] != ",":
            return parts, position
        position += 1


def _json_list(text: str, position: int) -> tuple[list[Any], int]:
    try:
        parts, end = json.JSONDecoder().raw_decode(text, position)
    except (ValueError, RecursionError):
        raise CommandError(
            f"{text!r} begins as JSON and is none; a key that begins with [ stands in double quotes"
        ) from None
    return parts, end


def _from_json(part: Any, kind: type) -> Any:
    from kvlayer.tools import from_json

    return from_json(part, kind)


def _from_text(part: tuple[str, bool], kind: type) -> Any:
    """The value of a part that was typed. Raises ValueError with what is wrong about it."""
    text, quoted = part
    if kind is str:
        return text
    if kind is bytes:
        hexadecimal = None if quoted else _HEX.fullmatch(text)
        return text.encode() if hexadecimal is None else bytes.fromhex(hexadecimal[1])
    return parse_scalar(text, kind)


def parse_scalar(text: str, kind: type) -> Any:
    """An int, a float or a UUID as typed. Raises ValueError with what is wrong about it."""
    text = text.strip()
    if kind is int and not _INT.fullmatch(text):
        raise ValueError(f"{text!r} is no integer")
    try:
        return int(text, 16) if kind is int and "x" in text else kind(text)
    except ValueError:
        what = {int: "an integer of a size that can be stored", float: "a number", UUID: "a UUID"}[kind]
        raise ValueError(f"{text!r} is not {what}") from None


def _require_end(text: str, position: int) -> None:
    if position != len(text):
        raise CommandError(
            f"{text!r} can't be understood from {text[position:]!r} on: parts stand between commas,"
            " and in double quotes where they hold commas, quotes or two dots"
        )
