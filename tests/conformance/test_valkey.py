"""The store on a Valkey server passes the conformance suite."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.redis import VALKEY, RedisServer


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with RedisServer("--appendonly", "yes", program=VALKEY) as server:
        yield Store(server.config)
