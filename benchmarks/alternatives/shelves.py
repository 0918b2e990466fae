"""`shelve`: a dict in a file by the best `dbm` that this Python has; values are pickled."""

from __future__ import annotations

import dbm
import shelve
from typing import Any

from benchmarks.alternatives.contender import Contender, Key, as_text


class Shelf(Contender):
    """One file (or some, as the `dbm` likes)."""

    def __init__(self, file: str) -> None:
        database: Any = dbm.open(file, "c")  # noqa: SIM115 - the shelf closes it
        self._shelf = shelve.Shelf[bytes](database)
        self.name = f"shelve on {type(database).__module__}"

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._shelf[as_text(key)] = value

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._shelf[as_text(key)] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            del self._shelf[as_text(key)]

    def close(self) -> None:
        self._shelf.close()
