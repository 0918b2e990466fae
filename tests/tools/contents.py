"""What the tests of the tools fill tables with, and look for afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product
from typing import Any, Final
from uuid import UUID

import kvlayer
from kvlayer.testing import nasty

Rows = dict[str, list[tuple[Any, Any]]]

TABLES: Final[dict[str, Any]] = {
    "texts": (str, bytes),
    "numbers": (float, int),
    "ids": (UUID,),
    "counts": (str,),
    "sums": (int,),
    "empty": (str,),
    "_ 'na\nme\U0001f4a9": (bytes,),
}
VALUE_TYPES: Final[dict[str, Any]] = {
    "numbers": str,
    "ids": int,
    "counts": kvlayer.COUNTER,
    "sums": kvlayer.ACCUMULATOR,
}


def fill(client: kvlayer.Client) -> None:
    """Makes tables of all types, with keys and values that have broken stores before."""
    client.setup_namespace(TABLES, VALUE_TYPES)
    texts = product(nasty.STRINGS, nasty.BYTES)
    client.put_many("texts", ((key, nasty.BYTES[n % len(nasty.BYTES)] * n) for n, key in enumerate(texts)))
    numbers = product(nasty.FLOATS, nasty.INTS)
    client.put_many(
        "numbers", ((key, nasty.STRINGS[n % len(nasty.STRINGS)]) for n, key in enumerate(numbers))
    )
    client.put("ids", *(((key,), key.int * (-1) ** n) for n, key in enumerate(nasty.UUIDS)))
    client.put("counts", *(((key,), n - 3) for n, key in enumerate(nasty.STRINGS)))
    client.put("sums", *(((key,), nasty.FLOATS[n % len(nasty.FLOATS)]) for n, key in enumerate(nasty.INTS)))
    client.put("_ 'na\nme\U0001f4a9", *(((key,), key) for key in nasty.BYTES))


def rows_of(client: kvlayer.Client) -> Rows:
    """All rows of all tables."""
    return {info.name: list(client.scan(info.name)) for info in client.tables()}


def many(client: kvlayer.Client, rows: int, table: str = "many") -> None:
    """A table of so many rows, in several pages."""
    client.setup_namespace({table: (int,)})
    client.put_many(table, (((number,), b"%d" % number * 5) for number in range(rows)))


def wait_until(happened: Callable[[], bool]) -> None:
    """Returns once `happened()`; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)
