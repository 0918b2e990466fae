"""What a store declares: limits hold, and an operation that is not declared is refused."""

from __future__ import annotations

import dataclasses

import pytest

import kvlayer
from kvlayer.testing.rules import lacks, needs, rule
from kvlayer.testing.space import Space

LARGEST = 2**26
"""Bytes of a key or value above which a declared limit is taken at its word."""


class TestCapabilities:
    """The absence of what is not declared, and the edges of what is."""

    @rule("S8")
    def test_capabilities_are_the_same_for_every_client(self, space: Space) -> None:
        capabilities = space.client().capabilities
        assert isinstance(capabilities, kvlayer.Capabilities)
        space.client().setup_namespace({"t": (str,)})
        assert space.client().capabilities == capabilities
        with pytest.raises(dataclasses.FrozenInstanceError):
            capabilities.durable = True  # type: ignore[misc]

    @rule("S8")
    def test_what_is_declared_makes_sense(self, kvl: kvlayer.Client) -> None:
        declared = kvl.capabilities
        assert declared.page_rows >= 1
        assert declared.max_key_bytes is None or declared.max_key_bytes >= 64
        assert declared.max_value_bytes is None or declared.max_value_bytes >= 1024
        if declared.counter_range is not None:
            smallest, largest = declared.counter_range
            assert smallest < 0 < largest
        if declared.atomic_increment_batch:
            assert declared.atomic_increment or declared.accumulate

    @rule("S14")
    def test_ping_answers(self, kvl: kvlayer.Client) -> None:
        assert isinstance(kvl.ping(), dict)

    @rule("S2")
    @lacks("reverse")
    def test_reverse_is_refused(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        for method in (kvl.scan, kvl.scan_keys):
            with pytest.raises(kvlayer.NotSupported):
                method("t", reverse=True)
            assert list(method("t", reverse=False)) == []

    @rule("S16")
    @lacks("compare_and_put")
    def test_compare_and_put_is_refused(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        with pytest.raises(kvlayer.NotSupported):
            kvl.compare_and_put("t", ("a",), None, b"1")
        assert list(kvl.scan("t")) == []

    @rule("S11")
    @lacks("atomic_increment")
    def test_increment_of_ints_is_refused(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)}, value_types={"t": kvlayer.COUNTER})
        kvl.put("t", (("a",), 41))
        with pytest.raises(kvlayer.NotSupported):
            kvl.increment("t", (("a",), 1))
        assert list(kvl.scan("t")) == [(("a",), 41)]

    @rule("S11")
    @lacks("accumulate")
    def test_increment_of_floats_is_refused(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)}, value_types={"t": kvlayer.ACCUMULATOR})
        kvl.put("t", (("a",), 0.5))
        with pytest.raises(kvlayer.NotSupported):
            kvl.increment("t", (("a",), 1.0))
        assert list(kvl.scan("t")) == [(("a",), 0.5)]

    @rule("S6")
    @needs("max_key_bytes")
    def test_keys_end_at_the_declared_length(self, kvl: kvlayer.Client) -> None:
        longest = kvl.capabilities.max_key_bytes
        assert longest is not None
        if longest > LARGEST:
            pytest.skip("the store declares more for max_key_bytes than a test should move")
        kvl.setup_namespace({"t": (bytes,)})
        key = (b"\xff" * longest,)  # the only part of a key is encoded as it is
        kvl.put("t", (key, b"1"))
        assert list(kvl.scan("t")) == [(key, b"1")]
        with pytest.raises(kvlayer.BadKey):
            kvl.put("t", ((b"a",), b"2"), ((b"\xff" * (longest + 1),), b"2"))
        assert list(kvl.scan("t")) == [(key, b"1")]

    @rule("S6")
    @lacks("max_key_bytes")
    def test_keys_may_be_long(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str, bytes)})
        keys = [("a" * 100_000, b"\x00" * 100_000), ("a" * 100_000, b"\xff" * 100_000)]
        kvl.put("t", *((key, b"1") for key in keys))
        assert list(kvl.scan_keys("t", (("a" * 100_000,), ("a" * 100_000,)))) == keys
        assert [value for _, value in kvl.get("t", *keys)] == [b"1", b"1"]

    @rule("S6")
    @needs("max_value_bytes")
    def test_values_end_at_the_declared_length(self, kvl: kvlayer.Client) -> None:
        longest = kvl.capabilities.max_value_bytes
        assert longest is not None
        if longest > LARGEST:
            pytest.skip("the store declares more for max_value_bytes than a test should move")
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("a",), b"\xff" * longest))
        assert list(kvl.get("t", ("a",))) == [(("a",), b"\xff" * longest)]
        with pytest.raises(kvlayer.BadKey):
            kvl.put("t", (("b",), b"1"), (("a",), b"\xff" * (longest + 1)))
        assert list(kvl.scan_keys("t")) == [("a",)]

    @rule("S6")
    @lacks("max_value_bytes")
    def test_values_may_be_large(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        large = bytes(range(256)) * 2**17
        kvl.put("t", (("a",), large))
        assert list(kvl.get("t", ("a",))) == [(("a",), large)]
