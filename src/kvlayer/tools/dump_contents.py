"""What the blocks of a dump mean, and in which order they stand: docs/dump-format.md in code."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

from kvlayer import keys
from kvlayer.backends.base import Row
from kvlayer.catalog import RESERVED_PREFIX, TableInfo
from kvlayer.config import check_name
from kvlayer.errors import KvlayerError
from kvlayer.tools.blocks import Block, BlockReader, BlockWriter
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import size_of
from kvlayer.tools.records import Transferred
from kvlayer.values import ValueCodec, value_type_named

FORMAT_VERSION: Final = 1
"""The version of the dump format."""

START, TABLE, ROWS, TABLE_END, FILE_END = b"S", b"T", b"R", b"E", b"Z"

Content: TypeAlias = TableInfo | list[Row] | Transferred
"""Of each table its types, then its rows by the page, then their totals."""


def write_start(writer: BlockWriter) -> None:
    """Writes the first block."""
    writer.write_json(START, {"format": FORMAT_VERSION, "key_format": keys.FORMAT_VERSION})


def write_table(writer: BlockWriter, info: TableInfo) -> None:
    """Writes the block before a table's rows."""
    codec = ValueCodec(info.value_type, info.name)
    key_types = keys.type_names(info.key_types)
    writer.write_json(TABLE, {"name": info.name, "key_types": key_types, "value_type": codec.name})


def write_rows(writer: BlockWriter, rows: Sequence[Row]) -> None:
    """Writes a block of rows."""
    writer.write_rows(ROWS, rows)


def write_table_end(writer: BlockWriter, totals: Transferred) -> None:
    """Writes the block behind a table's rows."""
    writer.write_json(TABLE_END, {"rows": totals.rows, "bytes": totals.bytes})


def write_end(writer: BlockWriter, tables: Sequence[Transferred]) -> None:
    """Writes the last block."""
    writer.write_json(FILE_END, {"tables": len(tables), "rows": sum(table.rows for table in tables)})


def contents(file: BinaryIO) -> Iterator[Content]:
    """Reads a dump to its end. Raises BrokenDump, and TransferError for a newer version."""
    reader = BlockReader(file)
    _check_start(reader, reader.next_block())
    names: set[str] = set()
    rows = 0
    while (block := reader.next_block()).kind == TABLE:
        info = _table_info(reader, block)
        if info.name in names:
            raise reader.broken(block.offset, f"table {info.name!r} comes a second time")
        names.add(info.name)
        yield info
        totals = yield from _rows(reader, info.name)
        yield totals
        rows += totals.rows
    _check_end(reader, block, FILE_END, {"tables": len(names), "rows": rows})
    reader.expect_end()


def _rows(reader: BlockReader, table: str) -> Generator[list[Row], None, Transferred]:
    rows = size = 0
    last = None
    while (block := reader.next_block()).kind == ROWS:
        page = reader.rows(block)
        if last is not None and page[0][0] <= last:
            raise reader.broken(block.offset, "its keys are not behind those of the block before")
        last = page[-1][0]
        rows += len(page)
        size += size_of(page)
        yield page
    _check_end(reader, block, TABLE_END, {"rows": rows, "bytes": size})
    return Transferred(table, rows, size)


def _check_start(reader: BlockReader, block: Block) -> None:
    if block.kind != START:
        raise reader.broken(block.offset, f"of kind {block.kind!r}, where the dump should begin")
    versions = reader.json(block)
    for name, known in (("format", FORMAT_VERSION), ("key_format", keys.FORMAT_VERSION)):
        if versions.get(name) != known:
            raise TransferError(
                f"the dump is of {name} {versions.get(name)}, this kvlayer reads {known}:"
                " use the version that made it, or a newer one"
            )


def _table_info(reader: BlockReader, block: Block) -> TableInfo:
    content = reader.json(block)
    try:
        name, key_types, value_type = content["name"], content["key_types"], content["value_type"]
        check_name("table", name)
        types = keys.schema(keys.types_named(key_types), name)
        info = TableInfo(name, types, value_type_named(value_type))
    except (KeyError, TypeError, KvlayerError) as error:
        raise reader.broken(block.offset, f"it describes no table that can be: {error!r}") from error
    if name.startswith(RESERVED_PREFIX):
        raise reader.broken(block.offset, f"table {name!r} has a reserved name")
    return info


def _check_end(reader: BlockReader, block: Block, kind: bytes, totals: dict[str, Any]) -> None:
    if block.kind != kind:
        raise reader.broken(block.offset, f"of kind {block.kind!r}, where {kind!r} should follow")
    if reader.json(block) != totals:
        raise reader.broken(block.offset, f"it counts {reader.json(block)}, and there were {totals}")
