"""How long a range of ten rows takes in a large table of the `local` backend."""

from __future__ import annotations

import random
import time
from contextlib import closing
from typing import Final

import kvlayer
from benchmarks.harness import Figure, Progress
from benchmarks.workload import KEY_TYPES, scattered_pairs
from kvlayer.keys import Key

ROWS: Final = 1_000_000
RANGE_ROWS: Final = 10
LIMIT_US: Final = 30

_TABLE: Final = "rows"
_RANGES: Final = 10_000


def measure(rows: int, rounds: int, progress: Progress) -> Figure:
    """The time that a range of ten rows takes in a large table of the `local` backend."""
    progress(f"local: loading {rows:,} rows")
    with closing(kvlayer.client("local://", app_name="kvlayer", namespace="benchmark")) as client:
        client.setup_namespace({_TABLE: KEY_TYPES})
        try:
            client.put_many(_TABLE, scattered_pairs(rows))
            keys = list(client.scan_keys(_TABLE))
            first = random.Random(1).choices(range(len(keys) - RANGE_ROWS), k=_RANGES)
            ranges = [(keys[at], keys[at + RANGE_ROWS - 1]) for at in first]
            seconds = []
            for number in range(1, rounds + 1):
                progress(f"local: round {number} of {rounds}, {_RANGES:,} ranges of {RANGE_ROWS} rows")
                seconds.append(_seconds(client, ranges))
        finally:
            client.delete_namespace()
    micros = [round_ / _RANGES * 1e6 for round_ in seconds]
    return Figure(
        f"local: a range of {RANGE_ROWS} rows among {rows:,}",
        min(micros),
        "µs",
        LIMIT_US,
        f"{min(micros):.1f}–{max(micros):.1f} in {rounds} rounds",
    )


def _seconds(client: kvlayer.Client, ranges: list[tuple[Key, Key]]) -> float:
    found = 0
    start = time.perf_counter()
    for ends in ranges:
        found += len(list(client.scan(_TABLE, ends)))
    seconds = time.perf_counter() - start
    if found != RANGE_ROWS * len(ranges):
        raise AssertionError(f"{found} rows instead of {RANGE_ROWS * len(ranges)}")
    return seconds
