"""`sqlitedict`: a dict in an SQLite file that is never synced; values are pickled, keys in no order."""

from __future__ import annotations

from typing import Any, ClassVar

import sqlitedict

from benchmarks.alternatives.contender import Contender, Key, as_text


class SQLiteDict(Contender):
    """Each change is committed, since autocommit would return before anything is written."""

    name = "sqlitedict"
    package: ClassVar[str | None] = "sqlitedict"

    def __init__(self, file: str) -> None:
        self._rows = sqlitedict.SqliteDict(file)

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._rows[as_text(key)] = value
            self._rows.commit()

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._rows[as_text(key)] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            del self._rows[as_text(key)]
            self._rows.commit()

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        self._rows.update((as_text(key), value) for key, value in rows)
        self._rows.commit()

    def delete(self, keys: list[Key]) -> None:
        for key in keys:
            del self._rows[as_text(key)]
        self._rows.commit()

    def close(self) -> None:
        self._rows.close()
