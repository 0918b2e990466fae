"""Programs that go row by row over a plain driver, as those of happybase's users do.

`with table.batch()` is a transaction here, or a pipeline; `table.row(key)` is a query for one key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, ClassVar

import redis

from benchmarks.alternatives.contender import Contender, Key, as_key, as_text

_ADD = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (k) DO UPDATE SET v = v + 1 RETURNING v"


class SQLite(Contender):
    """`sqlite3` with its own settings: a rollback journal, synced at each commit."""

    name = "sqlite3, row by row"
    ordered: ClassVar[bool] = True

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file)
        with self._connection:
            self._connection.execute("CREATE TABLE rows (k TEXT PRIMARY KEY, v BLOB)")
            self._connection.execute("CREATE TABLE counters (k TEXT PRIMARY KEY, v INTEGER)")

    def _put(self, key: Key, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (as_text(key), value))

    def _delete(self, key: Key) -> None:
        self._connection.execute("DELETE FROM rows WHERE k = ?", (as_text(key),))

    def _increment(self, key: Key) -> Any:
        return self._connection.execute(_ADD, (as_text(key),)).fetchone()[0]

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            with self._connection:
                self._put(key, value)

    def get_each(self, keys: list[Key]) -> list[Any]:
        query = "SELECT v FROM rows WHERE k = ?"
        return [self._connection.execute(query, (as_text(key),)).fetchone()[0] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            with self._connection:
                self._delete(key)

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        with self._connection:
            for key, value in rows:
                self._put(key, value)

    def delete(self, keys: list[Key]) -> None:
        with self._connection:
            for key in keys:
                self._delete(key)

    def scan(self) -> Iterable[tuple[Key, Any]]:
        found = self._connection.execute("SELECT k, v FROM rows ORDER BY k")
        return ((as_key(text), value) for text, value in found)

    def range(self, name: str) -> list[tuple[Key, Any]]:
        ends = f"{name}/", f"{name}0"  # the character behind the slash
        found = self._connection.execute("SELECT k, v FROM rows WHERE k >= ? AND k < ? ORDER BY k", ends)
        return [(as_key(text), value) for text, value in found]

    def increment(self, keys: list[Key]) -> list[Any]:
        with self._connection:
            return [self._increment(key) for key in keys]

    def increment_each(self, keys: list[Key]) -> list[Any]:
        totals = []
        for key in keys:
            with self._connection:
                totals.append(self._increment(key))
        return totals

    def close(self) -> None:
        self._connection.close()


class Redis(Contender):
    """redis-py with one string for each row; a pipeline where it is a batch."""

    name = "redis-py, row by row"
    package: ClassVar[str] = "redis"

    def __init__(self, port: int) -> None:
        self._redis = redis.Redis(port=port, protocol=2)

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._redis.set(f"rows/{as_text(key)}", value)

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._redis.get(f"rows/{as_text(key)}") for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            self._redis.delete(f"rows/{as_text(key)}")

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        with self._redis.pipeline() as pipe:
            for key, value in rows:
                pipe.set(f"rows/{as_text(key)}", value)
            pipe.execute()

    def get(self, keys: list[Key]) -> list[Any]:
        found: list[Any] = self._redis.mget([f"rows/{as_text(key)}" for key in keys])
        return found

    def delete(self, keys: list[Key]) -> None:
        with self._redis.pipeline() as pipe:
            for key in keys:
                pipe.delete(f"rows/{as_text(key)}")
            pipe.execute()

    def increment(self, keys: list[Key]) -> list[Any]:
        with self._redis.pipeline() as pipe:
            for key in keys:
                pipe.incr(f"counters/{as_text(key)}")
            totals: list[Any] = pipe.execute()
        return totals

    def increment_each(self, keys: list[Key]) -> list[Any]:
        return [self._redis.incr(f"counters/{as_text(key)}") for key in keys]

    def close(self) -> None:
        self._redis.close()
