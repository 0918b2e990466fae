"""The catalogue: tables are known to every client, and stay what they were set up as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

import kvlayer
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space

BAD_SCHEMAS: list[Any] = [
    (),
    (dict,),
    ("str",),
    (None,),
    None,
    0,
    -1,
    True,
    str,
    (str, bool),
    (object,),
    "str",
]


@rule("S14")
class TestCatalogue:
    """S14."""

    def test_a_table_is_known_to_every_client(self, space: Space) -> None:
        space.client().setup_namespace({"t": (str, int)}, value_types={"t": str})
        other = space.client()
        other.put("t", (("a", 1), "one"))
        assert list(space.client().scan("t")) == [(("a", 1), "one")]
        assert list(space.client().table("t").scan()) == [(("a", 1), "one")]
        with pytest.raises(kvlayer.BadKey):
            other.put("t", (("a", 1), b"bytes"))

    def test_a_client_made_before_the_set_up_finds_the_table(self, space: Space) -> None:
        early = space.client()
        with pytest.raises(kvlayer.NoSuchTable):
            early.put("t", (("a",), b"1"))
        space.client().setup_namespace({"t": (str,)})
        early.put("t", (("a",), b"1"))
        assert list(early.scan("t")) == [(("a",), b"1")]

    def test_tables_lists_what_is_there(self, space: Space) -> None:
        kvl = space.client()
        assert kvl.tables() == []
        kvl.setup_namespace(
            {"z": (str, int, UUID, bytes, float), "a": 2, "counts": (str,), "sums": (int,), "B": (str,)},
            value_types={"counts": kvlayer.COUNTER, "sums": kvlayer.ACCUMULATOR, "a": str, "B": float},
        )
        described = [(table.name, table.key_types, table.value_type) for table in space.client().tables()]
        assert described == [
            ("B", (str,), float),
            ("a", (UUID, UUID), str),
            ("counts", (str,), kvlayer.COUNTER),
            ("sums", (int,), kvlayer.ACCUMULATOR),
            ("z", (str, int, UUID, bytes, float), bytes),
        ]

    def test_many_tables(self, space: Space) -> None:
        count = 30
        space.client().setup_namespace({f"t{n:03}": (int,) for n in range(count)})
        other = space.client()
        assert [table.name for table in other.tables()] == [f"t{n:03}" for n in range(count)]
        other.put(f"t{count - 1:03}", ((1,), b""))

    def test_an_int_means_so_many_uuids(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": 2})
        key = (UUID(int=1), UUID(int=2))
        kvl.put("t", (key, b""))
        assert list(kvl.scan_keys("t")) == [key]
        kvl.setup_namespace({"t": (UUID, UUID)})

    def test_setting_up_again_keeps_the_rows(self, space: Space) -> None:
        kvl = space.client()
        for client in (kvl, kvl, space.client()):
            client.setup_namespace({"t": (str,)})
            client.put("t", (("a",), b"1"))
            assert list(client.scan("t")) == [(("a",), b"1")]

    def test_tables_can_be_added_later(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("a",), b"1"))
        kvl.setup_namespace({"u": (int,)})
        kvl.put("u", ((1,), b"2"))
        assert list(kvl.scan("t")) == [(("a",), b"1")]
        assert [table.name for table in space.client().tables()] == ["t", "u"]

    def test_nothing_to_set_up(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({})
        assert kvl.tables() == []

    @pytest.mark.parametrize("other_types", [(int,), (str, str), (bytes,), 1])
    def test_other_key_types_are_a_mismatch(self, space: Space, other_types: Any) -> None:
        space.client().setup_namespace({"t": (str,)})
        for client in (space.client(), space.client()):
            with pytest.raises(kvlayer.SchemaMismatch):
                client.setup_namespace({"new": (str,), "t": other_types})
        assert [table.name for table in space.client().tables()] == ["t"]

    def test_another_value_type_is_a_mismatch(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
        others: list[tuple[str, Any]] = [("t", str), ("t", kvlayer.COUNTER), ("c", int), ("c", bytes)]
        for table, value_type in others:
            with pytest.raises(kvlayer.SchemaMismatch):
                space.client().setup_namespace({table: (str,)}, value_types={table: value_type})
        kvl.put("t", (("a",), b"1"))

    def test_a_value_type_left_out_keeps_what_is_stored(self, space: Space) -> None:
        space.client().setup_namespace({"t": (str,)}, value_types={"t": str})
        other = space.client()
        other.setup_namespace({"t": (str,)})
        other.put("t", (("a",), "text"))
        assert list(other.scan("t")) == [(("a",), "text")]

    @pytest.mark.parametrize("schema", BAD_SCHEMAS, ids=repr)
    def test_what_is_no_schema_is_refused(self, kvl: kvlayer.Client, schema: Any) -> None:
        with pytest.raises(kvlayer.ConfigurationError):
            kvl.setup_namespace({"fine": (str,), "t": schema})
        assert kvl.tables() == []

    def test_what_is_no_value_type_is_refused(self, kvl: kvlayer.Client) -> None:
        for bad in (dict, "int", None.__class__, bool):
            with pytest.raises(kvlayer.ConfigurationError):
                kvl.setup_namespace({"fine": (str,), "t": (str,)}, value_types={"t": bad})  # type: ignore[dict-item]
        assert kvl.tables() == []

    def test_types_and_options_of_a_table_that_is_not_named_are_refused(self, kvl: kvlayer.Client) -> None:
        with pytest.raises(kvlayer.ProgrammerError):
            kvl.setup_namespace({"t": (str,)}, value_types={"u": str})
        with pytest.raises(kvlayer.ProgrammerError):
            kvl.setup_namespace({"t": (str,)}, options={"u": {"splits": [("a",)]}})
        assert kvl.tables() == []

    def test_splits_change_nothing_but_speed(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str, int)}, options={"t": {"splits": [("m", 1), ("c",)]}})
        keys = [(letter, n) for letter in "acdmz" for n in range(3)]
        kvl.put("t", *((key, b"") for key in keys))
        assert list(kvl.scan_keys("t")) == keys

    def test_unknown_options_are_refused(self, kvl: kvlayer.Client) -> None:
        with pytest.raises(kvlayer.ConfigurationError):
            kvl.setup_namespace({"t": (str,)}, options={"t": {"no such option": 1}})
        assert kvl.tables() == []

    def test_a_table_that_was_not_set_up(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        for call in _calls(kvl, "missing"):
            with pytest.raises(kvlayer.NoSuchTable, match="missing"):
                call()

    def test_an_empty_namespace_has_no_tables(self, kvl: kvlayer.Client) -> None:
        for call in _calls(kvl, "t"):
            with pytest.raises(kvlayer.NoSuchTable):
                call()

    @pytest.mark.parametrize("operation", ["put", "get", "scan", "delete", "delete_range", "clear_table"])
    def test_after_another_client_has_deleted_the_namespace(self, space: Space, operation: str) -> None:
        stale, other = space.client(), space.client()
        stale.setup_namespace({"t": (str,)})
        stale.put("t", (("old",), b"1"))
        other.delete_namespace()
        calls: dict[str, Callable[[], Any]] = {
            "put": lambda: stale.put("t", (("new",), b"2")),
            "get": lambda: [value for _, value in stale.get("t", ("old",)) if value is not None],
            "scan": lambda: list(stale.scan("t")),
            "delete": lambda: stale.delete("t", ("old",)),
            "delete_range": lambda: stale.delete_range("t", ((), ())),
            "clear_table": lambda: stale.clear_table("t"),
        }
        try:
            assert not calls[operation]()
            written = operation == "put"
        except kvlayer.NoSuchTable:
            written = False
        other.setup_namespace({"t": (str,)})
        assert list(other.scan("t")) == ([(("new",), b"2")] if written else [])

    def test_a_table_that_was_made_anew_is_found_again(self, space: Space) -> None:
        """At the latest by the operation after one that failed."""
        stale, other = space.client(), space.client()
        stale.setup_namespace({"t": (str,)})
        handle = stale.table("t")
        handle[("old",)] = b"1"
        other.delete_namespace()
        other.setup_namespace({"t": (str,)})
        for write in (handle.put, lambda pair: stale.put("t", pair)):
            try:
                write((("a",), b"2"))
            except kvlayer.NoSuchTable:
                write((("a",), b"2"))
            assert list(other.scan("t")) == [(("a",), b"2")]
            other.clear_table("t")

    @needs("compare_and_put")
    @pytest.mark.parametrize("operation", ["put", "increment", "compare_and_put", "delete", "delete_range"])
    def test_a_table_that_was_made_anew_with_other_keys(self, space: Space, operation: str) -> None:
        """A client with an outdated idea of a table does nothing to its successor."""
        stale, other = space.client(), space.client()
        tally: dict[str, Any] = {"t": kvlayer.COUNTER} if stale.capabilities.atomic_increment else {"t": int}
        stale.setup_namespace({"t": (str,)}, value_types=tally)
        stale.put("t", (("12345678",), 1))
        other.delete_namespace()
        other.setup_namespace({"t": (int,)}, value_types=tally)
        other.put("t", ((1,), 1))
        calls: dict[str, Any] = {
            "put": lambda: stale.put("t", (("12345678",), 5)),
            "compare_and_put": lambda: stale.compare_and_put("t", ("12345678",), None, 5),
            "increment": lambda: stale.increment("t", (("12345678",), 5)),
            "delete": lambda: stale.delete("t", ("12345678",)),
            "delete_range": lambda: stale.delete_range("t", ((), ("\U0010ffff",))),
        }
        for _ in range(2):  # now with the outdated idea, then with that of the new table
            with pytest.raises(kvlayer.KvlayerError) as refused:
                calls[operation]()
            assert isinstance(refused.value, (kvlayer.NoSuchTable, kvlayer.BadKey, kvlayer.ProgrammerError))
            assert list(other.scan("t")) == [((1,), 1)]


def _calls(kvl: kvlayer.Client, table: str) -> list[Any]:
    """Every operation on a table."""
    return [
        lambda: kvl.put(table, (("a",), b"1")),
        lambda: kvl.put_many(table, [(("a",), b"1")]),
        lambda: list(kvl.get(table, ("a",))),
        lambda: list(kvl.scan(table)),
        lambda: list(kvl.scan_keys(table)),
        lambda: kvl.delete(table, ("a",)),
        lambda: kvl.delete_range(table, ((), ())),
        lambda: kvl.clear_table(table),
        lambda: kvl.increment(table, (("a",), 1)),
        lambda: kvl.compare_and_put(table, ("a",), None, b"1"),
        lambda: kvl.table(table).put((("a",), b"1")),
    ]
