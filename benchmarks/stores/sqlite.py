"""The `sqlite` backend against the `sqlite3` module, with the same statements and settings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.harness import Comparison, Contender
from benchmarks.stores.through_kvlayer import ThroughKvlayer
from kvlayer.backends.base import PAGE_ROWS
from kvlayer.backends.sqlite import SQLiteBackend
from kvlayer.backends.sqlite.database import Database
from kvlayer.backends.sqlite.statements import TableStatements


class BareSQLite(Contender):
    """One connection, opened as the backend opens its own, and the backend's SQL."""

    takes_encoded: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        options = SQLiteBackend.Options(filename=str(path))
        self._connection = Database(str(path), options.synchronous, options.busy_timeout).connect(create=True)
        self._connection.execute("CREATE TABLE kv_1 (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)")
        self._sql = TableStatements(1)

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(self._sql.put, sorted(rows))
        self._connection.execute("COMMIT")

    def get(self, keys: list[Any]) -> list[Any]:
        found = dict(self._connection.execute(self._sql.get_many(len(keys)), keys))
        return list(map(found.get, keys))

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        sql = self._sql.scan("k, v", bounded=False, reverse=False)
        start = b""
        while page := self._connection.execute(sql, (start, PAGE_ROWS)).fetchall():
            yield from page
            start = page[-1][0] + b"\0"

    def scan_keys(self) -> Iterable[Any]:
        sql = self._sql.scan("k", bounded=False, reverse=False)
        start = b""
        while page := self._connection.execute(sql, (start, PAGE_ROWS)).fetchall():
            for (key,) in page:
                yield key
            start = page[-1][0] + b"\0"

    def delete(self, keys: list[Any]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(self._sql.delete, [(key,) for key in sorted(keys)])
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _opened() -> Iterator[tuple[Contender, Contender]]:
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(ThroughKvlayer(configuration(Path(directory, "kvlayer.db")))) as ours,
        closing(BareSQLite(Path(directory, "bare.db"))) as bare,
    ):
        yield ours, bare


def configuration(path: Path) -> dict[str, Any]:
    """What makes kvlayer use a database file."""
    return {"storage_type": "sqlite", "filename": str(path)}


COMPARISON = Comparison(
    store="sqlite",
    baseline="sqlite3",
    targets={"put": 0.85, "get": 0.6, "scan": 0.45},
    open=_opened,
)
