"""How long a range of ten rows takes in a large table of the `local` backend."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, Final

from sortedcontainers import SortedDict

import kvlayer
from benchmarks.harness import Figure, Progress
from benchmarks.workload import KEY_TYPES, scattered_pairs
from kvlayer.keys import Key, KeyCodec

ROWS: Final = 1_000_000
RANGE_ROWS: Final = 10
LIMIT_US: Final = 30

_TABLE: Final = "rows"
_RANGES: Final = 10_000


def measure(rows: int, rounds: int, progress: Progress) -> Figure:
    """The time of one range, at random places: the median of each round, in the best round."""
    progress(f"local: loading {rows:,} rows")
    encode = KeyCodec(KEY_TYPES, _TABLE).encode
    bare: SortedDict[bytes, bytes] = SortedDict((encode(key), value) for key, value in scattered_pairs(rows))
    with closing(kvlayer.client("local://", app_name="kvlayer", namespace="benchmark")) as client:
        client.setup_namespace({_TABLE: KEY_TYPES})
        try:
            client.put_many(_TABLE, scattered_pairs(rows))
            keys = list(client.scan_keys(_TABLE))
            medians, bare_medians = [], []
            for number in range(1, rounds + 1):
                progress(f"local: round {number} of {rounds}, {_RANGES:,} ranges of {RANGE_ROWS} rows")
                starts = random.Random(number).choices(range(len(keys) - RANGE_ROWS + 1), k=_RANGES)
                ends = [(keys[start], keys[start + RANGE_ROWS - 1]) for start in starts]
                encoded = [(encode(first), encode(last)) for first, last in ends]
                medians.append(_median(partial(_scan, client), ends))
                bare_medians.append(_median(partial(_look_up, bare), encoded))
        finally:
            client.delete_namespace()
    return Figure(
        f"local: a range of {RANGE_ROWS} rows among {rows:,}",
        min(medians),
        "µs",
        LIMIT_US,
        f"median; {min(medians):.1f}–{max(medians):.1f} in {rounds} rounds;"
        f" a SortedDict of bytes: {min(bare_medians):.1f} µs",
    )


def _scan(client: kvlayer.Client, ends: tuple[Key, Key]) -> list[tuple[Key, Any]]:
    return list(client.scan(_TABLE, ends))


def _look_up(rows: SortedDict[bytes, bytes], ends: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(key, rows[key]) for key in rows.irange(*ends)]


def _median(read: Callable[[Any], list[Any]], ranges: list[Any]) -> float:
    """The median of the microseconds that the ranges take."""
    seconds = []
    for ends in ranges:
        start = time.perf_counter()
        found = read(ends)
        seconds.append(time.perf_counter() - start)
        if len(found) != RANGE_ROWS:
            raise AssertionError(f"{len(found)} rows instead of {RANGE_ROWS}")
    return statistics.median(seconds) * 1e6
