"""The store on Riak passes the conformance suite without a bucket type for counters, and with Riak's defaults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from riak_double.process import running


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with running(tombstone_seconds=0.05) as addresses:
        config = {"storage_type": "riak", "storage_addresses": addresses}
        yield Store(config, kills=3, workers=20, examples=10)
