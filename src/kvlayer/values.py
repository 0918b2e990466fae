"""Value types ↔ bytes, and the arithmetic of counters.

Numbers are stored as text (int: decimal, float: `repr`), so that the store's own tools show them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from kvlayer.backends.base import BackendTable, Kind
from kvlayer.errors import BadKey, ConfigurationError, SerializationError


class Tally(enum.Enum):
    """The value types of tables that can be incremented."""

    COUNTER = "counter"
    ACCUMULATOR = "accumulator"

    def __repr__(self) -> str:
        return f"kvlayer.{self.name}"


COUNTER: Final = Tally.COUNTER
"""The value type of ints that `increment` adds to."""

ACCUMULATOR: Final = Tally.ACCUMULATOR
"""The value type of floats that `increment` adds to."""

ValueType: TypeAlias = type[bytes] | type[str] | type[int] | type[float] | Tally
"""A value type, as `setup_namespace` takes it."""

MAX_DIGITS: Final = 4300
"""Most decimal digits of a stored int; Python's own default limit for parsing one."""

_INT_LIMIT: Final = 10**MAX_DIGITS


def _encode_int(value: int) -> bytes:
    if not -_INT_LIMIT < value < _INT_LIMIT:
        raise ValueError(f"an int of more than {MAX_DIGITS} digits")
    return b"%d" % value


def _encode_float(value: float) -> bytes:
    return repr(value).encode("ascii")


@dataclass(frozen=True, slots=True)
class _Format:
    """How one value type is stored. Both functions raise ValueError for what doesn't fit."""

    name: str  # in the catalogue
    python_type: type
    plain: Callable[[Any], Any]  # a subclass's value, whatever methods the subclass overrides
    kind: Kind
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


_FORMATS: Final[dict[ValueType, _Format]] = {
    bytes: _Format("bytes", bytes, lambda value: b"".join((value,)), "plain", bytes, bytes),
    str: _Format("str", str, str.__str__, "plain", str.encode, bytes.decode),
    int: _Format("int", int, int.__pos__, "plain", _encode_int, int),
    float: _Format("float", float, float.__pos__, "plain", _encode_float, float),
    COUNTER: _Format("counter", int, int.__pos__, "counter", _encode_int, int),
    ACCUMULATOR: _Format("accumulator", float, float.__pos__, "accumulator", _encode_float, float),
}
_TALLIES: Final = {"counter": COUNTER, "accumulator": ACCUMULATOR}


def value_type_named(name: str) -> ValueType:
    """The value type of a name in the catalogue; raises SerializationError for an unknown one."""
    for value_type, stored_as in _FORMATS.items():
        if stored_as.name == name:
            return value_type
    raise SerializationError(f"unknown value type {name!r}; a newer kvlayer may have written it")


class ValueCodec:
    """Encodes and decodes the values of one table, and knows what its backend must know of them."""

    __slots__ = ("_format", "_is_bytes", "_table", "value_type")

    def __init__(self, value_type: ValueType, table: str) -> None:
        """Raises ConfigurationError for what is no value type."""
        if not isinstance(value_type, (type, Tally)) or value_type not in _FORMATS:
            known = "bytes, str, int, float, kvlayer.COUNTER, kvlayer.ACCUMULATOR"
            raise ConfigurationError(f"table {table!r}: a value type is one of {known}, not {value_type!r}")
        self.value_type = value_type
        self._table = table
        self._format = _FORMATS[value_type]
        self._is_bytes = value_type is bytes

    @property
    def name(self) -> str:
        """The value type's name in the catalogue."""
        return self._format.name

    @property
    def kind(self) -> Kind:
        """What a backend needs to know of the table's values."""
        return self._format.kind

    def encode(self, value: Any) -> bytes:
        """Raises BadKey for a value of another type, or one that can't be stored."""
        if self._is_bytes and type(value) is bytes:
            return value
        try:
            return self._format.encode(self._checked(value))
        except UnicodeEncodeError as error:
            raise BadKey(f"table {self._table!r}: a str value with {error.reason}") from None
        except BadKey:
            raise
        except ValueError as error:
            raise BadKey(f"table {self._table!r}: a value can't be stored: {error}") from None

    def encode_many(self, values: Sequence[Any]) -> Sequence[bytes]:
        """As `encode`, for a batch."""
        if {*map(type, values)} <= {self._format.python_type}:
            if self._is_bytes:
                return values
            try:
                return list(map(self._format.encode, values))
            except ValueError:  # which of them it is, is said below
                pass
        return [self.encode(value) for value in values]

    def decode(self, stored: bytes) -> Any:
        """Raises SerializationError for bytes that `encode` doesn't make."""
        try:
            return self._format.decode(stored)
        except ValueError:
            raise SerializationError(
                f"table {self._table!r}: {len(stored)} stored bytes are no value of type {self.name}"
            ) from None

    def decode_many(self, stored: Sequence[bytes | None]) -> Sequence[Any]:
        """As `decode`, for a page; None, for a missing value, stays."""
        if self._is_bytes:
            return stored
        decode = self._format.decode
        try:
            return [None if value is None else decode(value) for value in stored]
        except ValueError:  # which of them it is, is said below
            return [None if value is None else self.decode(value) for value in stored]

    def delta(self, value: Any) -> Any:
        """What is to be added to a tally, as its plain type; an int may be added to a float.

        Raises BadKey for anything else.
        """
        if self._format.python_type is float and isinstance(value, int) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                raise BadKey(f"table {self._table!r}: an int too large to be added to a float") from None
        return self._checked(value)

    def deltas(self, values: list[Any]) -> list[Any]:
        """As `delta`, for a batch."""
        return values if {*map(type, values)} <= {self._format.python_type} else list(map(self.delta, values))

    def _checked(self, value: Any) -> Any:
        """The value, of a subclass as its plain type."""
        expected = self._format.python_type
        if type(value) is expected:
            return value
        if not isinstance(value, expected) or isinstance(value, bool):
            raise BadKey(
                f"table {self._table!r}: a value must be {expected.__name__}, not {type(value).__name__}"
            )
        return self._format.plain(value)


def add(
    table: BackendTable,
    stored: Sequence[bytes | None],
    deltas: Sequence[Any],
    counter_range: tuple[int, int] | None = None,
) -> list[tuple[Any, bytes]]:
    """Adds to the stored texts of tallies (None: absent, counts as 0): the sums, and their texts.

    This is the one place where backends that add in Python do so. Raises BadKey where a sum
    leaves the counter's range, SerializationError where stored bytes are no number.
    """
    codec = _tally_codec(table.kind, table.name)
    numbers = [0 if number is None else number for number in codec.decode_many(stored)]
    sums = [number + delta for number, delta in zip(numbers, deltas, strict=True)]
    if counter_range is not None:
        for total in sums:
            check_range(table.name, total, counter_range)
    return list(zip(sums, codec.encode_many(sums), strict=True))


@lru_cache(maxsize=1000)
def _tally_codec(kind: Kind, table: str) -> ValueCodec:
    return ValueCodec(_TALLIES[kind], table)


def check_range(table: str, number: Any, counter_range: tuple[int, int] | None) -> None:
    """Raises BadKey for a number outside of what the store's counters can hold."""
    if counter_range is not None and not counter_range[0] <= number <= counter_range[1]:
        smallest, largest = counter_range
        raise BadKey(f"table {table!r}: a counter holds {smallest} to {largest}; this would leave that range")
