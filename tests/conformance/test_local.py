"""The store in memory passes the conformance suite."""

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    return Store({"storage_type": "local"})
