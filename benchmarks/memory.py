"""The peak memory of a process that moves millions of rows through a backend.

`python -m benchmarks.memory put_many|scan ROWS` is the process that is measured. It is told by standard
input which store to use, and prints, as JSON, its peak in megabytes before the first row and at the end,
and the seconds between.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import kvlayer
from benchmarks.harness import Figure, Progress
from benchmarks.stores import WITH_SERVER, comparison
from benchmarks.stores.sqlite import configuration
from benchmarks.workload import KEY_TYPES, scattered_pairs

ROWS: Final = 5_000_000
ROWS_WITH_SERVER: Final = 1_000_000
LIMIT_MB: Final = 150
LIMIT_WITH_JAVA_MB: Final = 500
"""For the stores whose driver runs in a Java virtual machine inside the process: it and its heap."""

_TABLE: Final = "rows"


def measure(rows: int, progress: Progress) -> list[Figure]:
    """The peak memory of a process that writes, and of one that scans, so many rows on `sqlite`."""
    with tempfile.TemporaryDirectory() as directory:
        return _measure(configuration(Path(directory, "memory.db")), rows, progress)


def measure_with_server(rows: int, progress: Progress) -> list[Figure]:
    """The same on each store that needs a server, whose memory is not counted."""
    figures = []
    for store in WITH_SERVER:
        server = comparison(store).server
        assert server is not None
        with server() as config:
            figures += _measure(config, rows, progress)
    return figures


def _measure(config: Mapping[str, Any], rows: int, progress: Progress) -> list[Figure]:
    figures = []
    store = config["storage_type"]
    for operation in _MEASURED:
        progress(f"{store}: {operation} of {rows:,} rows in a process of its own")
        answer = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.memory", operation, str(rows)],
            check=True,
            input=json.dumps(config).encode(),
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        before, peak, seconds = json.loads(answer.stdout)
        figures.append(
            Figure(
                f"{store}: peak memory of {operation} of {rows:,} rows",
                peak,
                "MB",
                LIMIT_WITH_JAVA_MB if store == "accumulo" else LIMIT_MB,
                f"{before:.0f} MB before the first row; {rows / seconds:,.0f} rows a second",
            )
        )
    return figures


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in megabytes (10**6 bytes).

    Linux carries what getrusage says from a parent over to the program that it starts, so there the
    process's own high-water mark is read instead.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def _put_many(client: kvlayer.Client, rows: int) -> int:
    return client.put_many(_TABLE, scattered_pairs(rows))


def _scan(client: kvlayer.Client, rows: int) -> int:
    return sum(1 for _ in client.scan(_TABLE))


_MEASURED: Final[dict[str, Callable[[kvlayer.Client, int], int]]] = {"put_many": _put_many, "scan": _scan}


def _measured_process(operation: str, rows: int) -> None:
    config = json.load(sys.stdin)
    with closing(kvlayer.client(config, app_name="kvlayer", namespace="benchmark")) as client:
        client.setup_namespace({_TABLE: KEY_TYPES})
        before, start = peak_memory(), time.perf_counter()
        count = _MEASURED[operation](client, rows)
        seconds = time.perf_counter() - start
    if count != rows:
        raise AssertionError(f"{operation}: {count} rows instead of {rows}")
    print(json.dumps([before, peak_memory(), seconds]))


if __name__ == "__main__":
    _measured_process(sys.argv[1], int(sys.argv[2]))
