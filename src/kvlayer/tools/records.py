"""What the tools report: while they work, and at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from kvlayer.keys import Key
from kvlayer.values import ValueType


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work on a table has got."""

    table: str
    rows: int
    """Rows done so far; of a resumed copy, those done before as well."""
    bytes: int
    """Bytes of encoded keys and values in them; of keys alone where no values are read."""
    total_rows: int | None
    """About how many there will be, if the store can tell without counting."""


ProgressReport: TypeAlias = Callable[[Progress], None]
"""Is called in the caller's thread, at most ten times a second, and at the end of each table."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """A table that was moved wholly."""

    table: str
    rows: int
    bytes: int
    """Bytes of encoded keys and values, uncompressed."""


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """A table in a dump."""

    table: str
    key_types: tuple[type, ...]
    value_type: ValueType
    rows: int
    bytes: int
    """Bytes of encoded keys and values, uncompressed."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The rows that have the same first key part."""

    part: Any
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """How much a table holds. All sizes are bytes of encoded keys and values."""

    rows: int
    key_bytes: int
    value_bytes: int
    key_sizes: dict[int, int]
    """Rows by size of their key: {upper end: rows}, in order. Upper ends are powers of two, included:
    4 stands for 3 and 4 bytes; 0 and 1 for just these."""
    value_sizes: dict[int, int]
    """Rows by size of their value, as in `key_sizes`."""
    prefixes_by_rows: list[Prefix]
    """The first key parts with most rows, largest first."""
    prefixes_by_bytes: list[Prefix]
    """The first key parts with most bytes, largest first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A key at which two stores differ."""

    table: str
    key: Key
    kind: Literal["missing", "unexpected", "different"]
    """`missing`: only in the first store; `unexpected`: only in the second; `different`: other values."""


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """What comparing one table found."""

    table: str
    rows: int
    """Keys compared: those of both sides together."""
    missing: int
    """Keys only in the first store."""
    unexpected: int
    """Keys only in the second store."""
    different: int
    """Keys with other values."""

    @property
    def differing(self) -> int:
        """Keys at which the sides differ."""
        return self.missing + self.unexpected + self.different


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing two stores found."""

    tables: list[ComparedTable]
    differences: list[Difference]
    """The first of them, in the order of tables and keys."""

    @property
    def rows(self) -> int:
        """Keys compared, in all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def differing(self) -> int:
        """Keys at which the sides differ, in all tables; more than `differences` may list."""
        return sum(table.differing for table in self.tables)

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not self.differing
