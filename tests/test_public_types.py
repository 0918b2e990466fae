"""What type checkers make of programs that use kvlayer: mypy reads this file, and it runs as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type
from uuid import UUID

import kvlayer


def test_annotations() -> None:
    key_types: dict[str, kvlayer.KeyTypes] = {"cities": (str, int), "events": 2, "visits": [UUID]}
    value_types: dict[str, kvlayer.ValueType] = {"cities": str, "visits": kvlayer.COUNTER}
    everything: kvlayer.Range = ((), None)
    key: kvlayer.Key = ("fr", 1)
    seen: list[kvlayer.Operation] = []
    with kvlayer.client("local://", app_name="test_public_types") as kvl:
        assert_type(kvl, kvlayer.Client)
        kvl.on_operation(seen.append)
        kvl.setup_namespace(key_types, value_types, options={"cities": {"splits": [("m",)]}})
        table = assert_type(kvl.table("cities"), kvlayer.Table)
        table.put((key, "Paris"))
        assert_type(kvl.put_many("cities", iter([(key, "Paris")])), int)
        assert_type(table.get(key), Iterator[tuple[kvlayer.Key, Any]])
        assert_type(kvl.scan("cities", everything, limit=1), Iterator[tuple[kvlayer.Key, Any]])
        assert_type(kvl.scan_keys("cities", (key, None), after=key), Iterator[kvlayer.Key])
        assert_type(kvl.compare_and_put("cities", key, "Paris", None), bool)
        assert_type(kvl.increment("visits", ((UUID(int=1),), 1)), list[Any])
        assert_type(kvl.tables(), list[kvlayer.TableInfo])
        assert_type(kvl.capabilities, kvlayer.Capabilities)
        assert_type(kvl.stats(), list[kvlayer.Totals])
        assert [info.name for info in kvl.tables()] == ["cities", "events", "visits"]
        assert {operation.table for operation in seen} >= {"cities", "visits"}
        kvl.delete_namespace()
