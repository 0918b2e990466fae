"""The stores that the command line is tried on: all that several processes can share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import kvlayer
from cli.running import CITIES, Kvlayer
from riak_double.process import running
from servers.postgres import PostgresServer
from servers.redis import RedisServer


@pytest.fixture(scope="session")
def redis_config() -> Iterator[dict[str, Any]]:
    with RedisServer() as server:
        yield server.config


@pytest.fixture(scope="session")
def postgres_config() -> Iterator[dict[str, Any]]:
    with PostgresServer() as server:
        yield server.config


@pytest.fixture(scope="session")
def riak_config() -> Iterator[dict[str, Any]]:
    with running() as addresses:
        config = {"storage_type": "riak", "storage_addresses": addresses}
        yield {**config, "counter_bucket_type": "counters", "pw": "all"}


@pytest.fixture(params=["sqlite", "redis", "postgres", "riak"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The configuration of each store, with a namespace for the test alone."""
    if request.param == "sqlite":
        config = {"storage_type": "sqlite", "filename": str(tmp_path / "store.db")}
    else:
        config = request.getfixturevalue(f"{request.param}_config")
    config = {**config, "app_name": "kvlayer-test", "namespace": uuid4().hex}
    yield config
    with kvlayer.client(config) as client:
        client.delete_namespace()


@pytest.fixture
def each(store: dict[str, Any], tmp_path: Path) -> Kvlayer:
    """`kvlayer` on each store."""
    return _with_cities(tmp_path, store)


@pytest.fixture
def kvl(tmp_path: Path) -> Kvlayer:
    """`kvlayer` on a file, for what can't depend on the store."""
    config = {"storage_type": "sqlite", "filename": "cities.db", "app_name": "atlas", "namespace": "demo"}
    return _with_cities(tmp_path, config)


def _with_cities(folder: Path, config: dict[str, Any]) -> Kvlayer:
    given = dict(config)
    if given["storage_type"] == "sqlite":
        given["filename"] = str(folder / given["filename"])
    with kvlayer.client(given) as client:
        client.setup_namespace(
            {"cities": (str, str, int), "photos": (int,), "visits": (str,)},
            value_types={"cities": str, "visits": kvlayer.COUNTER},
        )
        client.put("cities", *CITIES.items())
    return Kvlayer(folder, config)
