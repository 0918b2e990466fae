"""The store on Riak passes the conformance suite where a cluster makes it hardest: buckets that keep siblings,
tombstones that stay, small frames, packed counters, two nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403
from riak_double.process import running


@pytest.fixture(scope="session")
def kvlayer_store() -> Iterator[Store]:
    with running(
        nodes=2, tombstone_seconds=None, rows_per_frame=7, last_frame_is_empty=False, packed_counters=True
    ) as addresses:
        config = {
            "storage_type": "riak",
            "storage_addresses": addresses,
            "bucket_type": "siblings",
            "counter_bucket_type": "counters",
            "pw": "all",
            "scan_limit": 400,
        }
        yield Store(config, kills=3, workers=20, examples=10)
