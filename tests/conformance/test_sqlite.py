"""The store in one file passes the conformance suite."""

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403


@pytest.fixture(scope="session")
def kvlayer_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("sqlite")
    return Store({"storage_type": "sqlite", "filename": str(folder / "store.db")})
