"""The SQL of one table: its column of values, by kind, and the statements on it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from psycopg.sql import SQL, Identifier

from kvlayer.backends.base import BackendTable, Kind
from kvlayer.backends.postgres import names
from kvlayer.values import MAX_DIGITS


class Column(NamedTuple):
    """How the values of a kind are stored, and what is sent and answered for them.

    Many values travel in an array, which the driver makes of Python's objects; one in the binary form
    of its type.
    """

    definition: str
    array: str
    """The type of the parameter that holds many values."""
    read: str
    """What is answered for a value."""
    size: str
    """About the bytes of that, found without reading a value that PostgreSQL keeps apart from its row."""
    write: str
    """A member `v` of the array as a value."""
    write_one: str
    """The parameter `{p}` as a value."""
    same: str
    """Whether the value is that of the parameter `{p}`."""
    to_member: Callable[[bytes], Any] | None = None
    """kvlayer's bytes as a member of the array; None: as they are."""
    from_member: Callable[[Any], bytes] | None = None
    """What is answered, among many, as kvlayer's bytes; None: as it is."""
    pack: Callable[[bytes], bytes] | None = None
    """kvlayer's bytes as the binary form of a parameter; None: as they are."""
    unpack: Callable[[bytes], bytes] | None = None
    """The binary form of what is answered as kvlayer's bytes; None: as it is."""


_FLOAT8: Final = struct.Struct(">d")


def _float_as_text(number: float) -> bytes:
    return repr(number).encode()


def _packed_float(text: bytes) -> bytes:
    return _FLOAT8.pack(float(text))


def _unpacked_float(eight: bytes) -> bytes:
    return _float_as_text(*_FLOAT8.unpack(eight))


# Numbers are numbers for SQL too. An int travels as its decimal text; a float as its eight bytes, for
# both sides to have the same one, and compares by them: 0.0 and -0.0 differ, NaN is NaN.
_COLUMNS: Final[dict[Kind, Column]] = {
    "plain": Column("bytea NOT NULL", "bytea", "v", "octet_length(v)", "v", "{p}", "v = {p}"),
    "counter": Column(
        f"numeric NOT NULL CHECK (v > -1e{MAX_DIGITS} AND v < 1e{MAX_DIGITS})",
        "bytea",
        "decode(v::text, 'escape')",
        "pg_column_size(v)",
        "encode(v, 'escape')::numeric",
        "encode({p}::bytea, 'escape')::numeric",
        "v = encode({p}::bytea, 'escape')::numeric",
    ),
    "accumulator": Column(
        "float8 NOT NULL",
        "float8",
        "v",
        "8",
        "v",
        "{p}::float8",
        "float8send(v) = {p}::bytea",
        float,
        _float_as_text,
        _packed_float,
        _unpacked_float,
    ),
}


