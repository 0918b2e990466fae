"""What a row costs the `riak` backend's own process: CPU time, not waiting for the cluster.

The cluster is the double of the tests, in a process of its own, so that only the client's work is counted;
once it answers at once, and once as slowly as a real node does on each of 16 busy connections.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import kvlayer
from benchmarks.harness import Figure, Progress
from benchmarks.workload import KEY_TYPES, Workload

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from riak_double.process import running  # the tests know how to start one

LIMITS_US: Final = {"put": 60.0, "get": 60.0, "scan": 6.0}

_REQUEST_SECONDS: Final = {"answers at once": 0.0, "7 ms for each request": 0.007}
_MOST_ROWS: Final = 10_000  # a slow cluster takes its time
_TABLE: Final = "rows"


def measure(rows: int, batch_size: int, rounds: int, progress: Progress) -> list[Figure]:
    """The CPU time of the best round for each operation, on a quick and on a slow cluster."""
    workload = Workload.make(min(rows, _MOST_ROWS), batch_size)
    figures = []
    for name, seconds in _REQUEST_SECONDS.items():
        with running(request_seconds=seconds) as addresses:
            results = []
            for number in range(1, rounds + 1):
                progress(f"riak, {name}: round {number} of {rounds}, {workload.rows:,} rows")
                results.append(_round({"storage_type": "riak", "storage_addresses": addresses}, workload))
        for operation, limit in LIMITS_US.items():
            times = [result[operation] for result in results]
            note = f"{min(times):.1f}–{max(times):.1f} in {rounds} rounds"
            figures.append(Figure(f"{operation}, {name}", min(times), "µs of CPU a row", limit, note))
    return figures


def _round(config: dict[str, Any], workload: Workload) -> dict[str, float]:
    """Operation → microseconds of this process's CPU for each row, in a new namespace."""
    with kvlayer.client(config, app_name="kvlayer", namespace="benchmark") as kvl:
        kvl.setup_namespace({_TABLE: KEY_TYPES})

        def put() -> None:
            for batch in workload.plain.put:
                kvl.put(_TABLE, *batch)

        def get() -> None:
            for batch in workload.plain.get:
                deque(kvl.get(_TABLE, *batch), maxlen=0)

        def scan() -> None:
            deque(kvl.scan(_TABLE), maxlen=0)

        operations: dict[str, Callable[[], None]] = {"put": put, "get": get, "scan": scan}
        result = {name: _cpu_seconds(act) / workload.rows * 1e6 for name, act in operations.items()}
        kvl.delete_namespace()
    return result


def _cpu_seconds(act: Callable[[], None]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start
