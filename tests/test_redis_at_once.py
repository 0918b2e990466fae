"""Clients that set up, use and delete one namespace on a Redis server, all at once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import kvlayer
from servers.redis import RedisServer, cluster

CLIENTS = 4
OPERATIONS = 200


@pytest.fixture(params=["one server", "cluster"])
def servers(request: pytest.FixtureRequest) -> Iterator[list[RedisServer]]:
    if request.param == "cluster":
        with cluster() as servers:
            yield servers
    else:
        with RedisServer() as server:
            yield [server]


def use(config: dict[str, Any], number: int) -> Counter[str]:
    """Does what comes; counts how it ended."""
    choose = random.Random(number)
    ends: Counter[str] = Counter()
    with kvlayer.client(config) as kvl:
        operations = [
            *3 * [lambda: kvl.setup_namespace({"t": (int,), "u": (int,)})],
            *3 * [lambda: kvl.put("t", *(((n,), b"small") for n in range(20)))],
            lambda: kvl.put("t", *(((n,), b"large" * 20_000) for n in range(20))),
            lambda: kvl.clear_table("t"),
            lambda: list(kvl.scan("t")),
            kvl.delete_namespace,
        ]
        for _ in range(OPERATIONS):
            try:
                choose.choice(operations)()
                ends["done"] += 1
            except kvlayer.NoSuchTable:
                ends["no table"] += 1
            except kvlayer.StorageError as error:
                assert error.retryable
                assert "kept" in str(error)
                ends["raced"] += 1
    return ends


def test_nothing_is_left_where_nobody_looks(servers: list[RedisServer]) -> None:
    config = {**servers[0].config, "app_name": "app", "namespace": "at once"}
    with ThreadPoolExecutor(CLIENTS) as threads:
        ends = sum(threads.map(use, CLIENTS * [config], range(CLIENTS)), Counter[str]())
    assert ends.total() == CLIENTS * OPERATIONS
    assert ends["done"] > ends["raced"]
    with kvlayer.client(config) as kvl:
        kvl.delete_namespace()
    for server in servers:
        for key in server.command("KEYS", "*"):
            assert key.endswith(":state")
            assert server.command("TTL", key) > 0
