"""Tables, namespaces and app names never see each other, whatever their names."""

from __future__ import annotations

import pytest

import kvlayer
from kvlayer.testing import nasty
from kvlayer.testing.rules import rule
from kvlayer.testing.space import Space


@rule("S12")
class TestNamespaces:
    """S12: a name works in full isolation, or is a ConfigurationError."""

    def test_tables_with_nasty_names_are_different_tables(self, kvl: kvlayer.Client) -> None:
        accepted = []
        for name in nasty.NAMES:
            try:
                kvl.setup_namespace({name: (str,)})
            except kvlayer.ConfigurationError:
                continue
            accepted.append(name)
        assert accepted
        for name in accepted:
            kvl.put(name, (("name",), name.encode()))
        for name in accepted:
            assert list(kvl.scan(name)) == [(("name",), name.encode())]
        assert [table.name for table in kvl.tables()] == sorted(accepted)
        for number, name in enumerate(accepted):
            kvl.clear_table(name)
            assert list(kvl.scan_keys(name)) == []
            for other in accepted[number + 1 :]:
                assert list(kvl.get(other, ("name",))) == [(("name",), other.encode())]

    def test_namespaces_with_nasty_names_are_different_namespaces(self, space: Space) -> None:
        self._are_different(space, [("", name) for name in nasty.NAMES])

    def test_app_names_with_nasty_ends_are_different_app_names(self, space: Space) -> None:
        self._are_different(space, [(name, "test") for name in nasty.NAMES])

    def test_app_name_and_namespace_do_not_run_together(self, space: Space) -> None:
        pairs = [
            (first, second)
            for separator in ("_", "-", ".", ":", "/", "\x00", "__", "%", " ")
            for first, second in [(f"a{separator}b", "c"), ("a", f"b{separator}c")]
        ]
        self._are_different(space, [*pairs, ("ab", "c"), ("a", "bc"), ("b", "a")])

    def test_table_names_do_not_run_into_the_namespace(self, space: Space) -> None:
        clients = []
        for namespace, table in [("n_t", "u"), ("n", "t_u"), ("n:t", "u"), ("n", "t:u"), ("n.t", "u")]:
            client = space.client(namespace=namespace)
            client.setup_namespace({table: (int,)})
            client.put(table, ((1,), f"{namespace} {table}".encode()))
            clients.append((client, table, f"{namespace} {table}".encode()))
        for client, table, value in clients:
            assert list(client.scan(table)) == [((1,), value)]
        clients[0][0].delete_namespace()
        for client, table, value in clients[1:]:
            assert list(client.scan(table)) == [((1,), value)]

    @pytest.mark.parametrize("name", ["_kvlayer", "_kvlayer_catalog", "_kvlayer2", ""])
    def test_reserved_names_are_refused(self, kvl: kvlayer.Client, name: str) -> None:
        with pytest.raises(kvlayer.ConfigurationError):
            kvl.setup_namespace({"fine": (str,), name: (str,)})
        assert kvl.tables() == []

    def test_delete_namespace_removes_all_tables(self, space: Space) -> None:
        kvl, neighbour = space.client(), space.client(namespace="test2")
        for client in (kvl, neighbour):
            client.setup_namespace({"t": (str,), "u": (int,)}, value_types={"u": kvlayer.COUNTER})
            client.put("t", (("a",), b"1"))
            client.put("u", ((1,), 1))
        kvl.delete_namespace()
        assert kvl.tables() == []
        with pytest.raises(kvlayer.NoSuchTable):
            list(kvl.scan("t"))
        kvl.delete_namespace()
        assert list(neighbour.scan("t")) == [(("a",), b"1")]
        assert list(neighbour.scan("u")) == [((1,), 1)]
        kvl.setup_namespace({"t": (int,)})
        assert list(kvl.scan("t")) == []

    @staticmethod
    def _are_different(space: Space, names: list[tuple[str, str]]) -> None:
        """Fills each namespace with a row that says whose it is, and deletes one after the other."""
        clients: dict[tuple[str, str], kvlayer.Client] = {}
        for app_suffix, namespace in names:
            try:
                client = space.client(app_suffix, namespace)
                assert client.tables() == [], "a namespace that somebody else has filled"
                client.setup_namespace({"t": (str,)})
            except kvlayer.ConfigurationError:
                continue
            clients[app_suffix, namespace] = client
        assert clients
        for name, client in clients.items():
            client.put("t", (("whose",), repr(name).encode()))
        while clients:
            for name, client in clients.items():
                assert list(client.scan("t")) == [(("whose",), repr(name).encode())]
            deleted, client = clients.popitem()
            client.delete_namespace()
            client.close()
            if clients:
                name, client = next(iter(clients.items()))
                assert list(client.scan("t")) == [(("whose",), repr(name).encode())], f"{deleted} was deleted"
