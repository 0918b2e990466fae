"""Closed clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import kvlayer
from kvlayer.testing.rules import rule
from kvlayer.testing.space import Space

OPERATIONS: dict[str, Callable[[kvlayer.Client], Any]] = {
    "setup_namespace": lambda kvl: kvl.setup_namespace({"t": (str,)}),
    "put": lambda kvl: kvl.put("t", (("a",), b"1")),
    "put nothing": lambda kvl: kvl.put("t"),
    "put_many": lambda kvl: kvl.put_many("t", [(("a",), b"1")]),
    "put_many of nothing": lambda kvl: kvl.put_many("t", []),
    "get": lambda kvl: kvl.get("t", ("a",)),
    "get nothing": lambda kvl: kvl.get("t"),
    "scan": lambda kvl: kvl.scan("t"),
    "scan_keys": lambda kvl: kvl.scan_keys("t", limit=0),
    "delete": lambda kvl: kvl.delete("t", ("a",)),
    "delete_range": lambda kvl: kvl.delete_range("t", ((), ())),
    "compare_and_put": lambda kvl: kvl.compare_and_put("t", ("a",), None, b"1"),
    "increment": lambda kvl: kvl.increment("c", (("a",), 1)),
    "clear_table": lambda kvl: kvl.clear_table("t"),
    "delete_namespace": lambda kvl: kvl.delete_namespace(),
    "tables": lambda kvl: kvl.tables(),
    "table": lambda kvl: kvl.table("t"),
    "ping": lambda kvl: kvl.ping(),
}


@rule("S13")
class TestClosing:
    """S13."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_closed_client_refuses_every_operation(
        self, common_space: Space, common: kvlayer.Client, operation: str
    ) -> None:
        kvl = common_space.client()
        kvl.setup_namespace({"t": (str,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
        kvl.put("t", (("kept",), b"1"))
        kvl.close()
        with pytest.raises(kvlayer.StorageClosed):
            OPERATIONS[operation](kvl)
        assert list(common.scan("t")) == [(("kept",), b"1")]

    def test_a_client_that_never_connected_is_closed_as_well(self, space: Space) -> None:
        for operation in OPERATIONS.values():
            kvl = space.client()
            kvl.close()
            with pytest.raises(kvlayer.StorageClosed):
                operation(kvl)

    def test_the_tables_of_a_closed_client(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        table = kvl.table("t")
        table[("a",)] = b"1"
        kvl.close()
        calls: list[Callable[[], Any]] = [
            lambda: table[("a",)],
            lambda: table.put((("a",), b"1")),
            lambda: table.get(("a",)),
            lambda: table.scan(),
            lambda: list(table),
            lambda: ("a",) in table,
        ]
        for call in calls:
            with pytest.raises(kvlayer.StorageClosed):
                call()

    def test_closing_twice_is_fine(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str,)})
        kvl.close()
        kvl.close()

    def test_a_client_closes_itself(self, space: Space) -> None:
        with space.client() as kvl:
            kvl.setup_namespace({"t": (str,)})
        with pytest.raises(kvlayer.StorageClosed):
            kvl.put("t", (("a",), b"1"))
        with pytest.raises(RuntimeError, match="as it is"), space.client() as kvl:
            raise RuntimeError("comes through as it is")
        with pytest.raises(kvlayer.StorageClosed):
            kvl.tables()

    def test_scans_that_are_still_open(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)})
        count = 3 * kvl.capabilities.page_rows
        kvl.put("t", *(((n,), b"") for n in range(count)))
        started = [kvl.scan("t"), kvl.scan_keys("t"), kvl.get("t", *((n,) for n in range(count)))]
        for rows in started:
            next(rows)
        not_started = kvl.scan("t")
        kvl.close()
        for rows in [*started, not_started]:
            with pytest.raises(kvlayer.StorageClosed):
                list(rows)

    def test_closing_one_client_leaves_the_others_open(self, space: Space) -> None:
        one, two = space.client(), space.client()
        one.setup_namespace({"t": (str,)})
        two.put("t", (("a",), b"1"))
        one.close()
        two.put("t", (("b",), b"2"))
        assert list(two.scan_keys("t")) == [("a",), ("b",)]
