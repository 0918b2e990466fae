"""py-key-value-aio: dicts that go into JSON, so bytes are written as base64; keys are text in no order.

It is asynchronous. Rows that are moved one by one are awaited one by one, all in one call of the event loop.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from typing import Any, ClassVar

from key_value.aio.stores.disk import DiskStore
from key_value.aio.stores.memory import MemoryStore
from key_value.aio.stores.redis import RedisStore

from benchmarks.alternatives.contender import Contender, Key, as_text


def _document(value: bytes) -> dict[str, Any]:
    return {"value": b64encode(value).decode()}


def _value(document: dict[str, Any] | None) -> bytes | None:
    return None if document is None else b64decode(document["value"])


class PyKeyValue(Contender):
    """A store of this library, and an event loop for it."""

    package: ClassVar[str | None] = "py-key-value-aio"

    def __init__(self, store: MemoryStore | DiskStore | RedisStore) -> None:
        self._store = store
        self._runner = asyncio.Runner()

    def put_each(self, rows: list[tuple[Key, bytes]]) -> None:
        async def put() -> None:
            for key, value in rows:
                await self._store.put(as_text(key), _document(value))

        self._runner.run(put())

    def get_each(self, keys: list[Key]) -> list[Any]:
        async def get() -> list[Any]:
            return [_value(await self._store.get(as_text(key))) for key in keys]

        return self._runner.run(get())

    def delete_each(self, keys: list[Key]) -> None:
        async def delete() -> None:
            for key in keys:
                await self._store.delete(as_text(key))

        self._runner.run(delete())

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        keys, documents = [as_text(key) for key, _ in rows], [_document(value) for _, value in rows]
        self._runner.run(self._store.put_many(keys, documents))

    def get(self, keys: list[Key]) -> list[Any]:
        found = self._runner.run(self._store.get_many(list(map(as_text, keys))))
        return list(map(_value, found))

    def delete(self, keys: list[Key]) -> None:
        self._runner.run(self._store.delete_many(list(map(as_text, keys))))

    def close(self) -> None:
        if isinstance(self._store, (DiskStore, RedisStore)):  # the other one has nothing to close
            self._runner.run(self._store.close())
        self._runner.close()


class Memory(PyKeyValue):
    """In memory."""

    name = "py-key-value memory"

    def __init__(self) -> None:
        super().__init__(MemoryStore())


class Disk(PyKeyValue):
    """A diskcache below it."""

    name = "py-key-value disk"

    def __init__(self, folder: str) -> None:
        super().__init__(DiskStore(directory=folder))


class Redis(PyKeyValue):
    """Strings of a Redis server."""

    name = "py-key-value redis"

    def __init__(self, port: int) -> None:
        super().__init__(RedisStore(port=port))
