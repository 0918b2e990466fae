"""Handles on tables: the methods of the client without a name, and those of a dict."""

from __future__ import annotations

import pytest

import kvlayer
from kvlayer.testing.rules import needs, rule


class TestTable:
    """A handle means what the client's methods mean."""

    @pytest.fixture
    def table(self, kvl: kvlayer.Client) -> kvlayer.Table:
        kvl.setup_namespace({"t": (str,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
        return kvl.table("t")

    @rule("S4", "S5", "S7")
    def test_a_handle_has_the_methods_of_the_client(self, kvl: kvlayer.Client, table: kvlayer.Table) -> None:
        table.put((("a",), b"1"), (("b",), b"2"), (("a",), b"3"))
        assert table.put_many([(("c",), b"4"), (("d",), b"5")]) == 2
        assert list(table.get(("b",), ("z",))) == [(("b",), b"2"), (("z",), None)]
        assert list(table.scan((("b",), ("c",)))) == [(("b",), b"2"), (("c",), b"4")]
        assert list(table.scan_keys(limit=2, after=("a",))) == [("b",), ("c",)]
        table.delete(("a",), ("z",))
        table.delete_range((("d",), None))
        assert list(kvl.scan_keys("t")) == [("b",), ("c",)]
        table.clear()
        assert list(kvl.scan_keys("t")) == []

    @rule("S11", "S16")
    @needs("atomic_increment", "compare_and_put")
    def test_a_handle_counts_and_compares(self, kvl: kvlayer.Client, table: kvlayer.Table) -> None:
        assert kvl.table("c").increment((("a",), 1), (("a",), 1)) == [2, 2]
        assert table.compare_and_put(("a",), None, b"1")
        assert kvl.table("c").compare_and_put(("a",), 2, None)

    @rule("S4", "S5")
    def test_a_handle_is_used_like_a_dict(self, kvl: kvlayer.Client, table: kvlayer.Table) -> None:
        table[("b",)] = b"2"
        table[("a",)] = b""
        assert table[("a",)] == b""
        assert ("a",) in table
        assert ("missing",) not in table
        assert list(table) == [("a",), ("b",)]
        with pytest.raises(KeyError):
            table[("missing",)]
        del table[("a",)]
        del table[("a",)]
        assert list(kvl.scan("t")) == [(("b",), b"2")]

    @rule("S6")
    def test_a_handle_refuses_what_does_not_fit(self, table: kvlayer.Table) -> None:
        with pytest.raises(kvlayer.BadKey):
            table[("a", "b")] = b""
        with pytest.raises(kvlayer.BadKey):
            table[("a",)] = "text"
        with pytest.raises(kvlayer.BadKey):
            (1,) in table  # noqa: B015
        assert list(table) == []

    @rule("S14")
    def test_a_handle_knows_its_table(self, table: kvlayer.Table) -> None:
        assert table.name == "t"
        assert (table.info.name, table.info.key_types, table.info.value_type) == ("t", (str,), bytes)
