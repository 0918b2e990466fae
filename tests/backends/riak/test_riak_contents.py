"""Counters and siblings in Riak: what stored objects hold, and who may repeat what; against the double."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import kvlayer
from kvlayer.backends.riak import contents
from kvlayer.backends.riak.erlang import decode_term
from kvlayer.backends.riak.wire import messages
from riak_double import Fault, RiakDouble
from riak_double.clients import FETCH, UPDATE, client_of, wire_client_of
from riak_double.erlang import stored_counter


class TestCounters:
    def test_an_increment_is_never_repeated_blindly(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        kvl.increment("c", (("a",), 1))
        double.fail(Fault(UPDATE, done=True))
        with pytest.raises(kvlayer.StorageError, match="for 1 of 1 rows it is not done, or not known to be"):
            kvl.increment("c", (("a",), 10))
        assert list(kvl.get("c", ("a",))) == [(("a",), 11)]
        double.fail(Fault(UPDATE, text="{w_val_unsatisfied,2,1}"))
        with pytest.raises(kvlayer.StorageError, match="too few replicas answered"):
            kvl.increment("c", (("a",), 100))

    def test_an_increment_that_had_no_effect_is_repeated(
        self, double: RiakDouble, kvl: kvlayer.Client
    ) -> None:
        double.fail(Fault(UPDATE, text="{insufficient_vnodes,0,need,2}", times=2))
        double.fail(Fault(FETCH))
        assert kvl.increment("c", (("a",), 1), (("b",), 2)) == [1, 2]

    def test_connections_that_broke_while_idle(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        for turn in range(5):
            assert kvl.increment("c", (("a",), 1)) == [turn + 1]
            double.nodes[0].stop()
            double.nodes[0].start()

    @pytest.mark.parametrize("packed", [False, True])
    def test_counters_as_a_scan_finds_them(
        self, double: RiakDouble, kvl: kvlayer.Client, packed: bool
    ) -> None:
        double.knobs.packed_counters = packed
        smallest, largest = kvl.capabilities.counter_range or (0, 0)
        values = [smallest, -(2**31), -256, -1, 0, 1, 255, 256, 2**31, largest]
        rows = [((f"{n}",), value) for n, value in enumerate(values)]
        for _ in range(3):
            kvl.put("c", *((key, 7) for key, _ in rows))
            kvl.put("c", *rows)
            assert list(kvl.scan("c")) == rows
            assert list(kvl.get("c", *(key for key, _ in rows))) == rows

    def test_from_one_end_to_the_other(self, kvl: kvlayer.Client) -> None:
        smallest, largest = kvl.capabilities.counter_range or (0, 0)
        for value in (smallest, largest, smallest):
            kvl.put("c", (("a",), value))
            assert list(kvl.scan("c")) == [(("a",), value)]

    def test_the_binary_form(self) -> None:
        class Content:
            def __init__(self, value: bytes, deleted: bool = False) -> None:
                self.value, self.deleted = value, deleted

        one = stored_counter({b"a": (5, 1), b"b": (2**80, 0)}, packed=False)
        two = stored_counter({b"a": (3, 2)}, packed=True)
        assert contents.counter_of([Content(one)]) == 4 + 2**80
        assert contents.counter_of([Content(one), Content(two)]) == 3 + 2**80
        assert contents.counter_of([Content(b"", deleted=True), Content(two)]) == 1
        assert contents.counter_of([Content(b"", deleted=True)]) is None
        assert contents.counter_of([Content(stored_counter({}, packed=False))]) == 0
        for damaged in (b"", b"7", one[:-3], one[:30], two[:-3], one[:25] + b"\x83\x63"):
            with pytest.raises(kvlayer.SerializationError):
                contents.counter_of([Content(damaged)])

    def test_erlang_terms(self) -> None:
        """As Erlang's term_to_binary writes them."""
        assert decode_term(bytes.fromhex("836c000000026101620000ffff6a")) == [1, 65535]
        assert decode_term(bytes.fromhex("836b00020102")) == [1, 2]
        assert decode_term(bytes.fromhex("8368026d0000000161770161")) == (b"a", "a")
        assert decode_term(bytes.fromhex("8362ffffffff")) == -1
        assert decode_term(bytes.fromhex("836e0801" + "00" * 7 + "80")) == -(2**63)


class TestSiblings:
    BUCKET = b"kvlayer/app/ns/plain/t"

    @pytest.fixture
    def kvl(self, double: RiakDouble) -> Iterator[kvlayer.Client]:
        with client_of(double, bucket_type="siblings") as kvl:
            kvl.setup_namespace({"t": (int,)})
            kvl.put("t", ((1,), b"first"), ((2,), b"other"))
            yield kvl

    def write_blindly(self, double: RiakDouble, key: bytes, value: bytes) -> None:
        put = messages.PUT.request(bucket=self.BUCKET, type=b"siblings", key=key, content={"value": value})
        with wire_client_of(double) as client:
            client.call(messages.PUT, put)

    def siblings(self, double: RiakDouble, key: bytes) -> int:
        stored = double.store.get((b"siblings", self.BUCKET), key)
        return 0 if stored is None else len(stored.contents)

    def test_the_newest_counts_and_a_write_repairs(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        key = b"k" + (2**63 + 1).to_bytes(8, "big")
        for value in (b"second", b"third"):
            self.write_blindly(double, key, value)
        assert self.siblings(double, key) == 3
        assert list(kvl.get("t", (1,))) == [((1,), b"third")]
        assert list(kvl.scan("t")) == [((1,), b"third"), ((2,), b"other")]
        assert list(kvl.scan_keys("t")) == [(1,), (2,)]
        kvl.put("t", ((1,), b"fourth"))
        assert self.siblings(double, key) == 1
        assert list(kvl.scan("t", limit=1)) == [((1,), b"fourth")]

    def test_a_tombstone_among_siblings(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        key = b"k" + (2**63 + 1).to_bytes(8, "big")
        kvl.delete("t", (1,))
        assert list(kvl.get("t", (1,))) == [((1,), None)]
        self.write_blindly(double, key, b"behind the tombstone")
        assert self.siblings(double, key) == 2
        assert list(kvl.get("t", (1,))) == [((1,), b"behind the tombstone")]
        kvl.delete("t", (1,))
        assert list(kvl.scan_keys("t")) == [(2,)]
        kvl.put("t", ((1,), b"again"))
        assert self.siblings(double, key) == 1

    def test_a_tombstone_that_is_the_newest(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        key = b"k" + (2**63 + 1).to_bytes(8, "big")
        bucket = (b"siblings", self.BUCKET)
        double.store.put(bucket, key, b"", None, deleted=True)
        assert self.siblings(double, key) == 2
        assert list(kvl.get("t", (1,))) == [((1,), None)]
        assert list(kvl.scan_keys("t")) == [(2,)]
