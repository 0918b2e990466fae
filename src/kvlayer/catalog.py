"""The catalogue: which tables a namespace holds, and of what types, kept in the store itself.

It is a table like the others, under a reserved name: table name → a JSON record. Any client of the
namespace can read there how a table's bytes are to be understood. Rows whose keys begin like reserved
names are notes: that a table is not whole yet, because a copy or load that fills it has not ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from kvlayer.backends.base import Backend, BackendTable
from kvlayer.errors import NoSuchTable, SchemaMismatch, SerializationError, StorageError
from kvlayer.keys import FORMAT_VERSION, type_names, types_named
from kvlayer.values import ValueCodec, ValueType, value_type_named

RESERVED_PREFIX: Final = "_kvlayer"
"""Table names that begin so belong to kvlayer."""

CATALOG: Final = BackendTable("_kvlayer_catalog")

_NOTE: Final = f"{RESERVED_PREFIX}_note:"
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as the catalogue knows it."""

    name: str
    key_types: tuple[type, ...]
    """The type of each part of a key: str, int, uuid.UUID, bytes or float."""
    value_type: ValueType
    """bytes, str, int, float, kvlayer.COUNTER or kvlayer.ACCUMULATOR."""
    incarnation: str = field(default="", compare=False, repr=False)
    """Tells this table from one of the same name before or after it."""
    incomplete: str | None = field(default=None, compare=False)
    """Why the table does not hold all that it should, where a copy or load that fills it has not ended.
    `Client.tables` tells; the table can be used all the same."""

    def to_record(self) -> bytes:
        """The row in the catalogue."""
        record = {
            "format": FORMAT_VERSION,
            "key_types": type_names(self.key_types),
            "value_type": ValueCodec(self.value_type, self.name).name,
            "incarnation": self.incarnation,
        }
        return json.dumps(record).encode()

    @classmethod
    def from_record(cls, name: str, record: bytes) -> TableInfo:
        """Raises SerializationError for a record that this version does not understand."""
        try:
            fields: dict[str, Any] = json.loads(record)
            if fields["format"] != FORMAT_VERSION:
                raise SerializationError(
                    f"table {name!r} was written in format {fields['format']}, this kvlayer reads"
                    f" {FORMAT_VERSION}: use the version that made it, or a newer one"
                )
            return cls(
                name,
                types_named(fields["key_types"]),
                value_type_named(fields["value_type"]),
                fields["incarnation"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SerializationError(f"table {name!r}: its catalogue record can't be read") from error


def read(backend: Backend, name: str) -> TableInfo | None:
    """What the catalogue says of one table; None where there is none."""
    return _read_many(backend, [name])[0]


def read_all(backend: Backend) -> list[TableInfo]:
    """All tables of the namespace, by name."""
    tables: list[TableInfo] = []
    notes: dict[str, dict[str, Any]] = {}
    try:
        for page in backend.scan(CATALOG, b"", None, reverse=False, limit=None):
            for key, record in page:
                name = key.decode()
                if name.startswith(_NOTE):
                    notes[name.removeprefix(_NOTE)] = _read_note(record)
                elif not name.startswith(RESERVED_PREFIX):
                    tables.append(TableInfo.from_record(name, record))
    except NoSuchTable:  # nothing was ever set up here
        return []
    return [
        replace(info, incomplete=notes[info.name]["reason"]) if info.name in notes else info
        for info in tables
    ]


def read_note(backend: Backend, name: str) -> dict[str, Any] | None:
    """The note on a table that is not whole: its `reason`, and what else was written; None without one."""
    try:
        (record,) = backend.get(CATALOG, [_note_key(name)])
    except NoSuchTable:
        return None
    return None if record is None else _read_note(record)


def add_note(backend: Backend, name: str, note: Mapping[str, Any]) -> bool:
    """Notes that a table is not whole, even before the table is made; False where there is a note already.

    `note` holds a `reason` and whatever else JSON can.
    """
    backend.create_tables([CATALOG])
    if backend.capabilities.compare_and_put:
        return backend.compare_and_put(CATALOG, _note_key(name), None, json.dumps(note).encode())
    if read_note(backend, name) is not None:
        return False
    replace_note(backend, name, note)
    return True


def replace_note(backend: Backend, name: str, note: Mapping[str, Any]) -> None:
    """Writes a note over the one that is there."""
    backend.put(CATALOG, [(_note_key(name), json.dumps(note).encode())])


def remove_notes(backend: Backend, names: Iterable[str]) -> None:
    """Removes the notes on tables, which are whole from now on."""
    keys = [_note_key(name) for name in names]
    if keys:
        backend.delete(CATALOG, keys)


def _note_key(name: str) -> bytes:
    return (_NOTE + name).encode()


def _read_note(record: bytes) -> dict[str, Any]:
    try:
        note = json.loads(record)
        if isinstance(note, dict) and isinstance(note.get("reason"), str):
            return note
    except ValueError:
        pass
    return {"reason": "its note in the catalogue can't be read"}


def agree(
    backend: Backend, wanted: Sequence[tuple[str, tuple[type, ...], ValueType | None]]
) -> list[TableInfo]:
    """Enters tables that aren't there; returns what the catalogue says of each afterwards.

    A value type of None stands for what is stored, or bytes. Of any number of clients that do this
    at once, one makes the entry and the others find it. Raises SchemaMismatch, before anything is
    entered, where a table has other types than wanted.
    """
    for _ in range(_ATTEMPTS):
        backend.create_tables([CATALOG])
        try:
            found = _read_many(backend, [name for name, _, _ in wanted])
            agreed = [
                _new(backend, *entry) if info is None else _matching(info, *entry)
                for info, entry in zip(found, wanted, strict=True)
            ]
            missing = [new for new, info in zip(agreed, found, strict=True) if info is None]
            if _enter_all(backend, missing):
                return agreed
        except NoSuchTable:  # another client dropped the namespace meanwhile
            continue
    raise StorageError("the catalogue kept changing while tables were set up", retryable=True)


def _read_many(backend: Backend, names: Sequence[str]) -> list[TableInfo | None]:
    keys = [name.encode() for name in names]
    records: list[bytes | None] = []
    try:
        while len(records) < len(keys):
            records += backend.get(CATALOG, keys[len(records) :])
    except NoSuchTable:
        return [None] * len(names)
    return [
        None if record is None else TableInfo.from_record(name, record)
        for name, record in zip(names, records, strict=True)
    ]


def _new(backend: Backend, name: str, key_types: tuple[type, ...], value_type: ValueType | None) -> TableInfo:
    # Without compare_and_put two clients can't agree on an incarnation, so there all have the same.
    incarnation = uuid4().hex if backend.capabilities.compare_and_put else ""
    return TableInfo(name, key_types, bytes if value_type is None else value_type, incarnation)


def _matching(
    info: TableInfo, name: str, key_types: tuple[type, ...], value_type: ValueType | None
) -> TableInfo:
    if info.key_types != key_types:
        raise SchemaMismatch(
            f"table {name!r} has keys of ({', '.join(type_names(info.key_types))}),"
            f" not of ({', '.join(type_names(key_types))})"
        )
    if value_type not in (None, info.value_type):
        stored = ValueCodec(info.value_type, name).name
        raise SchemaMismatch(f"table {name!r} has values of type {stored}, not {value_type!r}")
    return info


def _enter_all(backend: Backend, tables: list[TableInfo]) -> bool:
    """Whether all entries are now as given; False where another client was faster with one."""
    if not backend.capabilities.compare_and_put:
        if tables:
            backend.put(CATALOG, [(table.name.encode(), table.to_record()) for table in tables])
        return True
    return all(
        backend.compare_and_put(CATALOG, table.name.encode(), None, table.to_record()) for table in tables
    )
