"""Clients through pickle."""

from __future__ import annotations

import base64
import copy
import pickle

import pytest

from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space
from kvlayer.testing.workers import Workers


@rule("S15")
class TestPickling:
    """S15: a client pickles as its configuration."""

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_a_copy_is_a_client_of_the_same_data(self, space: Space, protocol: int) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("a",), b"1"))
        with pickle.loads(pickle.dumps(kvl, protocol)) as other:
            assert list(other.scan("t")) == [(("a",), b"1")]
            other.put("t", (("b",), b"2"))
        assert list(kvl.scan_keys("t")) == [("a",), ("b",)]

    def test_a_client_that_never_connected(self, space: Space) -> None:
        space.client().setup_namespace({"t": (str,)})
        with pickle.loads(pickle.dumps(space.client())) as other:
            assert list(other.scan("t")) == []

    def test_a_copy_of_a_closed_client_is_open(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        kvl.close()
        with pickle.loads(pickle.dumps(kvl)) as other:
            assert list(other.scan("t")) == []

    def test_copy(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        with copy.copy(kvl) as other:
            other.put("t", (("a",), b"1"))
        assert list(kvl.scan_keys("t")) == [("a",)]

    def test_a_table_brings_its_client_along(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("a",), b"1"))
        client, table = pickle.loads(pickle.dumps((kvl, kvl.table("t"))))
        with client:
            assert table[("a",)] == b"1"

    @needs("concurrent_processes")
    def test_a_client_is_sent_to_another_process(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("from the parent",), b"1"))
        pickled = base64.b64encode(pickle.dumps(kvl)).decode()
        assert workers.run("use_pickled", space.config(), pickled=pickled) == [["1"]]
        assert list(kvl.get("t", ("from the worker",))) == [(("from the worker",), b"2")]
