"""Tables in Accumulo: how they are made, divided, dropped and found again."""

from __future__ import annotations

from typing import Any

import pytest

import kvlayer
from accumulo_tables import CATALOGUE, COUNTER, FAST, PLAIN, keys_of, name_of, opened, rows_of, splits_of
from kvlayer.backends.accumulo import AccumuloBackend
from kvlayer.backends.accumulo.layout import Layout
from kvlayer.backends.base import BackendTable
from kvlayer.errors import ConfigurationError, NoSuchTable, NotSupported, StorageError
from servers.accumulo import shared_server


class TestMaking:
    def test_splits_and_properties(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        options = {
            "splits": [b"", b"\0m", b"q\xff"],
            "properties": {
                "table.bloom.enabled": True,
                "table.split.threshold": "64M",
                "table.file.replication": 2,
            },
        }
        table = BackendTable("t", incarnation="1", options=options)
        backend.create_tables([table, PLAIN])
        assert splits_of(administrator, table, app_name) == [b"\0m", b"q\xff"]
        found = administrator.tableOperations().getTableProperties(name_of(table, app_name))
        assert str(found["table.bloom.enabled"]) == "true"
        assert str(found["table.split.threshold"]) == "64M"
        assert str(found["table.file.replication"]) == "2"
        assert str(administrator.tableOperations().getTimeType(name_of(table, app_name))) == "LOGICAL"

    def test_a_number_of_parts(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        tables = [
            BackendTable(f"t{parts}", incarnation="1", options={"splits": parts}) for parts in (1, 3, 16)
        ]
        backend.create_tables(tables)
        assert splits_of(administrator, tables[0], app_name) == []
        assert splits_of(administrator, tables[1], app_name) == [b"\x55\x55", b"\xaa\xaa"]
        assert splits_of(administrator, tables[2], app_name) == [bytes([n * 16, 0]) for n in range(1, 16)]

    @pytest.mark.parametrize(
        "options",
        [
            {"splits": 65537},
            {"properties": ["table.bloom.enabled"]},
            {"properties": {"bloom": True}},
            {"properties": {"table.bloom.enabled": None}},
            {"compare_and_put": "no"},
        ],
        ids=str,
    )
    def test_options_that_can_not_be(self, backend: AccumuloBackend, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="'t'"):
            backend.create_tables([PLAIN, BackendTable("t", incarnation="1", options=options)])
        with pytest.raises(NoSuchTable):
            keys_of(backend, PLAIN)

    def test_a_property_that_accumulo_refuses(self, backend: AccumuloBackend) -> None:
        table = BackendTable("t", incarnation="1", options={"properties": {"table.bloom.enabled": "perhaps"}})
        with pytest.raises(StorageError, match="create tables") as refused:
            backend.create_tables([table])
        assert not refused.value.retryable

    def test_namespaces_are_listed_by_their_names(self, app_name: str) -> None:
        pairs = [(app_name, "ns"), (app_name, "n\N{PILE OF POO}_/"), (app_name + "_", "ns")]
        for pair in pairs:
            with opened(*pair) as backend:
                backend.create_tables([PLAIN])
        with opened(app_name) as backend:
            assert [pair for pair in backend.list_namespaces() if pair in pairs] == sorted(pairs)
        for pair in pairs:
            with opened(*pair) as backend:
                backend.drop_namespace()
        with opened(app_name) as backend:
            assert not set(pairs) & set(backend.list_namespaces())

    def test_a_drop_that_was_interrupted_is_ended_by_the_next(
        self, backend: AccumuloBackend, administrator: Any, app_name: str
    ) -> None:
        layout = Layout(app_name, "ns")
        backend.create_tables([PLAIN, COUNTER])
        administrator.namespaceOperations().rename(layout.namespace, layout.name_to_drop())
        with pytest.raises(NoSuchTable):
            backend.put(PLAIN, [(b"a", b"1")])
        backend.create_tables([PLAIN])
        assert rows_of(backend, PLAIN) == []
        backend.drop_namespace()
        left = [str(name) for name in administrator.namespaceOperations().list()]
        assert not [name for name in left if name.startswith(layout.namespace)]
        backend.drop_namespace()

    @pytest.mark.parametrize("table", [PLAIN, FAST, COUNTER], ids=lambda table: table.name)
    def test_a_table_that_another_client_has_dropped(self, app_name: str, table: BackendTable) -> None:
        with opened(app_name) as stale, opened(app_name) as other:
            stale.create_tables([table])
            stale.put(table, [(b"a", b"1")])
            assert keys_of(stale, table) == [b"a"]
            other.drop_namespace()
            for call in (
                lambda: stale.put(table, [(b"a", b"1")]),
                lambda: stale.delete(table, [b"a"]),
                lambda: stale.get(table, [b"a"]),
                lambda: stale.get(table, [b"a", b"b", b"c", b"d"]),
                lambda: keys_of(stale, table),
                lambda: stale.delete_range(table, b"", None),
                lambda: stale.clear(table),
            ):
                with pytest.raises(NoSuchTable, match=table.name):
                    call()
            if table is not FAST:
                with pytest.raises(NoSuchTable):
                    stale.compare_and_put(table, b"a", None, b"1")
            if table is COUNTER:
                with pytest.raises(NoSuchTable):
                    stale.increment(table, [(b"a", 1)])
            stale.create_tables([table])
            stale.put(table, [(b"a", b"2")])
            assert other.get(table, [b"a"]) == [b"2"]

    def test_a_catalogue_that_was_made_anew_is_the_new_one(self, app_name: str) -> None:
        with opened(app_name) as stale, opened(app_name) as other:
            stale.create_tables([CATALOGUE])
            stale.put(CATALOGUE, [(b"a", b"old")])
            for turn in range(3):
                other.drop_namespace()
                other.create_tables([CATALOGUE])
                assert stale.get(CATALOGUE, [b"a"]) == [None]
                assert stale.compare_and_put(CATALOGUE, b"a", None, b"%d" % turn)
                assert rows_of(other, CATALOGUE) == [(b"a", b"%d" % turn)]


class TestTablesThatAreNotCompared:
    def test_it_is_a_matter_of_the_table(self, app_name: str) -> None:
        with opened(app_name) as one, opened(app_name) as other:
            one.create_tables([FAST])
            same = BackendTable(FAST.name, incarnation=FAST.incarnation)  # as another client knows it
            for client, table in ((one, FAST), (other, same)):
                client.put(table, [(b"a", b"1")])
                with pytest.raises(NotSupported, match="compare_and_put: false"):
                    client.compare_and_put(table, b"a", b"1", b"2")
            assert rows_of(other, same) == [(b"a", b"1")]

    def test_counters_are_always_compared(self, backend: AccumuloBackend) -> None:
        table = BackendTable("t", kind="counter", incarnation="1", options={"compare_and_put": False})
        with pytest.raises(ConfigurationError, match="compare_and_put"):
            backend.create_tables([table])

    def test_by_the_client(self, app_name: str) -> None:
        config = {**shared_server().config, "app_name": app_name, "namespace": "ns"}
        with kvlayer.client({**config, "table_options": {"t": {"compare_and_put": False}}}) as kvl:
            kvl.setup_namespace({"t": (str,), "u": (str,)})
        with kvlayer.client(config) as kvl:
            kvl.put("t", (("a",), b"1"))
            with pytest.raises(NotSupported):
                kvl.compare_and_put("t", ("a",), b"1", b"2")
            assert kvl.compare_and_put("u", ("a",), None, b"1")
