"""Rows between Python and Java: encoded keys and values ↔ mutations, ranges and entries.

A row of kvlayer is a row of Accumulo with one column, whose family, qualifier and visibility are empty. Many
rows cross in one of two ways: `by_batch`, with the help of a Java class that comes with kvlayer, or `by_row`
where a virtual machine that others started doesn't know that class.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import jpype

from kvlayer.backends.accumulo import by_batch, by_row, jvm
from kvlayer.backends.accumulo.changes import Change
from kvlayer.backends.base import Row


def put(writer: Any, rows: Sequence[Row]) -> None:
    """Sends rows by a BatchWriter, and waits until they are written."""
    way().put(writer, rows)


def delete(writer: Any, keys: Sequence[bytes]) -> None:
    """Removes rows by a BatchWriter, and waits until they are gone."""
    way().delete(writer, keys)


def change(writer: Any, changes: Sequence[Change]) -> dict[bytes, str]:
    """Makes changes by a ConditionalWriter, each by itself; the keys where that failed, and the status.

    Raises what the driver raises where it can't tell the status.
    """
    failed: dict[bytes, str] = way().change(writer, changes)
    return failed


def read_rows(iterator: Any, most: int) -> tuple[list[Row], bool]:
    """Up to `most` rows, or PAGE_BYTES of them, of a scanner's iterator; and whether that was all."""
    rows: tuple[list[Row], bool] = way().read_rows(iterator, most)
    return rows


def read_keys(iterator: Any, most: int) -> tuple[list[bytes], bool]:
    """As `read_rows`, for keys alone."""
    keys: tuple[list[bytes], bool] = way().read_keys(iterator, most)
    return keys


def exact_ranges(keys: Sequence[bytes]) -> Any:
    """A Java list of one range for each key."""
    return way().exact_ranges(keys)


def range_of(start: bytes, stop: bytes | None) -> Any:
    """The range start <= row < stop; None: to the end."""
    end = jpype.JObject(None, _text_class()) if stop is None else text(stop)
    return jvm.java_class("org.apache.accumulo.core.data.Range")(text(start), True, end, False)


def text(row: bytes) -> Any:
    """A row's id, or a split point, as the driver takes it."""
    return _text_class()(jpype.JArray(jpype.JByte)(row))


@cache
def way() -> ModuleType:
    """The module that does the crossing in this process."""
    return by_batch if jvm.has_class(by_batch.HELPER) else by_row


@cache
def _text_class() -> Any:
    return jvm.java_class("org.apache.hadoop.io.Text")
