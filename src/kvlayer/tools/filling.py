"""Tables that are to be filled: checked, and marked as incomplete until all their rows are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kvlayer import catalog
from kvlayer.catalog import TableInfo
from kvlayer.client import Client
from kvlayer.errors import NoSuchTable, SchemaMismatch
from kvlayer.keys import type_names
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import RawTable
from kvlayer.values import ValueCodec


def chosen(client: Client, names: Sequence[str] | None) -> list[TableInfo]:
    """The tables of these names, each once, or all. Raises NoSuchTable."""
    present = {info.name: info for info in client.tables()}
    if names is None:
        return list(present.values())
    for name in names:
        if name not in present:
            raise NoSuchTable(f"no table {name!r} in {client!r}")
    return [present[name] for name in dict.fromkeys(names)]


def whole(client: Client, names: Sequence[str] | None) -> list[TableInfo]:
    """As `chosen`; raises TransferError for a table that is incomplete: what is made of it would look
    complete."""
    tables = chosen(client, names)
    for info in tables:
        if info.incomplete is not None:
            raise TransferError(f"table {info.name!r} of {client!r} is incomplete: {info.incomplete}")
    return tables


def check_schema(client: Client, wanted: TableInfo) -> bool:
    """Whether the table is there. Raises SchemaMismatch where it has other types."""
    info = catalog.read(client._connected(), wanted.name)
    if info is not None and (info.key_types, info.value_type) != (wanted.key_types, wanted.value_type):
        raise SchemaMismatch(f"table {wanted.name!r} has {_types(info)} in {client!r}, not {_types(wanted)}")
    return info is not None


def check_empty(client: Client, wanted: TableInfo) -> None:
    """Raises SchemaMismatch where a table of that name has other types, TransferError where it holds rows
    or is being filled."""
    present = check_schema(client, wanted)
    note = catalog.read_note(client._connected(), wanted.name)
    if note is not None:
        raise TransferError(
            f"table {wanted.name!r} of {client!r} is incomplete: {note['reason']}; overwrite it to begin anew"
        )
    if present and RawTable(client, wanted.name).first_key(b"", None) is not None:
        raise TransferError(f"table {wanted.name!r} of {client!r} holds rows; overwrite it to replace them")


def mark(client: Client, wanted: TableInfo, note: dict[str, Any], *, overwrite: bool) -> None:
    """Marks a table as incomplete, before it is made.

    Raises TransferError where it is marked already, unless that is to be overwritten.
    """
    backend = client._connected()
    if not catalog.add_note(backend, wanted.name, note):
        if not overwrite:
            raise TransferError(f"table {wanted.name!r} of {client!r} is being filled by someone else")
        catalog.replace_note(backend, wanted.name, note)


def make(client: Client, wanted: TableInfo, *, clear: bool) -> RawTable:
    """Makes a table, and empties it if asked to."""
    client.setup_namespace({wanted.name: wanted.key_types}, {wanted.name: wanted.value_type})
    table = RawTable(client, wanted.name)
    if clear:
        table.clear()
    return table


def accept_incomplete(client: Client, table: str) -> None:
    """Takes a table as it is: it counts as complete from now on.

    Raises NoSuchTable for one that isn't there; one that is complete stays so.
    """
    chosen(client, [table])
    catalog.remove_notes(client._connected(), [table])


def _types(info: TableInfo) -> str:
    values = ValueCodec(info.value_type, info.name).name
    return f"keys of ({', '.join(type_names(info.key_types))}) and values of type {values}"
