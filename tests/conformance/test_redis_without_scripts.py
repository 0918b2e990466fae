"""The store on a Redis server that forbids scripts passes the conformance suite, with fewer operations."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.redis import RedisServer


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with RedisServer("--appendonly", "yes") as server:
        server.command(
            "ACL", "SETUSER", "limited", "on", ">secret", "~kvlayer:*", "+@all", "-@scripting", "-@admin"
        )
        config = {**server.config, "username": "limited", "password": "secret"}
        yield Store(config, kills=20, workers=20, examples=10)
