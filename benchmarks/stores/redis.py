"""The `redis` backend against redis-py, with the same structures: a hash and a sorted set in step.

Both use one server, started for the benchmark, which writes its log as it does by default (once a second).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Final

import redis

from benchmarks.harness import WITH_ONE_ROW, Comparison, Contender
from benchmarks.stores.through_kvlayer import ThroughKvlayer
from kvlayer.backends.base import PAGE_ROWS

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from servers.redis import RedisServer  # the tests know how to start one

_HASH: Final = b"{bare}:values"
_KEYS: Final = b"{bare}:keys"

_PAGE: Final = """
local keys = redis.call('ZRANGE', KEYS[2], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
if #keys == 0 then return {keys, keys} end
return {keys, redis.call('HMGET', KEYS[1], unpack(keys))}
"""


class BareRedis(Contender):
    """The driver's commands, without a check that the table is there, and without bounds on bytes."""

    takes_encoded: ClassVar[bool] = True

    def __init__(self, port: int) -> None:
        self._client = redis.Redis(port=port, protocol=2)
        self._client.unlink(_HASH, _KEYS)
        self._page = self._client.script_load(_PAGE)

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.execute_command("HSET", _HASH, *chain.from_iterable(rows))
            pipe.execute_command("ZADD", _KEYS, *chain.from_iterable((b"0", key) for key, _ in rows))
            pipe.execute()

    def get(self, keys: list[Any]) -> list[Any]:
        found: list[Any] = self._client.execute_command("HMGET", _HASH, *keys)
        return found

    def get_one(self, key: Any) -> Any:
        return self._client.hget(_HASH, key)

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        start = b"-"
        while True:
            keys, values = self._client.evalsha(self._page, 2, _HASH, _KEYS, start, PAGE_ROWS)
            if not keys:
                return
            yield from zip(keys, values, strict=True)
            start = b"(" + keys[-1]

    def scan_keys(self) -> Iterable[Any]:
        start = b"-"
        while keys := self._client.execute_command(
            "ZRANGE", _KEYS, start, "+", "BYLEX", "LIMIT", 0, PAGE_ROWS
        ):
            yield from keys
            start = b"(" + keys[-1]

    def delete(self, keys: list[Any]) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.execute_command("HDEL", _HASH, *keys)
            pipe.execute_command("ZREM", _KEYS, *keys)
            pipe.execute()

    def close(self) -> None:
        self._client.unlink(_HASH, _KEYS)
        self._client.close()


@contextmanager
def _opened() -> Iterator[tuple[Contender, Contender]]:
    with (
        RedisServer("--appendonly", "yes") as server,
        closing(ThroughKvlayer(server.config)) as ours,
        closing(BareRedis(server.port)) as bare,
    ):
        yield ours, bare


@contextmanager
def _served() -> Iterator[dict[str, Any]]:
    with RedisServer("--appendonly", "yes") as server:
        yield server.config


COMPARISON = Comparison(
    store="redis",
    baseline="redis-py",
    targets={"put": 0.85, "get": 0.75, "scan": 0.65, "put one": 0.8, "get one": 0.8},
    open=_opened,
    operations=WITH_ONE_ROW,
    server=_served,
)
