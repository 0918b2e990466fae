"""The store in Accumulo passes the conformance suite."""

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.accumulo import shared_server


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    # A process that uses Accumulo starts a Java virtual machine, which takes seconds of a processor; when a
    # test has several start at once, each needs patience.
    config = {**shared_server().config, "connect_timeout": 150, "timeout": 150}
    return Store(config, kills=3, workers=4, examples=10)
