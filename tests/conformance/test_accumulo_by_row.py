"""The store in Accumulo passes the conformance suite where rows cross to Java one by one.

Of the suite, all that is about rows within this process: making tables and what other processes do is the same either way.
"""

import pytest

from kvlayer.backends.accumulo import by_row, crossing
from kvlayer.testing import Store
from kvlayer.testing.suite import (  # noqa: F401
    TestCapabilities,
    TestClosing,
    TestCompareAndPut,
    TestCounters,
    TestGet,
    TestMemory,
    TestOrder,
    TestPaging,
    TestPickling,
    TestPut,
    TestRanges,
    TestSharing,
    TestStateMachine,
    TestTable,
    TestValues,
    _skip_by_capability,
    capabilities,
    common,
    common_space,
    kvl,
    large_values,
    paged,
    space,
    workers,
)
from servers.accumulo import shared_server


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    return Store(shared_server().config, kills=1, workers=2, examples=10)


@pytest.fixture(autouse=True)
def _by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossing, "way", lambda: by_row)
