"""The store in Accumulo passes the conformance suite where rows cross to Java one by one."""

import pytest

from kvlayer.backends.accumulo import by_row, crossing
from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.accumulo import shared_server


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    # Processes that the suite starts take the other way, and are tried elsewhere.
    return Store(shared_server().config, kills=1, workers=2, examples=10)


@pytest.fixture(autouse=True)
def _by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossing, "way", lambda: by_row)
