"""The recorded key format: every vector of tests/key_vectors.json, and that docs/key-format.md shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from key_codecs import way  # noqa: F401 - used by all tests
from kvlayer._key_parts import PlainCodec
from kvlayer.keys import FORMAT_VERSION, Key, KeyCodec, types_named

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "key-format.md"
VECTORS = json.loads((HERE / "key_vectors.json").read_text("utf-8"))

PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "uuid": UUID,
    "bytes": bytes.fromhex,
    "float": float,
}


def parsed(schema: list[str], parts: list[str] | None) -> Key | None:
    if parts is None:
        return None
    return tuple(PARSERS[name](part) for name, part in zip(schema, parts, strict=False))


def spaced(stored: str) -> str:
    return bytes.fromhex(stored).hex(" ")


def code(text: str) -> str:
    return f"`{text}`" if text else "(none)"


def shown(key: Key | None) -> str:
    if key is None:
        return code("None")
    parts = [f"UUID('{part}')" if isinstance(part, UUID) else ascii(part) for part in key]
    return code(f"({', '.join(parts)}{',' * (len(parts) == 1)})")


def documented(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table as docs/key-format.md has it."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *rows)) + "\n"


def test_the_version_is_the_one_recorded() -> None:
    assert VECTORS["format"] == FORMAT_VERSION
    assert f"version {FORMAT_VERSION}" in DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("vector", VECTORS["keys"], ids=json.dumps)
def test_key(vector: dict[str, Any]) -> None:
    types = types_named(vector["schema"])
    key, stored = parsed(vector["schema"], vector["key"]), bytes.fromhex(vector["hex"])
    assert key is not None
    for codec in (KeyCodec(types, "t"), PlainCodec(types, "t")):
        assert codec.encode(key) == stored
        assert codec.decode(stored) == key


@pytest.mark.parametrize("vector", VECTORS["ranges"], ids=json.dumps)
def test_range(vector: dict[str, Any]) -> None:
    schema = vector["schema"]
    start, end = (parsed(schema, vector[name]) for name in ("start", "end"))
    found = KeyCodec(types_named(schema), "t").range(start, end)
    expected = vector["range"] and tuple(
        None if limit is None else bytes.fromhex(limit) for limit in vector["range"]
    )
    assert found == expected


def test_the_document_shows_every_key() -> None:
    rows = [
        (
            code(", ".join(vector["schema"])),
            shown(parsed(vector["schema"], vector["key"])),
            code(spaced(vector["hex"])),
        )
        for vector in VECTORS["keys"]
    ]
    assert documented(("schema", "key", "bytes"), rows) in DOCUMENT.read_text("utf-8")


def test_the_document_shows_every_range() -> None:
    rows = []
    for vector in VECTORS["ranges"]:
        ends = [shown(parsed(vector["schema"], vector[name])) for name in ("start", "end")]
        match vector["range"]:
            case None:
                limits = ["empty", "empty"]
            case [first, None]:
                limits = [code(spaced(first)), "no end"]
            case [first, behind]:
                limits = [code(spaced(first)), code(spaced(behind))]
        rows.append((code(", ".join(vector["schema"])), *ends, *limits))
    assert documented(("schema", "start", "end", "from", "below"), rows) in DOCUMENT.read_text("utf-8")
