"""Keys, values and names that have broken stores and layers before, in one place."""

from __future__ import annotations

import math
from typing import Any, Final
from uuid import UUID

STRINGS: Final = (
    "",
    "\x00",
    "\x00\x00",
    "\x01",
    "\x01\x01",
    "\x02",
    "a",
    "a\x00",
    "a\x00b",
    "a\x01",
    "ab",
    "A",
    "B",
    "a ",
    "a/b",
    "a_b",
    "a%",
    "'; --",
    "\x7f",
    "\x80",
    "\xe9",  # é in one code point
    "e\u0301",  # é in two
    "\xff",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U00010000",  # before U+FFFF in UTF-16, behind it by code point
    "\U0001f4a9",
    "\U0010ffff",
    "\U0010ffff\U0010ffff",
    "x" * 300,
)

BYTES: Final = (
    b"",
    b"\x00",
    b"\x00\x00",
    b"\x00\x01",
    b"\x01",
    b"\x01\x00",
    b"\x01\x01",
    b"\x02",
    b"a",
    b"a\x00",
    b"a\xff",
    b"ab",
    b"\x7f",
    b"\x80",
    b"\xfe\xff",
    b"\xff",
    b"\xff\x00",
    b"\xff\xff",
)

INTS: Final = (
    -(10**200),
    -(10**199),
    -(2**64) - 1,
    -(2**64),
    -(2**63) - 1,
    -(2**63),
    -(2**63) + 1,
    -(2**32),
    -256,
    -2,
    -1,
    0,
    1,
    255,
    256,
    2**32,
    2**63 - 2,
    2**63 - 1,
    2**63,
    2**64,
    10**199,
    10**200,
)

FLOATS: Final = (
    -math.inf,
    -1.7976931348623157e308,
    -1.5,
    -1.0,
    -2.2250738585072014e-308,
    -5e-324,
    0.0,
    5e-324,
    1e-300,
    0.1,
    0.30000000000000004,
    1.0,
    2.0**53,
    1.7976931348623157e308,
    math.inf,
)

UUIDS: Final = (
    UUID(int=0),
    UUID(int=1),
    UUID(int=0xFF),
    UUID(int=2**63),
    UUID(int=2**64),
    UUID(int=2**127),
    UUID(int=2**128 - 1),
)

PARTS: Final[dict[type, tuple[Any, ...]]] = {
    str: STRINGS,
    bytes: BYTES,
    int: INTS,
    float: FLOATS,
    UUID: UUIDS,
}
"""Values of each type that a key part can have."""

NAMES: Final = (
    "a",
    "A",
    "a ",
    " a",
    "a.",
    "a_b",
    "a-b",
    "a:b",
    "a/b",
    "a\\b",
    "..",
    "../a",
    "%",
    "_",
    "*",
    "?",
    "[a]",
    "{a}",
    "a'b",
    'a"b',
    "a;b--",
    "$1",
    "%s",
    "\xe9",
    "e\u0301",
    "a\nb",
    "a\x00",
    "a\x00b",
    "\U0001f4a9" * 200,
    "\U0001f4a9" * 201,
    "n" * 64,
    "n" * 65,
    "n" * 1000,
    "n" * 999 + "m",
    "select",
    "sqlite_x",
    "system",
    "\ud800",
)
"""Names of tables, namespaces and app names: each works by itself or is a ConfigurationError."""