class TableStatements:
    """The statements on one SQL table. The texts are made once, so that the driver's work is cached.

    `%b` stands for a parameter of `Session.execute`; statements on one row have `$1` … instead, for
    `Session.ask`. Where a statement takes "a share", it answers NULL in place of a value of more bytes
    than that.
    """

    def __init__(self, schema: str, table: BackendTable) -> None:
        self.column = column = _COLUMNS[table.kind]
        self._name = Identifier(schema, names.table_name(table))
        self._scans: dict[tuple[bool, bool, bool], bytes] = {}
        self.put = self._text("INSERT INTO {t} (k, v) {given} {or_replace}")
        """Takes the keys, which are unique, and the values."""
        self.put_one = self._text("INSERT INTO {t} (k, v) VALUES ($1, {second}) {or_replace}")
        self.put_absent = self._text(
            "INSERT INTO {t} (k, v) VALUES ($1, {second}) ON CONFLICT (k) DO NOTHING RETURNING 1"
        )
        self.put_same = self._text("UPDATE {t} SET v = {third} WHERE k = $1 AND {same_as_second} RETURNING 1")
        """Takes the key, the value expected and the new one."""
        self.delete_same = self._text("DELETE FROM {t} WHERE k = $1 AND {same_as_second} RETURNING 1")
        self.get_one = self._text("SELECT {read} FROM {t} WHERE k = $1")
        self.absent = self._text("SELECT 1 WHERE NOT EXISTS (SELECT FROM {t} WHERE k = $1)")
        self.get = self._text("SELECT k, {read} FROM {t} WHERE k = ANY(%b)")
        self.get_small = self._text("SELECT k, {read_small} FROM {t} WHERE k = ANY(%b)")
        """Takes a share and the keys."""
        self.sizes = self._text("SELECT k, {size} FROM {t} WHERE k = ANY(%b)")
        self.delete = self._text("DELETE FROM {t} WHERE k = ANY(%b)")
        self.delete_range = self._text("DELETE FROM {t} WHERE k >= %b AND k < %b")
        self.delete_from = self._text("DELETE FROM {t} WHERE k >= %b")
        self.add = self._text(
            "INSERT INTO {t} AS stored (k, v) {given}"
            " ON CONFLICT (k) DO UPDATE SET v = stored.v + excluded.v RETURNING k, {read}"
        )
        """Takes keys and what to add to their values; answers the new ones."""
        self.lock = self._text(
            "INSERT INTO {t} AS stored (k, v) SELECT k, 0 FROM unnest(%b::bytea[]) AS given (k)"
            " ON CONFLICT (k) DO UPDATE SET v = stored.v RETURNING k, {read}"
        )
        """Takes keys and keeps others from changing their values until the transaction ends; answers
        them. Those that weren't there are now, with the value 0."""
        self.truncate = SQL("TRUNCATE {t}").format(t=self._name)
        self.definition = SQL("CREATE TABLE IF NOT EXISTS {} (k bytea PRIMARY KEY, v {})").format(
            self._name, SQL(column.definition)
        )

    def scan(self, *, keys_only: bool, bounded: bool, reverse: bool) -> bytes:
        """A page. Takes a share unless `keys_only`; the start; the stop if `bounded`; the number of rows."""
        variant = (keys_only, bounded, reverse)
        text = self._scans.get(variant)
        if text is None:
            columns = "k" if keys_only else "k, {read_small}"
            stop = "AND k < %b " if bounded else ""
            order = "DESC" if reverse else "ASC"
            template = f"SELECT {columns} FROM {{t}} WHERE k >= %b {stop}ORDER BY k {order} LIMIT %b"  # noqa: S608
            text = self._scans[variant] = self._text(template)
        return text

    def members(self, values: list[bytes]) -> list[Any]:
        """kvlayer's bytes as the members of an array."""
        convert = self.column.to_member
        return values if convert is None else list(map(convert, values))

    def packed(self, value: bytes) -> bytes:
        """kvlayer's bytes as one parameter in binary form."""
        convert = self.column.pack
        return value if convert is None else convert(value)

    def _text(self, template: str) -> bytes:
        """A statement with its blanks filled in: the name of the table, which the driver quotes, and
        parts of statements of this module."""
        column = self.column
        small = f"CASE WHEN {column.size} <= %b THEN {column.read} END"
        return (
            SQL(template)
            .format(
                t=self._name,
                given=SQL("SELECT k, {} FROM unnest(%b::bytea[], %b::{}[]) AS given (k, v)").format(
                    SQL(column.write), SQL(column.array)
                ),
                or_replace=SQL("ON CONFLICT (k) DO UPDATE SET v = excluded.v"),
                read=SQL(column.read),
                read_small=SQL(small),
                size=SQL(column.size),
                second=SQL(column.write_one).format(p=SQL("$2")),
                third=SQL(column.write_one).format(p=SQL("$3")),
                same_as_second=SQL(column.same).format(p=SQL("$2")),
            )
            .as_bytes(None)
        )
