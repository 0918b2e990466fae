"""`tables`, `create`, `clear`, `drop-namespace`: what a namespace holds."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

import kvlayer
from cli.running import Kvlayer
from cli.test_cli_rows import client_of


class TestOnEachStore:
    def test_tables_come_and_go(self, each: Kvlayer) -> None:
        each("create", "events", "uuid,bytes,float", "--value-type", "accumulator")
        tables = json.loads(each("tables", "--format", "json").text)
        assert [table["name"] for table in tables] == ["cities", "events", "photos", "visits"]
        assert tables[0] == {
            "app_name": "kvlayer-test",
            "namespace": each.config["namespace"],
            "name": "cities",
            "key_types": ["str", "str", "int"],
            "value_type": "str",
            "estimated_rows": tables[0]["estimated_rows"],
            "incomplete": None,
        }
        assert tables[1]["key_types"] == ["uuid", "bytes", "float"]
        assert tables[1]["value_type"] == "accumulator"
        each("clear", "cities", "--yes")
        assert each("count", "cities").text == "0\n"
        each("drop-namespace", "--yes")
        assert json.loads(each("tables", "--format", "json").text) == []

    def test_all_namespaces(self, each: Kvlayer) -> None:
        other = uuid4().hex
        each("--namespace", other, "create", "elsewhere", "int")
        try:
            tables = json.loads(each("tables", "--all-namespaces", "--format", "json").text)
            found = {(table["namespace"], table["name"]) for table in tables}
            assert {(other, "elsewhere"), (each.config["namespace"], "cities")} <= found
        finally:
            each("--namespace", other, "drop-namespace", "--yes")


class TestTables:
    def test_as_a_table(self, kvl: Kvlayer) -> None:
        header, _, *lines = kvl("tables").lines
        assert header.split() == ["table", "key", "values", "rows"]
        assert [line.split() for line in lines] == [
            ["cities", "str,", "str,", "int", "str", "~5"],
            ["photos", "int", "bytes", "0"],
            ["visits", "str", "counter", "0"],
        ]

    def test_what_is_incomplete(self, kvl: Kvlayer) -> None:
        """A table that a load has left half way is told from a whole one."""
        kvl("dump", "cities", "cities.dump")
        content = (kvl.folder / "cities.dump").read_bytes()
        kvl("clear", "cities", "--yes")
        kvl("load", "-", given=content[: len(content) // 2], status=3)
        assert json.loads(kvl("tables", "--format", "json").text)[0]["incomplete"] is not None
        assert "cities (incomplete)" in kvl("tables").text


class TestCreate:
    def test_again(self, kvl: Kvlayer) -> None:
        kvl("create", "cities", "str, str, int", "--value-type", "str")
        refused = kvl("create", "cities", "str,int", status=2).errors
        assert "has keys of (str, str, int), not of (str, int)" in refused
        assert "values of type str" in kvl("create", "cities", "str,str,int", status=2).errors

    @pytest.mark.parametrize("schema", ["", "str,", "text", "str;int"])
    def test_what_is_no_schema(self, kvl: Kvlayer, schema: str) -> None:
        assert "are like str,int,uuid,bytes,float" in kvl("create", "t", schema, status=2).errors

    def test_reserved_names(self, kvl: Kvlayer) -> None:
        assert "reserved" in kvl("create", "_kvlayer_catalog", "str", status=2).errors


class TestConfirmation:
    @pytest.mark.parametrize("words", [("clear", "cities"), ("drop-namespace",)])
    def test_nothing_is_done_without_one(self, kvl: Kvlayer, words: tuple[str, ...]) -> None:
        assert "give --yes" in kvl(*words, status=2).errors
        assert kvl("count", "cities").text == "5\n"

    def test_dry_runs_change_nothing(self, kvl: Kvlayer) -> None:
        assert kvl("clear", "cities", "--dry-run").text == "would remove about 5 rows of table cities\n"
        assert kvl("drop-namespace", "--dry-run").lines == [
            "would remove namespace demo of app atlas, which holds 3 tables",
            "  cities: about 5 rows",
            "  photos: no rows",
            "  visits: no rows",
        ]
        assert kvl("count", "cities").text == "5\n"

    @pytest.mark.parametrize(
        ("words", "name"), [(("clear", "cities"), "cities"), (("drop-namespace",), "demo")]
    )
    def test_the_name_must_be_typed(self, kvl: Kvlayer, words: tuple[str, ...], name: str) -> None:
        refused = kvl.terminal(*words, typed="y\n", status=1)
        assert f"Type {name} to go on: " in refused.text
        assert "nothing was changed" in refused.text
        assert kvl("count", "cities").text == "5\n"
        kvl.terminal(*words, typed=f"{name}\n")
        with client_of(kvl) as client:
            tables = [table.name for table in client.tables()]
            assert tables == [] or not list(client.scan("cities"))

    def test_of_a_range(self, kvl: Kvlayer) -> None:
        words = ("delete", "cities", "--prefix", "fr")
        assert "Remove 2 rows of table cities? [y/N] " in kvl.terminal(*words, typed="\n", status=1).text
        assert kvl("count", "cities").text == "5\n"
        assert kvl.terminal(*words, typed="y\n").text.endswith("2 rows removed\n")
        assert kvl("count", "cities").text == "3\n"

    def test_of_an_empty_range(self, kvl: Kvlayer) -> None:
        assert kvl.terminal("delete", "cities", "--prefix", "zz").text == "there are no such rows\n"


def test_a_store_that_cannot_list_namespaces(kvl: Kvlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The complaint says what can't be done, and the status that the command was no good here."""
    from kvlayer.backends.base import Backend
    from kvlayer.backends.local import LocalBackend
    from kvlayer.cli import main

    monkeypatch.setattr(LocalBackend, "list_namespaces", Backend.list_namespaces)
    with pytest.raises(kvlayer.NotSupported), kvlayer.client("local://") as client:
        client.namespaces()
    assert main(["tables", "--all-namespaces"]) == 2
