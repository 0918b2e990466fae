"""The double of a cluster, and a client of it, for the tests of Riak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import kvlayer
from riak_double import RiakDouble
from riak_double.clients import client_of


@pytest.fixture
def double() -> Iterator[RiakDouble]:
    with RiakDouble() as double:
        yield double


@pytest.fixture
def kvl(double: RiakDouble) -> Iterator[kvlayer.Client]:
    """A client that has the table "t" of int keys, and "c" of counters."""
    with client_of(double, counter_bucket_type="counters") as kvl:
        kvl.setup_namespace({"t": (int,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
        yield kvl
