"""The store on a Redis server passes the conformance suite."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.redis import RedisServer


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with RedisServer("--appendonly", "yes") as server:
        yield Store(server.config)
