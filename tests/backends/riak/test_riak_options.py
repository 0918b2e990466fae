"""The options of storage type riak, and what is found out when a client connects to the double."""

from __future__ import annotations

from typing import Any

import pytest

import kvlayer
from kvlayer.backends.riak.wire import messages
from riak_double import RiakDouble
from riak_double.clients import client_of
from riak_double.store import BucketType
from servers.process import free_port


def check(**config: Any) -> None:
    kvlayer.client({"storage_type": "riak", "app_name": "app", "namespace": "ns", **config}).close()


class TestOptions:
    @pytest.mark.parametrize(
        "addresses",
        [
            ["riak01", "riak02:8087"],
            ["[::1]:8087", "[::1]"],
            [{"host": "riak01"}, {"host": "riak02", "pb_port": 8087}],
            "riak01",
        ],
        ids=repr,
    )
    def test_addresses(self, addresses: Any) -> None:
        check(storage_addresses=addresses)

    def test_an_http_port_is_ignored_with_a_word(self) -> None:
        with pytest.warns(UserWarning, match="http_port is ignored"):
            check(storage_addresses=[{"host": "riak01", "http_port": 8098, "pb_port": 8087}])

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({}, "storage_addresses is missing"),
            ({"storage_addresses": []}, "at least one node"),
            ({"storage_addresses": ["secret:word:x"]}, "an address is host"),
            ({"storage_addresses": ["user@secret"]}, "an address is host"),
            ({"storage_addresses": [{"hosts": "a"}]}, "storage_addresses"),
            (
                {"storage_addresses": ["a"], "w": "most"},
                "w: a number of replicas, or one of one, quorum, all",
            ),
            ({"storage_addresses": ["a"], "r": -1}, r"kvlayer\.r"),
            ({"storage_addresses": ["a"], "scan_limit": 0}, r"kvlayer\.scan_limit"),
            ({"storage_addresses": ["a"], "timeout": 0}, r"kvlayer\.timeout"),
            ({"storage_addresses": ["a"], "bucket_typ": "x"}, "did you mean 'bucket_type'"),
            (
                {"storage_addresses": ["a"], "bucket_type": "x", "counter_bucket_type": "x"},
                "counter_bucket_type",
            ),
        ],
        ids=repr,
    )
    def test_what_can_not_be(self, config: dict[str, Any], message: str) -> None:
        with pytest.raises(kvlayer.ConfigurationError, match=message) as refused:
            check(**config)
        assert "secret" not in str(refused.value)

    def test_a_url(self, double: RiakDouble) -> None:
        url = f"riak://{double.nodes[0].address}?pw=all&scan_limit=7"
        with kvlayer.client(url, app_name="app", namespace="ns") as kvl:
            assert kvl.capabilities.page_rows == 7
            assert kvl.ping() == {
                "storage_type": "riak",
                "node": "riak@double",
                "version": "3.2.0-double",
                "n_val": 3,
                "allow_mult": False,
            }

    @pytest.mark.parametrize("url", ["riak://", "riak://user:secret@host", "riak://host/bucket", "riak:host"])
    def test_urls_that_are_none(self, url: str) -> None:
        with pytest.raises(kvlayer.ConfigurationError, match="names its nodes") as refused:
            kvlayer.client(url, app_name="app", namespace="ns")
        assert "secret" not in str(refused.value)


class TestConnecting:
    def test_nobody_listens(self) -> None:
        address = f"127.0.0.1:{free_port()}"
        config = {"storage_type": "riak", "storage_addresses": [address]}
        refused = pytest.raises(kvlayer.StorageError, match=f"{address} can't be reached")
        with kvlayer.client(config, app_name="app", namespace="ns") as kvl, refused as failed:
            kvl.ping()
        assert failed.value.retryable

    def test_a_host_without_an_address(self) -> None:
        config = {"storage_type": "riak", "storage_addresses": ["no-such-host.invalid"]}
        refused = pytest.raises(kvlayer.StorageError, match=r"no-such-host\.invalid:8087 can't be reached")
        with kvlayer.client(config, app_name="app", namespace="ns") as kvl, refused:
            kvl.ping()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"bucket_type": "missing"}, "bucket_type: the cluster has no such bucket type"),
            ({"counter_bucket_type": "missing"}, "counter_bucket_type: the cluster has no such bucket type"),
            ({"counter_bucket_type": "siblings"}, "must be a type with datatype counter"),
            ({"bucket_type": "counters"}, "must be one for plain objects"),
            ({"w": 4}, "w: 4 replicas are more than the 3 there are"),
            ({"n_val": 1, "pr": 2}, "pr: 2 replicas are more than the 1 there are"),
        ],
        ids=repr,
    )
    def test_bucket_types_that_do_not_fit(
        self, double: RiakDouble, options: dict[str, Any], message: str
    ) -> None:
        with client_of(double, **options) as kvl, pytest.raises(kvlayer.ConfigurationError, match=message):
            kvl.setup_namespace({"t": (int,)})

    @pytest.mark.parametrize(
        ("options", "promised"),
        [
            ({}, False),
            ({"w": "all", "r": "all"}, False),
            ({"pw": "quorum"}, False),
            ({"pw": "all"}, True),
            ({"pw": 3}, True),
            ({"pw": 2}, False),
            ({"pw": "default"}, False),
            ({"pw": 2, "n_val": 2}, True),
            ({"bucket_type": "careful"}, True),
            ({"bucket_type": "careful", "counter_bucket_type": "counters"}, False),
        ],
        ids=repr,
    )
    def test_writes_are_promised_to_show_at_once_only_if_they_reach_every_replica(
        self, double: RiakDouble, options: dict[str, Any], promised: bool
    ) -> None:
        double.store.types[b"careful"] = BucketType(pw=messages.ALL)
        with client_of(double, **options) as kvl:
            assert kvl.capabilities.read_your_writes is promised
            assert kvl.capabilities.atomic_increment is ("counter_bucket_type" in options)

    def test_n_val_is_set_when_a_table_is_made(self, double: RiakDouble) -> None:
        with client_of(double, n_val=2, pw=2, w=2) as kvl:
            kvl.setup_namespace({"t": (int,)})
            kvl.put("t", ((1,), b"1"))
            assert kvl.ping()["n_val"] == 2
        assert set(double.store.n_vals.values()) == {2}
        assert (b"default", b"kvlayer/app/ns/plain/t") in double.store.n_vals

    def test_a_backend_that_can_not_scan(self, double: RiakDouble) -> None:
        double.knobs.scans = False
        with client_of(double) as kvl:
            kvl.setup_namespace({"t": (int,)})
            with pytest.raises(kvlayer.StorageError, match="leveldb, leveled or memory") as failed:
                list(kvl.scan("t"))
        assert not failed.value.retryable
