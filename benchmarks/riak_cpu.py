"""What a row costs the Riak backend's own process: CPU time, not waiting for the cluster.

`python -m benchmarks.riak_cpu` starts the double of the tests in a process of its own, so that only the
client's work is counted; `--address host:port` uses a real node. `--profile` prints where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import kvlayer
from benchmarks.workload import KEY_TYPES, Workload

DOUBLE = Path(__file__).parents[1] / "tests" / "riak_double"
TARGETS = {"put": 60.0, "get": 60.0, "scan": 6.0}


@contextmanager
def double(request_seconds: float) -> Iterator[str]:
    """The address of a double that runs meanwhile, and takes so long for each request."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    knobs = json.dumps({"request_seconds": request_seconds})
    process = subprocess.Popen([sys.executable, DOUBLE, "--port", str(port), "--knobs", knobs])  # noqa: S603
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def measure(kvl: kvlayer.Client, workload: Workload) -> dict[str, float]:
    """Operation → microseconds of this process's CPU for each row."""
    kvl.setup_namespace({"rows": KEY_TYPES})
    batches = workload.plain

    def put() -> None:
        for batch in batches.put:
            kvl.put("rows", *batch)

    def get() -> None:
        for batch in batches.get:
            for _ in kvl.get("rows", *batch):
                pass

    def scan() -> None:
        for _ in kvl.scan("rows"):
            pass

    operations: dict[str, Callable[[], None]] = {"put": put, "get": get, "scan": scan}
    return {name: _cpu_seconds(operation) / workload.rows * 1e6 for name, operation in operations.items()}


def _cpu_seconds(operation: Callable[[], None]) -> float:
    start = time.process_time()
    operation()
    return time.process_time() - start


def main() -> None:
    """Prints the figures of the best round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.riak_cpu", description=__doc__)
    parser.add_argument("--address", help="host:port of a real node (default: the double)")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--request-seconds",
        type=float,
        default=0.0,
        help="how long the double takes for each request; a real node, about 0.007 when 16 are under way",
    )
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    workload = Workload.make(options.rows, 1000)
    if options.address:
        run(options.address, workload, options.rounds, options.profile)
    else:
        with double(options.request_seconds) as address:
            run(address, workload, options.rounds, options.profile)


def run(address: str, workload: Workload, rounds: int, profile: bool) -> None:
    """Measures on a cluster of this address."""
    config = {"storage_type": "riak", "storage_addresses": [address]}
    with kvlayer.client(config, app_name="kvlayer", namespace="benchmark") as kvl:
        kvl.delete_namespace()
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        results = [measure(kvl, workload) for _ in range(rounds)]
        profiler.disable()
        kvl.delete_namespace()
    for name, target in TARGETS.items():
        best = min(result[name] for result in results)
        print(f"{name:<5} {best:6.1f} µs of CPU for a row (aim: at most {target:g})")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
