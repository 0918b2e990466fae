"""Random sequences of operations on a store and on a plain model, which must agree at each step."""

from __future__ import annotations

import itertools
from typing import Any, Final
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from hypothesis.stateful import rule as step

import kvlayer
from kvlayer.testing import nasty
from kvlayer.testing.model import Key, Range, TableModel
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space

SCHEMAS: Final[dict[str, tuple[type, ...]]] = {
    "rows": (str, int),
    "texts": (bytes, bytes),
    "numbers": (float, UUID, str),
    "counts": (str,),
    "sums": (int, str),
}
VALUE_TYPES: Final[dict[str, Any]] = {
    "texts": str,
    "numbers": int,
    "counts": kvlayer.COUNTER,
    "sums": kvlayer.ACCUMULATOR,
}

# Few enough that operations meet on the same keys, nasty enough to matter.
_PARTS: Final[dict[type, st.SearchStrategy[Any]]] = {
    str: st.sampled_from(["", "\x00", "\x01", "a", "a\x00", "ab", "\uffff", "\U0010ffff"])
    | st.text(max_size=3),
    bytes: st.sampled_from([b"", b"\x00", b"\x01", b"a", b"a\x00", b"\xff", b"\xff\xff"])
    | st.binary(max_size=3),
    int: st.sampled_from(nasty.INTS) | st.integers(-3, 3),
    float: st.sampled_from(nasty.FLOATS) | st.floats(allow_nan=False),
    UUID: st.sampled_from(nasty.UUIDS) | st.uuids(),
}
_VALUES: Final[dict[Any, st.SearchStrategy[Any]]] = {
    bytes: st.binary(max_size=8) | st.sampled_from(nasty.BYTES),
    str: st.text(max_size=8) | st.sampled_from(nasty.STRINGS),
    int: st.integers() | st.sampled_from(nasty.INTS),
    float: st.floats(allow_nan=False),
    kvlayer.COUNTER: st.integers(-(2**20), 2**20),
    # Of these each sum is exact, so that no order of additions matters to the model.
    kvlayer.ACCUMULATOR: st.integers(-(2**20), 2**20).map(lambda n: n / 4),
}

_FIRST_VALUE: Final[dict[Any, Any]] = {
    bytes: b"",
    str: "",
    int: 0,
    kvlayer.COUNTER: 0,
    kvlayer.ACCUMULATOR: 0.0,
}
_RANGE_COUNT = st.integers(0, 3)
_tables = st.sampled_from(sorted(SCHEMAS))


