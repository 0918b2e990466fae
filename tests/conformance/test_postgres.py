"""The store in a PostgreSQL database passes the conformance suite."""

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.postgres import shared_server


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    return Store(shared_server().config)
