"""The store on Riak passes the conformance suite: on the double, or on a real node.

KVLAYER_TEST_RIAK=host:port names the node, KVLAYER_TEST_RIAK_COUNTER_TYPE its bucket type for counters.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from riak_double.process import running

# Each write waits for all replicas, so that any client sees it at once. The suite fills several pages in many
# tests, and a node deletes some hundred rows a second: pages are small.
OPTIONS: dict[str, Any] = {"storage_type": "riak", "pw": "all", "scan_limit": 400}


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    if address := os.environ.get("KVLAYER_TEST_RIAK"):
        counters = os.environ.get("KVLAYER_TEST_RIAK_COUNTER_TYPE")
        config = {**OPTIONS, "storage_addresses": [address]}
        yield Store(
            config | ({"counter_bucket_type": counters} if counters else {}), kills=3, workers=30, examples=10
        )
        return
    with running() as addresses:
        config = {**OPTIONS, "storage_addresses": addresses, "counter_bucket_type": "counters"}
        yield Store(config, kills=10, workers=50, examples=30)
