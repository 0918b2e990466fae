"""The store in a PostgreSQL database passes the conformance suite."""

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with PostgresServer() as server:
        yield Store(server.config)
