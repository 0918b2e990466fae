"""What a row costs at each batch size, for those who choose one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from benchmarks.harness import Comparison, Measurement, Progress, compare
from benchmarks.workload import Workload

SIZES: Final = (1, 10, 100, 1000, 10_000)

_MOST_ROWS: Final = 20_000  # the same for each size, and few: batches of one row take their time


def measure(
    comparisons: Sequence[Comparison], rows: int, rounds: int, progress: Progress
) -> list[Measurement]:
    """Puts and gets on each store, in batches of each size."""
    results: list[Measurement] = []
    for size in SIZES:
        workload = Workload.make(min(rows, _MOST_ROWS), size)
        for comparison in comparisons:
            without_targets = replace(comparison, targets={})
            results += compare(without_targets, workload, rounds, progress, ("put", "get"))
    return sorted(results, key=lambda result: (result.subject, result.operation))
