"""What the backend relies on of a Riak node, asked of the double, and of a real node where one is named.

KVLAYER_TEST_RIAK=host:port names it, KVLAYER_TEST_RIAK_COUNTER_TYPE its bucket type for counters. So the
double can't drift away from what it stands for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from kvlayer.backends.riak.contents import counter_of, newest
from kvlayer.backends.riak.wire import Address, Refused, RiakClient, messages
from riak_double import RiakDouble


@dataclass(frozen=True)
class Cluster:
    """A client, a bucket that nobody else uses, and the type for counters, if there is one."""

    client: RiakClient
    bucket: bytes
    counter_type: bytes | None

    def put(self, key: bytes, value: bytes, **fields: Any) -> None:
        request = messages.PUT.request(bucket=self.bucket, key=key, content={"value": value}, **fields)
        self.client.call(messages.PUT, request)

    def get(self, key: bytes, **fields: Any) -> Any:
        return self.client.call(messages.GET, messages.GET.request(bucket=self.bucket, key=key, **fields))

    def delete(self, key: bytes, **fields: Any) -> None:
        request = messages.DELETE.request(bucket=self.bucket, key=key, pw=messages.ALL, **fields)
        self.client.call(messages.DELETE, request)

    def objects(self, start: bytes = b"\0", **fields: Any) -> tuple[list[Any], bytes]:
        """The objects of one page, and its continuation."""
        request = messages.CS_BUCKET.request(bucket=self.bucket, start_key=start, **fields)
        answer = self.client.stream(messages.CS_BUCKET, request, lambda message: message.done).messages
        continuations = [message.continuation for message in answer if message.continuation]
        return [item for message in answer for item in message.objects], b"".join(continuations)

    def keys(self, low: bytes, high: bytes, **fields: Any) -> tuple[list[bytes], bytes]:
        """The keys of one page, and its continuation."""
        request = messages.INDEX.request(
            bucket=self.bucket, index=b"$key", qtype=1, range_min=low, range_max=high, stream=True, **fields
        )
        answer = self.client.stream(messages.INDEX, request, lambda message: message.done).messages
        continuations = [message.continuation for message in answer if message.continuation]
        return [key for message in answer for key in message.keys], b"".join(continuations)

    def count(self, key: bytes, delta: int) -> int:
        request = messages.DT_UPDATE.request(
            bucket=self.bucket, key=key, type=self.counter_type, return_body=True,
            op={"counter_op": {"increment": delta}},
        )  # fmt: skip
        value: int = self.client.call(messages.DT_UPDATE, request).counter_value
        return value

    def counted(self, key: bytes) -> int | None:
        request = messages.DT_FETCH.request(bucket=self.bucket, key=key, type=self.counter_type)
        answer = self.client.call(messages.DT_FETCH, request)
        return answer.value.counter_value if answer.HasField("value") else None


REAL_NODE = os.environ.get("KVLAYER_TEST_RIAK")


@pytest.fixture(params=["double", "real"] if REAL_NODE else ["double"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    bucket = f"kvlayer-test-{uuid4().hex}".encode()
    if request.param == "double":
        with RiakDouble() as double, RiakClient([Address("127.0.0.1", double.nodes[0].port)]) as client:
            yield Cluster(client, bucket, b"counters")
        return
    host, _, port = str(REAL_NODE).rpartition(":")
    counters = os.environ.get("KVLAYER_TEST_RIAK_COUNTER_TYPE")
    with RiakClient([Address(host, int(port))]) as client:
        cluster = Cluster(client, bucket, counters.encode() if counters else None)
        yield cluster
        for item in cluster.objects()[0]:
            cluster.delete(item.key)
        if counters:
            for item in cluster.objects(type=cluster.counter_type)[0]:
                cluster.delete(item.key, type=cluster.counter_type)


def _keys(objects: list[Any]) -> list[bytes]:
    return [item.key for item in objects]


class TestObjects:
    def test_what_is_missing(self, cluster: Cluster) -> None:
        answer = cluster.get(b"missing", deletedvclock=True)
        assert (list(answer.content), answer.vclock) == ([], b"")
        cluster.delete(b"missing")

    def test_an_empty_value_is_a_value(self, cluster: Cluster) -> None:
        cluster.put(b"k", b"")
        assert [content.value for content in cluster.get(b"k").content] == [b""]

    def test_a_head_has_no_value(self, cluster: Cluster) -> None:
        cluster.put(b"k", b"value")
        answer = cluster.get(b"k", head=True)
        assert [content.value for content in answer.content] == [b""]
        assert answer.vclock
        assert newest(answer.content) is not None

    def test_the_last_of_blind_writes_counts(self, cluster: Cluster) -> None:
        for turn in range(20):
            cluster.put(b"k", b"%d" % turn)
            assert [content.value for content in cluster.get(b"k").content] == [b"%d" % turn]
            cluster.delete(b"k")
            assert not cluster.get(b"k").content

    def test_a_tombstone(self, cluster: Cluster) -> None:
        """Seen by who asks for its clock, by a scan, and unmarked among the keys; not by others."""
        for key in (b"a", b"b", b"c"):
            cluster.put(key, b"1", pw=messages.ALL)
        cluster.delete(b"b")
        answer = cluster.get(b"b", deletedvclock=True)
        assert not answer.content
        assert answer.vclock
        objects, _ = cluster.objects()
        assert _keys(objects) == [b"a", b"b", b"c"]
        assert [newest(item.object.content) is None for item in objects] == [False, True, False]
        assert cluster.keys(b"a", b"z")[0] == [b"a", b"b", b"c"]

    def test_any_bytes(self, cluster: Cluster) -> None:
        keys = sorted([bytes([n]) * (1 + n % 3) for n in range(256)] + [b"\xff" * 65_536])
        for key in keys:
            cluster.put(key, key[:9], pw=messages.ALL)
        assert _keys(cluster.objects()[0]) == keys
        assert cluster.get(keys[-1]).content[0].value == b"\xff" * 9


class TestScans:
    @pytest.fixture
    def cluster(self, cluster: Cluster) -> Cluster:
        for n in range(10):
            cluster.put(b"k%d" % n, b"%d" % n, pw=messages.ALL)
        return cluster

    def test_the_end_is_not_included_unless_it_is_among_the_keys(self, cluster: Cluster) -> None:
        found = _keys(cluster.objects(b"k3", end_key=b"k6")[0])
        assert found == [b"k3", b"k4", b"k5"]
        assert cluster.keys(b"k3", b"k6", max_results=100)[0] == [*found, b"k6"]
        assert _keys(cluster.objects(b"k31", end_key=b"k61")[0]) == [b"k4", b"k5", b"k6"]

    def test_a_full_page_has_a_continuation(self, cluster: Cluster) -> None:
        """The last one too: an empty one follows."""
        objects, more = cluster.objects(max_results=5)
        assert (_keys(objects), bool(more)) == ([b"k%d" % n for n in range(5)], True)
        objects, more = cluster.objects(max_results=5, continuation=more)
        assert (_keys(objects), bool(more)) == ([b"k%d" % n for n in range(5, 10)], True)
        assert cluster.objects(max_results=5, continuation=more) == ([], b"")
        assert cluster.objects(max_results=11)[1] == b""

    def test_pages_may_change_their_size(self, cluster: Cluster) -> None:
        _, more = cluster.objects(b"k1", end_key=b"k8", max_results=2)
        objects, more = cluster.objects(b"k1", end_key=b"k8", max_results=4, continuation=more)
        assert _keys(objects) == [b"k3", b"k4", b"k5", b"k6"]
        objects, more = cluster.objects(b"k1", end_key=b"k8", max_results=100, continuation=more)
        assert (_keys(objects), more) == ([b"k7"], b"")

    def test_keys_page_by_page(self, cluster: Cluster) -> None:
        found, more = cluster.keys(b"k0", b"k9", max_results=6)
        assert (found, bool(more)) == ([b"k%d" % n for n in range(6)], True)
        found, more = cluster.keys(b"k0", b"k9", max_results=6, continuation=more)
        assert (found, more) == ([b"k%d" % n for n in range(6, 10)], b"")

    def test_deleted_rows_fill_a_page(self, cluster: Cluster) -> None:
        for n in range(5):
            cluster.delete(b"k%d" % n)
        objects, more = cluster.objects(max_results=5)
        assert [newest(item.object.content) for item in objects] == [None] * 5
        assert more

    def test_an_answer_that_is_given_up(self, cluster: Cluster) -> None:
        request = messages.CS_BUCKET.request(bucket=cluster.bucket, start_key=b"k")
        streamed = cluster.client.stream(messages.CS_BUCKET, request, lambda message: message.done, 10)
        assert not streamed.complete
        assert len(cluster.objects()[0]) == 10


class TestErrors:
    def test_texts(self, cluster: Cluster) -> None:
        with pytest.raises(Refused, match="zero-length") as refused:
            cluster.put(b"", b"")
        assert not refused.value.closes
        with pytest.raises(Refused, match="no_type") as refused:
            cluster.get(b"k", type=b"kvlayer-no-such-type")
        assert not refused.value.closes
        with pytest.raises(Refused, match="n_val_violation"):
            cluster.put(b"k", b"", w=99)
        cluster.put(b"k", b"")
        with pytest.raises(Refused, match="match_found"):
            cluster.put(b"k", b"", if_none_match=True)

    def test_errors_that_close(self, cluster: Cluster) -> None:
        with pytest.raises(Refused) as refused:
            cluster.put(b"k" * 65_537, b"")
        assert refused.value.closes
        with pytest.raises(Refused) as refused:
            cluster.objects(continuation=b"no continuation", max_results=1)
        assert refused.value.closes

    def test_an_unknown_bucket_type_has_no_properties(self, cluster: Cluster) -> None:
        request = messages.GET_BUCKET.request(bucket=b"b", type=b"kvlayer-no-such-type")
        with pytest.raises(Refused) as refused:
            cluster.client.call(messages.GET_BUCKET, request)
        assert not refused.value.may_pass

    def test_properties(self, cluster: Cluster) -> None:
        props = cluster.client.call(messages.GET_BUCKET, messages.GET_BUCKET.request(bucket=b"b")).props
        assert props.n_val >= 1
        assert (props.allow_mult, props.datatype) == (False, b"")


class TestCounters:
    @pytest.fixture
    def cluster(self, cluster: Cluster) -> Cluster:
        if cluster.counter_type is None:
            pytest.skip("KVLAYER_TEST_RIAK_COUNTER_TYPE names no bucket type")
        return cluster

    def test_counting(self, cluster: Cluster) -> None:
        assert cluster.counted(b"c") is None
        assert [cluster.count(b"c", delta) for delta in (5, -7, 0, 2**62 - 1)] == [5, -2, -2, 2**62 - 3]
        assert cluster.counted(b"c") == 2**62 - 3
        assert cluster.count(b"c", -(2**63) + 3) == -(2**62)

    def test_a_delta_of_zero_makes_a_counter(self, cluster: Cluster) -> None:
        assert cluster.count(b"c", 0) == 0
        assert cluster.counted(b"c") == 0

    def test_a_deleted_counter_begins_anew(self, cluster: Cluster) -> None:
        cluster.count(b"c", 5)
        cluster.delete(b"c", type=cluster.counter_type)
        assert cluster.counted(b"c") is None
        assert cluster.count(b"c", 1) == 1

    def test_counters_in_a_scan(self, cluster: Cluster) -> None:
        deltas = {b"a": 0, b"b": 255, b"c": -256, b"d": 2**40, b"e": -(2**62)}
        for key, delta in deltas.items():
            cluster.count(key, delta)
        cluster.count(b"gone", 1)
        cluster.delete(b"gone", type=cluster.counter_type)
        objects, _ = cluster.objects(type=cluster.counter_type)
        found = {item.key: counter_of(item.object.content) for item in objects}
        assert found == {**deltas, b"gone": None}

    def test_properties(self, cluster: Cluster) -> None:
        request = messages.GET_BUCKET.request(bucket=b"b", type=cluster.counter_type)
        assert cluster.client.call(messages.GET_BUCKET, request).props.datatype == b"counter"
