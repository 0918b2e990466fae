"""Apache OpenDAL: paths and contents on many services. It has no call for many paths, and no counters.

Those of its services that need no server of their own kind are here, as far as its wheel has them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any, ClassVar

import opendal

from benchmarks.alternatives.contender import Contender, Key, as_key, as_text


class OpenDAL(Contender):
    """A service that lists nothing."""

    package: ClassVar[str | None] = "opendal"

    def __init__(self, service: str, **options: str) -> None:
        self._operator = opendal.Operator(service, **options)

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._operator.write(as_text(key), value)

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._operator.read(as_text(key)) for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            self._operator.delete(as_text(key))

    def close(self) -> None:
        del self._operator  # it has nothing to close


class _Listed(OpenDAL):
    """A service that lists the paths below another one, in no order."""

    def range(self, name: str) -> list[tuple[Key, Any]]:
        paths = sorted(entry.path for entry in self._operator.list(f"{name}/"))
        return [(as_key(path), self._operator.read(path)) for path in paths if not path.endswith("/")]


class _Sorted(_Listed):
    """A service that lists paths in their order."""

    ordered: ClassVar[bool] = True

    def scan(self) -> Iterable[tuple[Key, Any]]:
        paths = (entry.path for entry in self._operator.list("/", recursive=True))
        return ((as_key(path), self._operator.read(path)) for path in paths if not path.endswith("/"))


class Memory(_Sorted):
    """A tree in memory."""

    name = "opendal memory"

    def __init__(self) -> None:
        super().__init__("memory")


class Sled(_Sorted):
    """An embedded database that writes what it was given half a second later."""

    name = "opendal sled"

    def __init__(self, folder: str) -> None:
        super().__init__("sled", datadir=folder)


class Files(_Listed):
    """A file for each row, synced."""

    name = "opendal fs"

    def __init__(self, folder: str) -> None:
        super().__init__("fs", root=folder)


class Cacache(OpenDAL):
    """A cache of files, named by what they hold."""

    name = "opendal cacache"

    def __init__(self, folder: str) -> None:
        super().__init__("cacache", datadir=folder)


class SQLite(OpenDAL):
    """An SQLite file with a rollback journal, synced at each write."""

    name = "opendal sqlite"

    def __init__(self, file: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE data (key TEXT PRIMARY KEY, data BLOB)")
        super().__init__(
            "sqlite", connection_string=f"sqlite://{file}", table="data", key_field="key", value_field="data"
        )


class Redb(OpenDAL):
    """An embedded database that is synced at each write."""

    name = "opendal redb"

    def __init__(self, file: str) -> None:
        super().__init__("redb", datadir=file, table="data")


class Persy(OpenDAL):
    """Another one."""

    name = "opendal persy"

    def __init__(self, file: str) -> None:
        super().__init__("persy", datafile=file, segment="data", index="keys")


class Redis(OpenDAL):
    """Strings of a Redis server."""

    name = "opendal redis"

    def __init__(self, port: int) -> None:
        super().__init__("redis", endpoint=f"tcp://127.0.0.1:{port}", root="opendal")
