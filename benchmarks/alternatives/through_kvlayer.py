"""kvlayer, on the store whose durability the alternatives have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import kvlayer
from benchmarks.alternatives.contender import Contender, Key
from benchmarks.workload import KEY_TYPES


class ThroughKvlayer(Contender):
    """Handles of two tables; one by one, they are used like dicts."""

    package: ClassVar[str | None] = "kvlayer"
    ordered: ClassVar[bool] = True

    def __init__(self, config: Mapping[str, Any] | str) -> None:
        """Opens the configured store and makes the tables, in a namespace of its own."""
        self._client = kvlayer.client(config, app_name="kvlayer", namespace="alternatives")
        self._client.delete_namespace()
        self._client.setup_namespace(
            {"rows": KEY_TYPES, "counters": KEY_TYPES}, value_types={"counters": kvlayer.COUNTER}
        )
        self._rows = self._client.table("rows")
        self._counters = self._client.table("counters")

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        for key, value in rows:
            self._rows[key] = value

    def get_each(self, keys: list[Key]) -> list[Any]:
        return [self._rows[key] for key in keys]

    def delete_each(self, keys: list[Key]) -> None:
        for key in keys:
            del self._rows[key]

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        self._rows.put(*rows)

    def get(self, keys: list[Key]) -> list[Any]:
        return [value for _, value in self._rows.get(*keys)]

    def delete(self, keys: list[Key]) -> None:
        self._rows.delete(*keys)

    def scan(self) -> Iterable[tuple[Key, Any]]:
        return self._rows.scan()

    def range(self, name: str) -> list[tuple[Key, Any]]:
        return list(self._rows.scan(((name,), (name,))))

    def increment(self, keys: list[Key]) -> list[Any]:
        return self._counters.increment(*[(key, 1) for key in keys])

    def increment_each(self, keys: list[Key]) -> list[Any]:
        return [self._counters.increment((key, 1))[0] for key in keys]

    def close(self) -> None:
        self._client.delete_namespace()
        self._client.close()


class Local(ThroughKvlayer):
    """In memory."""

    name = "kvlayer local"

    def __init__(self) -> None:
        super().__init__("local://")


class SQLite(ThroughKvlayer):
    """In a file; each write is synced."""

    name = "kvlayer sqlite"
    synchronous: ClassVar[str] = "FULL"

    def __init__(self, file: str) -> None:
        super().__init__({"storage_type": "sqlite", "filename": file, "synchronous": self.synchronous})


class SQLiteNormal(SQLite):
    """In a file, and nothing waits for the disk."""

    name = "kvlayer sqlite NORMAL"
    synchronous: ClassVar[str] = "NORMAL"


class Redis(ThroughKvlayer):
    """On a server."""

    name = "kvlayer redis"
