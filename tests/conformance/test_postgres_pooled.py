"""The store in a PostgreSQL database passes the conformance suite behind PgBouncer, which shares its connections."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.pgbouncer import pgbouncer
from servers.postgres import shared_server


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    server = shared_server()
    with pgbouncer(server, pool_mode="transaction") as address:
        config = {**server.config, "storage_addresses": [address]}
        yield Store(config, kills=20, workers=40, examples=10)
