"""Rows between Python and Java one at a time: the functions of `crossing`, with nothing but JPype."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import jpype

from kvlayer.backends.accumulo.changes import ANYTHING, Change
from kvlayer.backends.accumulo.jvm import java_class
from kvlayer.backends.base import PAGE_BYTES, Row

_DATA: Final = "org.apache.accumulo.core.data."


def put(writer: Any, rows: Sequence[Row]) -> None:
    """As `crossing.put`."""
    mutation_class, empty = java_class(_DATA + "Mutation"), _empty()
    mutations = java_class("java.util.ArrayList")(len(rows))
    for key, value in sorted(rows):
        mutation = mutation_class(_java_bytes(key))
        mutation.put(empty, empty, _java_bytes(value))
        mutations.add(mutation)
    writer.addMutations(mutations)
    writer.flush()


def delete(writer: Any, keys: Sequence[bytes]) -> None:
    """As `crossing.delete`."""
    mutation_class, empty = java_class(_DATA + "Mutation"), _empty()
    mutations = java_class("java.util.ArrayList")(len(keys))
    for key in sorted(keys):
        mutation = mutation_class(_java_bytes(key))
        mutation.putDelete(empty, empty)
        mutations.add(mutation)
    writer.addMutations(mutations)
    writer.flush()


def change(writer: Any, changes: Sequence[Change]) -> dict[bytes, str]:
    """As `crossing.change`."""
    mutations = java_class("java.util.ArrayList")(len(changes))
    mutation_class, empty = java_class(_DATA + "ConditionalMutation"), _empty()
    for key, expected, value in sorted(changes, key=_key_of):
        mutation = mutation_class(_java_bytes(key), _condition(expected))
        if value is None:
            mutation.putDelete(empty, empty)
        else:
            mutation.put(empty, empty, _java_bytes(value))
        mutations.add(mutation)
    failed: dict[bytes, str] = {}
    results = writer.write(mutations.iterator())
    accepted = _accepted()
    while results.hasNext():
        result = results.next()
        status = result.getStatus()
        if status is not accepted and not status.equals(accepted):
            failed[bytes(result.getMutation().getRow())] = str(status)
    return failed


def read_rows(iterator: Any, most: int) -> tuple[list[Row], bool]:
    """As `crossing.read_rows`."""
    rows: list[Row] = []
    size = 0
    while iterator.hasNext():
        entry = iterator.next()
        key = bytes(entry.getKey().getRowData().toArray())
        value = bytes(entry.getValue().get())
        rows.append((key, value))
        size += len(key) + len(value)
        if len(rows) == most or size >= PAGE_BYTES:
            return rows, False
    return rows, True


def read_keys(iterator: Any, most: int) -> tuple[list[bytes], bool]:
    """As `crossing.read_keys`."""
    keys: list[bytes] = []
    size = 0
    while iterator.hasNext():
        key = bytes(iterator.next().getKey().getRowData().toArray())
        keys.append(key)
        size += len(key)
        if len(keys) == most or size >= PAGE_BYTES:
            return keys, False
    return keys, True


def exact_ranges(keys: Iterable[bytes]) -> Any:
    """As `crossing.exact_ranges`."""
    ranges = java_class("java.util.ArrayList")()
    range_class, text_class = java_class(_DATA + "Range"), java_class("org.apache.hadoop.io.Text")
    for key in keys:
        ranges.add(range_class(text_class(_java_bytes(key))))
    return ranges


def _key_of(change: Change) -> bytes:
    return change[0]


def _java_bytes(data: bytes) -> Any:
    return _byte_array()(data)


@cache
def _byte_array() -> Any:
    return jpype.JArray(jpype.JByte)


@cache
def _empty() -> Any:
    return _java_bytes(b"")


@cache
def _accepted() -> Any:
    return java_class("org.apache.accumulo.core.client.ConditionalWriter$Status").ACCEPTED


def _condition(expected: bytes | object | None) -> Any:
    """What must hold of a row, as an array: the driver takes any number of conditions, but at least one."""
    if expected is ANYTHING:
        return _no_condition()
    condition = java_class(_DATA + "Condition")(_empty(), _empty())
    if expected is not None:
        condition = condition.setValue(_java_bytes(expected))  # type: ignore[arg-type]
    return jpype.JArray(java_class(_DATA + "Condition"))([condition])


@cache
def _no_condition() -> Any:
    """That a column is absent which no row has. Servers find that out without reading a file, since
    files know their column families."""
    condition_class = java_class(_DATA + "Condition")
    return jpype.JArray(condition_class)([condition_class("never", "")])
