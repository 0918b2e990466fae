"""The store on a Redis cluster of three servers passes the conformance suite."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.redis import cluster


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with cluster() as servers:
        config = {**servers[0].config, "storage_addresses": [server.address for server in servers]}
        yield Store(config, kills=20, workers=20, examples=10)
