"""Tables into a file and back: `dump`, `load`, `inspect_dump`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import BinaryIO

from kvlayer import catalog
from kvlayer.ahead import read_ahead
from kvlayer.backends.base import Row
from kvlayer.catalog import TableInfo
from kvlayer.client import Client
from kvlayer.tools import filling
from kvlayer.tools.blocks import BlockWriter
from kvlayer.tools.dump_contents import (
    contents,
    write_end,
    write_rows,
    write_start,
    write_table,
    write_table_end,
)
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import RawTable, require_order, size_of
from kvlayer.tools.records import DumpedTable, ProgressReport, Transferred
from kvlayer.tools.reporting import Reporter


def dump(
    client: Client,
    file: BinaryIO,
    tables: Sequence[str] | None = None,
    *,
    progress: ProgressReport | None = None,
) -> list[Transferred]:
    """Writes tables (none named: all) to a binary file, which may be a pipe, in constant memory.

    Rows that are written meanwhile may or may not be in it, as in a scan. Where this raises, the file
    is left without its end, and `load` refuses it. Raises NoSuchTable, TransferError for a table that
    is incomplete, NotSupported where scans don't come in key order, ConfigurationError where the
    package `zstandard` is missing, OSError where the file can't be written.
    """
    require_order(client, "dump")
    sources = [RawTable(client, info.name) for info in filling.whole(client, tables)]
    writer = BlockWriter(file)
    write_start(writer)
    with ThreadPoolExecutor(1, "kvlayer-dump") as reader:
        dumped = [_dump_table(source, writer, reader, progress) for source in sources]
    write_end(writer, dumped)
    file.flush()
    return dumped


def _dump_table(
    source: RawTable, writer: BlockWriter, reader: ThreadPoolExecutor, progress: ProgressReport | None
) -> Transferred:
    info = source.info
    write_table(writer, info)
    reporter = Reporter(progress, info.name, source.estimate_rows())
    with closing(read_ahead(reader, source.rows(b"", None))) as pages:
        for page in pages:
            write_rows(writer, page)
            reporter.add(len(page), size_of(page))
    reporter.tell()
    dumped = Transferred(info.name, reporter.rows, reporter.bytes)
    write_table_end(writer, dumped)
    return dumped


def inspect_dump(file: BinaryIO) -> list[DumpedTable]:
    """What a dump holds; reads and checks all of it, in constant memory.

    Raises BrokenDump for a file that is no dump, or was cut or changed, TransferError for one of a
    newer version, ConfigurationError where the package `zstandard` is missing.
    """
    found = []
    for content in contents(file):
        if isinstance(content, TableInfo):
            info = content
        elif isinstance(content, Transferred):
            found.append(DumpedTable(info.name, info.key_types, info.value_type, content.rows, content.bytes))
    return found


def load(
    client: Client,
    file: BinaryIO,
    tables: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
    progress: ProgressReport | None = None,
) -> list[Transferred]:
    """Loads tables (none named: all) from a dump, in constant memory.

    They must be empty or not there yet; with `overwrite` what they hold is removed. A file that can be
    read twice is checked wholly before anything is written. From a pipe each block is checked before
    its rows are written. Until all its rows are there a table is marked as incomplete, and it stays so
    where the load stops; load again with `overwrite` then.

    Raises BrokenDump and TransferError as `inspect_dump`, TransferError where a table holds rows or the
    dump doesn't hold a table, SchemaMismatch where a table has other types, BadKey for a row that
    doesn't fit the store's limits.
    """
    totals: dict[str, int] = {}
    if file.seekable():
        begin = file.tell()
        dumped = inspect_dump(file)
        _check_before(client, dumped, tables, overwrite)
        totals = {table.table: table.rows for table in dumped}
        file.seek(begin)
    loaded: list[Transferred] = []
    with ThreadPoolExecutor(1, "kvlayer-load") as writer:
        loading: _Loading | None = None
        for content in contents(file):
            if isinstance(content, TableInfo):
                if tables is None or content.name in tables:
                    reporter = Reporter(progress, content.name, totals.get(content.name))
                    loading = _Loading(client, content, writer, reporter, overwrite=overwrite)
            elif loading is not None:
                if isinstance(content, Transferred):
                    loaded.append(loading.end())
                    loading = None
                else:
                    loading.add(content)
    _check_all_found(tables, [table.table for table in loaded])
    return loaded


class _Loading:
    """One table that is being loaded; rows are written in another thread while the next are read."""

    def __init__(
        self,
        client: Client,
        info: TableInfo,
        writer: ThreadPoolExecutor,
        reporter: Reporter,
        *,
        overwrite: bool,
    ) -> None:
        _check_target(client, info, overwrite)
        note = {"reason": "a load of it has not ended"}
        filling.mark(client, info, note, overwrite=overwrite)
        self._table = filling.make(client, info, clear=overwrite)
        self._writer = writer
        self._written: Future[None] | None = None
        self._reporter = reporter

    def add(self, rows: list[Row]) -> None:
        self._wait()
        self._written = self._writer.submit(self._table.put, rows)
        self._reporter.add(len(rows), size_of(rows))

    def end(self) -> Transferred:
        self._wait()
        catalog.remove_notes(self._table.backend, [self._table.name])
        self._reporter.tell()
        return Transferred(self._table.name, self._reporter.rows, self._reporter.bytes)

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()


def _check_before(
    client: Client, dumped: list[DumpedTable], tables: Sequence[str] | None, overwrite: bool
) -> None:
    _check_all_found(tables, [table.table for table in dumped])
    for table in dumped:
        if tables is None or table.table in tables:
            _check_target(client, TableInfo(table.table, table.key_types, table.value_type), overwrite)


def _check_target(client: Client, info: TableInfo, overwrite: bool) -> None:
    if overwrite:
        filling.check_schema(client, info)
    else:
        filling.check_empty(client, info)


def _check_all_found(tables: Sequence[str] | None, found: list[str]) -> None:
    for name in tables or ():
        if name not in found:
            raise TransferError(f"the dump holds no table {name!r}")
