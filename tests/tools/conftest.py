"""Stores for the tests of the tools: in memory and in files, and on servers where a test asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

import kvlayer
from kvlayer.tools import copying
from servers.postgres import PostgresServer
from servers.redis import RedisServer


@pytest.fixture
def memory() -> Iterator[Callable[[], kvlayer.Client]]:
    """Makes clients of namespaces of their own in memory."""
    with ExitStack() as stack:

        def make() -> kvlayer.Client:
            client = stack.enter_context(kvlayer.client({"storage_type": "local"}, namespace=uuid4().hex))
            stack.callback(client.delete_namespace)
            return client

        yield make


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Iterator[Callable[[str], kvlayer.Client]]:
    """Opens clients of files, by name; the same one each time."""
    with ExitStack() as stack:

        def make(name: str) -> kvlayer.Client:
            config = {"storage_type": "sqlite", "filename": str(tmp_path / f"{name}.db")}
            return stack.enter_context(kvlayer.client(config, app_name="tools", namespace="test"))

        yield make


@pytest.fixture
def servers(running: dict[str, kvlayer.Client]) -> Iterator[dict[str, kvlayer.Client]]:
    """A client of an empty namespace in each store that runs as a server."""
    yield running
    for client in running.values():
        client.delete_namespace()


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, kvlayer.Client]]:
    """The clients behind `servers`."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer("--appendonly", "yes"))
        postgres = stack.enter_context(PostgresServer())
        configs = [redis.config, postgres.config]
        yield {
            config["storage_type"]: stack.enter_context(
                kvlayer.client(config, app_name="tools", namespace="test")
            )
            for config in configs
        }


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are enough for several ranges of a copy."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_A_RANGE", 10)
