"""The store on Riak passes the conformance suite: on the double, or on a real node.

KVLAYER_TEST_RIAK=host:port names the node, KVLAYER_TEST_RIAK_COUNTER_TYPE its bucket type for counters.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvlayer.backends.riak.wire import Address, RiakClient, messages
from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from servers.process import ServerProcess, free_port, temporary_folder

DOUBLE = Path(__file__).parents[1] / "riak_double"

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
    port = free_port()
    with ServerProcess([sys.executable, DOUBLE, "--port", str(port)], folder=temporary_folder()) as server:
        server.wait_until(lambda: _answers(port))
        config = {**OPTIONS, "storage_addresses": [f"127.0.0.1:{port}"], "counter_bucket_type": "counters"}
        yield Store(config, kills=10, workers=50, examples=30)


def _answers(port: int) -> bool:
    with RiakClient([Address("127.0.0.1", port)]) as client:
        try:
            client.call(messages.PING)
        except Exception as error:
            raise OSError from error
    return True