def _first_keys(table: str) -> list[Key]:
    """What a table holds at the beginning: enough for a scan or a removal to have something to do."""
    keys = list(itertools.product(*(nasty.PARTS[part][::3] for part in SCHEMAS[table])))
    return keys[:: max(1, len(keys) // 8)]


class StoreMachine(RuleBasedStateMachine):
    """One sequence of operations, on the tables of a namespace that nobody else uses."""

    def __init__(self, kvl: kvlayer.Client) -> None:
        super().__init__()
        self.kvl = kvl
        self.can = kvl.capabilities
        self.models: dict[str, TableModel] = {}
        for table in SCHEMAS:
            kvl.delete(table, *kvl.scan_keys(table))
            model = self.models[table] = TableModel({"counts": int, "sums": float}.get(table))
            rows = [(key, _FIRST_VALUE[VALUE_TYPES.get(table, bytes)]) for key in _first_keys(table)]
            kvl.put(table, *rows)
            model.put(rows)

    @step(table=_tables, data=st.data())
    def put(self, table: str, data: st.DataObject) -> None:
        pairs = [(key, self._value(table, data)) for key in self._keys(table, data)]
        self.kvl.put(table, *pairs)
        self.models[table].put(pairs)

    @step(table=_tables, batch_size=st.integers(1, 3), data=st.data())
    def put_many(self, table: str, batch_size: int, data: st.DataObject) -> None:
        pairs = [(key, self._value(table, data)) for key in self._keys(table, data)]
        assert self.kvl.put_many(table, iter(pairs), batch_size) == len(pairs)
        self.models[table].put(pairs)

    @step(table=_tables, data=st.data())
    def get(self, table: str, data: st.DataObject) -> None:
        keys = self._keys(table, data)
        assert list(self.kvl.get(table, *keys)) == self.models[table].get(keys)

    @step(table=_tables, data=st.data())
    def delete(self, table: str, data: st.DataObject) -> None:
        keys = self._keys(table, data)
        self.kvl.delete(table, *keys)
        self.models[table].delete(keys)

    @step(table=_tables, keys_only=st.booleans(), data=st.data())
    def scan(self, table: str, keys_only: bool, data: st.DataObject) -> None:
        ranges = self._ranges(table, data)
        how: dict[str, Any] = {
            "reverse": self.can.reverse and data.draw(st.booleans(), label="reverse"),
            "limit": data.draw(st.none() | st.integers(0, 6), label="limit"),
            "after": self._key(table, data) if data.draw(st.booleans(), label="resume") else None,
        }
        expected = self.models[table].scan(ranges, **how)
        if keys_only:
            assert list(self.kvl.scan_keys(table, *ranges, **how)) == [key for key, _ in expected]
        else:
            assert list(self.kvl.scan(table, *ranges, **how)) == expected

    @step(table=_tables, data=st.data())
    def delete_range(self, table: str, data: st.DataObject) -> None:
        ranges = [self._range(table, data), *self._ranges(table, data)]
        self.kvl.delete_range(table, *ranges)
        self.models[table].delete_range(ranges)

    @step(table=st.sampled_from(["counts", "sums"]), data=st.data())
    def increment(self, table: str, data: st.DataObject) -> None:
        if not (self.can.atomic_increment if table == "counts" else self.can.accumulate):
            return
        deltas = [(key, self._value(table, data)) for key in self._keys(table, data)]
        assert self.kvl.increment(table, *deltas) == self.models[table].increment(deltas)

    @step(table=_tables, expect_right=st.booleans(), remove=st.booleans(), data=st.data())
    def compare_and_put(self, table: str, expect_right: bool, remove: bool, data: st.DataObject) -> None:
        if not self.can.compare_and_put:
            return
        key = self._key(table, data)
        present = self.models[table].rows.get(key)
        expected = present if expect_right else self._value(table, data)
        value = None if remove else self._value(table, data)
        done = self.kvl.compare_and_put(table, key, expected, value)
        assert done == self.models[table].compare_and_put(key, expected, value)

    @step(table=_tables)
    def clear(self, table: str) -> None:
        self.kvl.clear_table(table)
        self.models[table].rows.clear()

    def teardown(self) -> None:
        """Every table holds what the model does, whichever of them was written last."""
        for table, model in self.models.items():
            assert list(self.kvl.scan(table)) == model.scan([])

    def _key(self, table: str, data: st.DataObject) -> Key:
        """A key, often one that is there."""
        anew = st.tuples(*(_PARTS[part] for part in SCHEMAS[table]))
        present = sorted(self.models[table].rows)
        return data.draw(st.sampled_from(present) | anew if present else anew, label="key")

    def _keys(self, table: str, data: st.DataObject) -> list[Key]:
        return [self._key(table, data) for _ in range(data.draw(st.integers(0, 5), label="keys"))]

    def _value(self, table: str, data: st.DataObject) -> Any:
        return data.draw(_VALUES[VALUE_TYPES.get(table, bytes)], label="value")

    def _ranges(self, table: str, data: st.DataObject) -> list[Range]:
        return [self._range(table, data) for _ in range(data.draw(_RANGE_COUNT, label="ranges"))]

    def _range(self, table: str, data: st.DataObject) -> Range:
        start = self._end(table, data)
        return start, start if data.draw(st.booleans(), label="same end") else self._end(table, data)

    def _end(self, table: str, data: st.DataObject) -> Key | None:
        length = data.draw(st.none() | st.integers(0, len(SCHEMAS[table])), label="parts of the end")
        return None if length is None else self._key(table, data)[:length]


@needs("ordered")
class TestStateMachine:
    """S1 to S6, S11 and S16, in any order of operations."""

    @rule("S1", "S2", "S3", "S4", "S5", "S7", "S11", "S16")
    def test_any_sequence_of_operations(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace(SCHEMAS, value_types=VALUE_TYPES)

        class Machine(StoreMachine):
            def __init__(self) -> None:
                super().__init__(kvl)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=space.store.examples,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
