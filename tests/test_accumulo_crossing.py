"""Rows between Python and Java cross the same way by the batch, with the helper, and one by one."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jpype
import pytest

from kvlayer.backends.accumulo import by_batch, by_row, crossing, jvm
from kvlayer.backends.accumulo.changes import ANYTHING, Change
from kvlayer.backends.base import PAGE_BYTES, Row

DATA = "org.apache.accumulo.core.data."
ROWS = [
    (b"", b""),
    (b"\0", b"\xff" * 300),
    (b"a" * 70_000, b""),
    (b"b", bytes(range(256))),
    (b"\xff\xff", b"v"),
]


@pytest.fixture(params=[by_row, by_batch], ids=["by row", "by batch"])
def way(request: pytest.FixtureRequest) -> ModuleType:
    jvm.start()
    found: ModuleType = request.param
    return found


def entries(rows: list[Row]) -> Any:
    """An iterator as a scanner's, over rows in memory."""
    found = jpype.java.util.ArrayList()
    key_class, value_class = jvm.java_class(DATA + "Key"), jvm.java_class(DATA + "Value")
    for key, value in rows:
        entry = key_class(crossing.text(key)), value_class(jpype.JArray(jpype.JByte)(value))
        found.add(jvm.java_class("java.util.AbstractMap$SimpleEntry")(*entry))
    return found.iterator()


class Recorder:
    """A BatchWriter, with the method names of Java, that keeps what it is given."""

    def __init__(self) -> None:
        self.mutations: list[Any] = []
        self.flushes = 0

    def addMutation(self, mutation: Any) -> None:  # noqa: N802
        self.mutations.append(mutation)

    def addMutations(self, mutations: Any) -> None:  # noqa: N802
        self.mutations += mutations

    def flush(self) -> None:
        self.flushes += 1

    def close(self) -> None:
        """Nothing is held."""


class Judge:
    """A ConditionalWriter that accepts values of one length and answers in the wrong order."""

    def __init__(self) -> None:
        self.mutations: list[Any] = []

    def write(self, mutations: Any) -> Any:
        self.mutations += mutations
        results = jpype.java.util.ArrayList()
        writer = "org.apache.accumulo.core.client.ConditionalWriter$"
        status = jvm.java_class(writer + "Status")
        for mutation in reversed(self.mutations):
            [update] = mutation.getUpdates()
            accepted = status.ACCEPTED if len(update.getValue()) == 1 else status.REJECTED
            results.add(jvm.java_class(writer + "Result")(accepted, mutation, "server"))
        return results.iterator()

    def close(self) -> None:
        """Nothing is held."""


def java(writer: Recorder | Judge) -> Any:
    """A writer of this test as Java sees it."""
    name = "BatchWriter" if isinstance(writer, Recorder) else "ConditionalWriter"
    interface = jvm.java_class(f"org.apache.accumulo.core.client.{name}")
    return jpype.JObject(jpype.JProxy(interface, inst=writer), interface)


def updates(mutations: list[Any]) -> list[tuple[bytes, bytes, bool]]:
    """Row, value and whether it is removed, of mutations of one column each, which has no name."""
    found = []
    for mutation in mutations:
        [update] = mutation.getUpdates()
        assert not len(update.getColumnFamily())
        assert not len(update.getColumnQualifier())
        found.append((bytes(mutation.getRow()), bytes(update.getValue()), bool(update.isDeleted())))
    return found


def test_rows_are_read(way: ModuleType) -> None:
    assert way.read_rows(entries(ROWS), 10) == (ROWS, True)
    assert way.read_rows(entries(ROWS), 6) == (ROWS, True)
    assert way.read_rows(entries(ROWS), 5) == (ROWS, False)
    assert way.read_rows(entries([]), 5) == ([], True)
    iterator = entries(ROWS)
    assert way.read_rows(iterator, 2) == (ROWS[:2], False)
    assert way.read_rows(iterator, 9) == (ROWS[2:], True)


def test_keys_are_read(way: ModuleType) -> None:
    keys = [key for key, _ in ROWS]
    assert way.read_keys(entries(ROWS), 10) == (keys, True)
    assert way.read_keys(entries(ROWS), 3) == (keys[:3], False)
    assert way.read_keys(entries([]), 3) == ([], True)


def test_a_page_ends_with_the_row_that_fills_it(way: ModuleType) -> None:
    half = PAGE_BYTES // 2
    rows = [(b"a", bytes(half)), (b"b", bytes(half)), (b"c", b"")]
    assert way.read_rows(entries(rows), 10) == (rows[:2], False)
    assert way.read_rows(entries(rows[1:]), 10) == (rows[1:], True)


def test_rows_are_written_in_order_and_flushed(way: ModuleType) -> None:
    writer = Recorder()
    way.put(java(writer), ROWS[::-1])
    assert updates(writer.mutations) == sorted((key, value, False) for key, value in ROWS)
    assert writer.flushes == 1


def test_rows_are_removed_in_order_and_flushed(way: ModuleType) -> None:
    writer = Recorder()
    way.delete(java(writer), [b"b", b"", b"a"])
    assert updates(writer.mutations) == [(b"", b"", True), (b"a", b"", True), (b"b", b"", True)]
    assert writer.flushes == 1


def test_changes_and_what_became_of_them(way: ModuleType) -> None:
    changes: list[Change] = [
        (b"d", ANYTHING, b"1"),
        (b"c", None, b"22"),
        (b"b", b"old", b"3"),
        (b"a", b"", None),
        (b"\0", ANYTHING, b""),
    ]
    judge = Judge()
    assert way.change(java(judge), changes) == dict.fromkeys([b"\0", b"a", b"c"], "REJECTED")
    assert updates(judge.mutations) == sorted((key, value or b"", value is None) for key, _, value in changes)
    conditions = {}
    for mutation in judge.mutations:
        [condition] = mutation.getConditions()
        value = condition.getValue()
        wanted = None if value is None else bytes(value.toArray())
        conditions[bytes(mutation.getRow())] = bytes(condition.getFamily().toArray()), wanted
    never = (b"never", None)
    assert conditions == {
        b"\0": never,
        b"a": (b"", b""),
        b"b": (b"", b"old"),
        b"c": (b"", None),
        b"d": never,
    }


def test_ranges_of_keys() -> None:
    jvm.start()
    keys = [b"", b"\0", b"b", b"a" * 70_000, b"a"]
    assert by_batch.exact_ranges(keys).equals(by_row.exact_ranges(keys))
