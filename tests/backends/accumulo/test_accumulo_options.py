"""What a configuration of storage type accumulo may say, and what the driver is told; names in Accumulo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import kvlayer
from kvlayer.backends.accumulo import AccumuloBackend
from kvlayer.backends.accumulo.layout import Layout, namespace_pair
from kvlayer.backends.accumulo.options import AccumuloOptions
from kvlayer.backends.base import BackendTable
from kvlayer.config import resolve
from kvlayer.errors import ConfigurationError
from kvlayer.testing import nasty

SECRET = "pa55word"
LOGIN = {"storage_addresses": ["zoo"], "instance_name": "accumulo", "username": "app", "password": SECRET}


def properties(**options: Any) -> dict[str, str]:
    return AccumuloOptions(**{**LOGIN, **options}).to_properties()


def resolved(config: Any) -> dict[str, str]:
    """The driver's properties for a configuration."""
    found = resolve(config, app_name="app", namespace="ns")
    assert found.backend is AccumuloBackend
    assert isinstance(found.options, AccumuloOptions)
    return found.options.to_properties()


class TestOptions:
    @pytest.mark.parametrize(
        ("addresses", "sent"),
        [
            (["zoo"], "zoo"),
            (["zoo1:2181", "zoo2:2182"], "zoo1:2181,zoo2:2182"),
            ("zoo1:2181,zoo2", "zoo1:2181,zoo2"),
            (["zoo1:2181", "zoo2:2181/hadoop"], "zoo1:2181,zoo2:2181/hadoop"),
            (["[::1]:2181"], "[::1]:2181"),
        ],
    )
    def test_addresses(self, addresses: Any, sent: str) -> None:
        assert properties(storage_addresses=addresses)["instance.zookeepers"] == sent

    @pytest.mark.parametrize(
        "address", ["", "zoo:", "zoo:0", "zoo:65536", "zoo:x", "a b", "app@zoo", ":2181"]
    )
    def test_what_is_no_address(self, address: str) -> None:
        with pytest.raises(ValueError, match="storage_addresses"):
            properties(storage_addresses=[address])

    @pytest.mark.parametrize("name", ["storage_addresses", "instance_name", "username", "password"])
    def test_what_is_missing_is_named(self, name: str) -> None:
        given: dict[str, Any] = {key: value for key, value in LOGIN.items() if key != name}
        with pytest.raises(ConfigurationError, match=name):
            resolved({"storage_type": "accumulo", **given})
        AccumuloOptions(**given, client_properties="accumulo-client.properties")

    def test_the_login(self) -> None:
        found = properties()
        assert (found["auth.type"], found["auth.principal"]) == ("password", "app")
        assert (found["auth.token"], found["instance.name"]) == (SECRET, "accumulo")

    def test_a_file_keeps_what_no_option_says(self) -> None:
        found = AccumuloOptions(client_properties="file", username="app").to_properties()
        assert found["auth.principal"] == "app"
        assert not {"auth.type", "auth.token", "instance.name", "instance.zookeepers"} & found.keys()
        assert "batch.writer.memory.max" not in found

    def test_batch_writer(self) -> None:
        given = {"max_memory": 2**24, "max_latency": 1.5, "threads": 7, "timeout": 20}
        found = resolved({"storage_type": "accumulo", **LOGIN, "batch_writer": given})
        assert found["batch.writer.memory.max"] == str(2**24)
        assert found["batch.writer.latency.max"] == "1500ms"
        for kind in ("batch", "conditional"):
            assert found[f"{kind}.writer.threads.max"] == "7"
            assert 0 < int(found[f"{kind}.writer.timeout.max"].removesuffix("ms")) <= 20_000

    def test_the_names_of_kvlayer_0_5(self) -> None:
        old = {
            "accumulo_max_memory": 2**24,
            "accumulo_latency_ms": 1500,
            "accumulo_timeout_ms": 20_000,
            "accumulo_threads": 7,
        }
        new = {"max_memory": 2**24, "max_latency": 1.5, "threads": 7, "timeout": 20}
        assert resolved({"storage_type": "accumulo", **LOGIN, **old}) == resolved(
            {"storage_type": "accumulo", **LOGIN, "batch_writer": new}
        )
        with pytest.raises(ConfigurationError, match="accumulo_threads and batch_writer.threads"):
            resolved({"storage_type": "accumulo", **LOGIN, **old, "batch_writer": {"threads": 8}})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"timeout": 0},
            {"connect_timeout": -1},
            {"admin_timeout": "long"},
            {"scan_batch_size": 0},
            {"read_threads": 0},
            {"batch_writer": {"threads": 0}},
            {"batch_writer": {"max_memory": 1}},
            {"batch_writer": {"no_such_option": 1}},
            {"accumulo_threads": 0},
            {"jvm_options": 7},
            {"no_such_option": 1},
        ],
        ids=str,
    )
    def test_what_can_not_be(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            resolved({"storage_type": "accumulo", **LOGIN, **wrong})

    def test_the_password_is_shown_nowhere(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(f"{SECRET}\n")
        config = {"storage_type": "accumulo", **LOGIN}
        for given in (config, {**config, "password": None, "password_file": str(file)}):
            found = resolve(given, app_name="app", namespace="ns")
            assert isinstance(found.options, AccumuloOptions)
            assert found.options.to_properties()["auth.token"] == SECRET
            assert SECRET not in repr(found.options)
            assert SECRET not in repr(found)
        with pytest.raises(ConfigurationError) as refused:
            resolved({**config, "timeout": -1})
        assert SECRET not in str(refused.value)

    def test_every_option_has_a_default_but_for_the_login(self) -> None:
        required = [field.name for field in msgspec.structs.fields(AccumuloOptions) if field.required]
        assert required == []


class TestUrls:
    def test_all_of_it(self) -> None:
        found = resolved(f"accumulo://app:{SECRET}%40@zoo1:2181,zoo2/my%20instance?timeout=7")
        assert found["instance.zookeepers"] == "zoo1:2181,zoo2"
        assert (found["auth.principal"], found["auth.token"]) == ("app", f"{SECRET}@")
        assert found["instance.name"] == "my instance"
        assert int(found["batch.writer.timeout.max"].removesuffix("ms")) <= 7000

    def test_a_password_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KVLAYER_PASSWORD", SECRET)
        assert resolved("accumulo://app@zoo/accumulo")["auth.token"] == SECRET

    @pytest.mark.parametrize(
        "url",
        [
            "accumulo://zoo",
            "accumulo:///accumulo",
            "accumulo://zoo/a/b",
            "accumulo://app@/a",
            "accumulo://zoo/a#b",
        ],
    )
    def test_others(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="accumulo://user:password@zookeeper:2181/instance"):
            resolved(url)


class TestNames:
    def test_they_can_be_read(self) -> None:
        layout = Layout("app", "prod_1")
        assert layout.namespace == "kvlayer_xapp_xprod__1"
        assert layout.table_name(BackendTable("big_cities")) == "kvlayer_xapp_xprod__1.big__cities"
        assert layout.table_name(BackendTable("t", incarnation="a1")) == "kvlayer_xapp_xprod__1.t_xa1"

    @pytest.mark.parametrize(
        "name", [name for name in nasty.NAMES if name != "\ud800"], ids=lambda name: ascii(name)[:20]
    )
    def test_namespaces_can_be_read_back_or_are_refused(self, name: str) -> None:
        for pair in [(name, "ns"), ("app", name)]:
            try:
                namespace = Layout(*pair).namespace
            except ConfigurationError:
                assert len(name.encode()) >= 800
                continue
            assert namespace.isascii()
            assert namespace.replace("_", "a").isalnum()
            assert namespace_pair(namespace) == pair

    def test_no_two_names_are_the_same(self) -> None:
        names = [name for name in nasty.NAMES if name != "\ud800"]
        layout = Layout("app", "ns")
        tables = [layout.table_name(BackendTable(name, incarnation="1")) for name in names]
        assert len(set(tables)) == len(names)
        assert all(len(name.partition(".")[2]) <= 1024 for name in tables)
        pairs = [("a_xb", "c"), ("a", "b_xc"), ("a_", "xb"), ("a", "_xb"), ("a__b", "c"), ("a_b", "_c")]
        assert len({Layout(*pair).namespace for pair in pairs}) == len(pairs)

    def test_incarnations_differ(self) -> None:
        layout = Layout("app", "ns")
        names = {layout.table_name(BackendTable("n" * 2000, incarnation=one)) for one in ("", "1", "2")}
        assert len(names) == 3

    def test_a_namespace_that_is_being_dropped_is_nobodys(self) -> None:
        layout = Layout("app", "ns")
        dropped = layout.name_to_drop()
        assert layout.is_being_dropped(dropped)
        assert namespace_pair(dropped) is None
        for other in (layout, Layout("app", "ns2"), Layout("app", "ns_x")):
            assert not layout.is_being_dropped(other.namespace)

    @pytest.mark.parametrize(
        "other", ["", "kvlayer", "kvlayer_xa", "kvlayer_xa_xb_xc", "kvlayer_x_ff_xb", "accumulo"]
    )
    def test_namespaces_of_others(self, other: str) -> None:
        assert namespace_pair(other) is None


def test_the_client_is_told_before_it_connects() -> None:
    config = {"storage_type": "accumulo", **LOGIN, "app_name": "n" * 1000, "namespace": "n" * 1000}
    with kvlayer.client(config) as kvl, pytest.raises(ConfigurationError, match="characters as a name of"):
        kvl.ping()
