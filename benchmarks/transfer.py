"""Whole tables: `dump` from a file, and `copy` between stores against the slower side's own rate.

What a copy is compared with is the larger of two times: that of reading all pages of the source, and that
of writing the same pages to an empty table of the destination, one after the other, both by the backends
and without decoding a row.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import kvlayer
from benchmarks.harness import Figure, Measurement, Progress
from benchmarks.stores.sqlite import configuration
from benchmarks.workload import KEY_TYPES, scattered_pairs
from kvlayer import tools
from kvlayer.tools.raw import RawTable

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the tests know how to start servers

COPIES: Final = (("sqlite", "redis"), ("redis", "postgres"))
"""From which store to which."""

_TABLE: Final = "rows"
_LEAST_SHARE: Final = 0.7
_DUMP_LIMIT_US: Final = 10.0  # 100,000 rows a second


def measure_dump(rows: int, rounds: int, progress: Progress) -> list[Figure]:
    """What a row costs to dump from a database file into a file."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        source = _client(stack, configuration(Path(directory, "source.db")), "source")
        _fill(source, rows)
        seconds = []
        for number in range(1, rounds + 1):
            progress(f"sqlite: dump, round {number} of {rounds}, {rows:,} rows")
            with Path(directory, "dump").open("wb") as file:
                seconds.append(_seconds(partial(tools.dump, source, file)))
    return [
        Figure(
            f"sqlite: dump of {rows:,} rows",
            min(seconds) / rows * 1e6,
            "µs a row",
            _DUMP_LIMIT_US,
            f"{rows / min(seconds):,.0f} rows a second",
        )
    ]


def measure_copies(rows: int, rounds: int, progress: Progress) -> list[Measurement]:
    """What a row costs to copy, with the default number of jobs; needs servers."""
    with _stores() as stores, ExitStack() as stack:
        results = []
        for first, second in COPIES:
            source = _client(stack, stores[first], "source")
            _fill(source, rows)
            times = []
            for number in range(1, rounds + 1):
                progress(f"{first} to {second}: copy, round {number} of {rounds}, {rows:,} rows")
                times.append(_copy_and_bulk(source, stores[second]))
            results.append(
                Measurement(
                    subject=f"{first} to {second}",
                    operation="copy",
                    baseline="the slower side alone",
                    kvlayer_us=min(mine for mine, _ in times) / rows * 1e6,
                    baseline_us=min(bulk for _, bulk in times) / rows * 1e6,
                    ratios=[bulk / mine for mine, bulk in times],
                    target=_LEAST_SHARE,
                )
            )
        return results


def _copy_and_bulk(source: kvlayer.Client, config: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds of a copy to an empty namespace, and of the slower side alone."""
    with ExitStack() as stack:
        table = RawTable(source, _TABLE)
        reading = _seconds(lambda: deque(table.rows(b"", None), maxlen=0))
        bulk = _client(stack, config, "bulk")
        bulk.setup_namespace({_TABLE: KEY_TYPES})
        target = RawTable(bulk, _TABLE)
        writing = 0.0
        for page in table.rows(b"", None):
            begin = time.perf_counter()
            target.put(page)
            writing += time.perf_counter() - begin
        bulk.delete_namespace()
        copied = _client(stack, config, "copied")
        seconds = _seconds(lambda: tools.copy(source, copied))
        if not tools.verify(source, copied).equal:
            raise AssertionError(f"the copy to {copied!r} differs")
        copied.delete_namespace()
    return seconds, max(reading, writing)


def _fill(client: kvlayer.Client, rows: int) -> None:
    client.setup_namespace({_TABLE: KEY_TYPES})
    client.put_many(_TABLE, scattered_pairs(rows))


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def _client(stack: ExitStack, config: Mapping[str, Any], namespace: str) -> kvlayer.Client:
    return stack.enter_context(kvlayer.client(config, app_name="benchmark", namespace=namespace))


@contextmanager
def _stores() -> Iterator[dict[str, dict[str, Any]]]:
    """The configuration of each store; servers run as long as the context."""
    from servers.postgres import PostgresServer  # they need drivers
    from servers.redis import RedisServer

    with (
        tempfile.TemporaryDirectory() as directory,
        RedisServer("--appendonly", "yes") as redis,
        PostgresServer() as postgres,
    ):
        yield {
            "sqlite": configuration(Path(directory, "source.db")),
            "redis": redis.config,
            "postgres": postgres.config,
        }
