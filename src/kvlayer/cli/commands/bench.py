"""`bench`: how fast the configured store is, through kvlayer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kvlayer.cli.commands import bench_results
from kvlayer.cli.commands.numbers import number, numbers, seconds, size, sizes
from kvlayer.cli.failures import DONE, CommandError
from kvlayer.cli.parser import CommandParser, Commands
from kvlayer.cli.store import chosen
from kvlayer.cli.terminal import is_terminal, say

if TYPE_CHECKING:
    from kvlayer.bench.results import Kind, Point
    from kvlayer.bench.workers import Progress

_NAMESPACE: Final = """\
Everything happens in a new namespace of the configured application, which is removed in the end.
--namespace names another one, which must hold no tables."""


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    bench = commands.group(
        "bench",
        summary="measure the store: throughput, latency, rates by batch size",
        details=_NAMESPACE,
        example="kvlayer --config kvlayer.yaml bench throughput --workers 2 --value-size 64KiB --values 20",
    )
    _add_throughput(bench)
    _add_rows(bench)
    _add_ycsb(bench)
    bench_results.add_commands(bench)


def _add_throughput(commands: Commands) -> None:
    parser = commands.add(
        "throughput",
        _throughput,
        summary="let many processes put large values, then read them back",
        usage="[--workers N,N,...] [--value-size SIZE] [--duration SECONDS] ...",
        details="Each worker is a process with a client of its own. All begin at the same moment, put values"
        "\nof random bytes under random UUIDs, then read them back in random order and compare them."
        f"\n\n{_NAMESPACE}",
        example="kvlayer --config kvlayer.yaml bench throughput --workers 1,2 --value-size 64KiB --values 20",
    )
    parser.add_argument(
        "--workers",
        metavar="N,N,...",
        type=numbers,
        default=(25, 50, 100),
        help="processes (default: 25,50,100)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=number, default=1, help="threads in each process (default: 1)"
    )
    parser.add_argument(
        "--value-size", metavar="SIZE", type=size, default=2**20, help="like 100kB or 1MiB (default: 1MiB)"
    )
    parser.add_argument(
        "--batch-size", metavar="N", type=number, default=1, help="values in one call (default: 1)"
    )
    parser.add_argument(
        "--duration",
        metavar="SECONDS",
        type=seconds,
        default=10.0,
        help="how long to put, and how long to read (default: 10)",
    )
    parser.add_argument(
        "--values", metavar="N", type=number, help="values for each thread, in place of a duration"
    )
    _add_stored(parser, "older values are overwritten beyond that")
    _add_start_timeout(parser)
    _add_results(parser)


def _add_rows(commands: Commands) -> None:
    parser = commands.add(
        "rows",
        _rows,
        summary="measure put, get, scan, scan_keys, delete and increment by batch size",
        usage="[--batch-size N,N,...] [--value-size SIZE,SIZE,...] ...",
        details="One client in a process of its own. What the store can't do is left blank, and so are"
        f"\nbatches that are larger than --stored.\n\n{_NAMESPACE}",
        example="kvlayer --config kvlayer.yaml bench rows --batch-size 1,100 --duration 0.1 --json rows.json",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N,N,...",
        type=numbers,
        default=(1, 10, 100, 1000, 10_000),
        help="rows in one call (default: 1,10,100,1000,10000)",
    )
    parser.add_argument(
        "--value-size", metavar="SIZE,SIZE,...", type=sizes, default=(100,), help="(default: 100)"
    )
    parser.add_argument(
        "--duration",
        metavar="SECONDS",
        type=seconds,
        default=1.0,
        help="most time for one operation at one batch size (default: 1)",
    )
    parser.add_argument(
        "--rows",
        metavar="N",
        type=number,
        default=100_000,
        help="most rows for one operation at one batch size (default: 100,000)",
    )
    _add_stored(parser, "larger batches are left out")
    _add_start_timeout(parser)
    _add_results(parser)


def _add_ycsb(commands: Commands) -> None:
    parser = commands.add(
        "ycsb",
        _ycsb,
        summary="run workloads of the Yahoo! Cloud Serving Benchmark, and measure latencies",
        usage="[--workload A,B,...] [--records N] [--target RATE] [--duration SECONDS] ...",
        details="A: half reads, half updates; B: 95% reads; C: reads alone; D: reads of what is new; E:\n"
        "short scans; F: read, change, write. With --target, a latency counts from the moment at which an\n"
        f"operation should have begun.\n\n{_NAMESPACE}",
        example="kvlayer --config kvlayer.yaml bench ycsb --workload A,E --records 500 --duration 0.3",
    )
    parser.add_argument(
        "--workload",
        metavar="X,Y,...",
        type=_letters,
        default=tuple("ABCDEF"),
        help="(default: all of A to F)",
    )
    parser.add_argument(
        "--records", metavar="N", type=number, default=10_000, help="rows to load first (default: 10,000)"
    )
    parser.add_argument(
        "--value-size", metavar="SIZE", type=size, default=1000, help="of each row (default: 1000)"
    )
    parser.add_argument(
        "--duration", metavar="SECONDS", type=seconds, default=10.0, help="of each run (default: 10)"
    )
    parser.add_argument("--operations", metavar="N", type=number, help="of each run, in place of a duration")
    parser.add_argument(
        "--target",
        metavar="RATE",
        type=float,
        help="operations a second of all workers together (default: as many as they can)",
    )
    parser.add_argument(
        "--distribution",
        choices=("zipfian", "latest", "uniform"),
        help="which rows are asked for how often (default: as the workload has it)",
    )
    parser.add_argument("--workers", metavar="N", type=number, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--threads", metavar="N", type=number, default=1, help="threads in each process (default: 1)"
    )
    _add_start_timeout(parser)
    _add_results(parser)


def _add_stored(parser: CommandParser, beyond: str) -> None:
    parser.add_argument(
        "--stored",
        metavar="SIZE",
        type=size,
        default=2**30,
        help=f"most bytes of values in the store at a time; {beyond} (default: 1GiB)",
    )


def _add_start_timeout(parser: CommandParser) -> None:
    parser.add_argument(
        "--start-timeout",
        metavar="SECONDS",
        type=seconds,
        default=60.0,
        help="in which each worker must reach the store (default: 60)",
    )


def _add_results(parser: CommandParser) -> None:
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the result to this file too")
    parser.add_argument("--plot", metavar="FOLDER", type=Path, help="draw the result into this folder too")


def _letters(text: str) -> tuple[str, ...]:
    return tuple(word.strip().upper() for word in text.split(","))


def _throughput(arguments: argparse.Namespace) -> int:
    from kvlayer.bench import throughput

    options = throughput.Options(
        workers=arguments.workers,
        threads=arguments.threads,
        value_size=arguments.value_size,
        batch_size=arguments.batch_size,
        duration=arguments.duration,
        values=arguments.values,
        stored=arguments.stored,
    )
    share = options.share(max(options.workers))
    say(f"each thread keeps {share} values at most in the store, and overwrites its oldest ones then")
    length = None if options.values else options.duration
    return _run(arguments, "throughput", throughput.measure, options, length)


def _rows(arguments: argparse.Namespace) -> int:
    from kvlayer.bench import rows

    options = rows.Options(
        batch_sizes=arguments.batch_size,
        value_sizes=arguments.value_size,
        duration=arguments.duration,
        rows=arguments.rows,
        stored=arguments.stored,
    )
    return _run(arguments, "rows", rows.measure, options, options.duration)


def _ycsb(arguments: argparse.Namespace) -> int:
    from kvlayer.bench import ycsb

    options = ycsb.Options(
        workloads=arguments.workload,
        records=arguments.records,
        value_size=arguments.value_size,
        duration=arguments.duration,
        operations=arguments.operations,
        target=arguments.target,
        distribution=arguments.distribution,
        workers=arguments.workers,
        threads=arguments.threads,
    )
    length = None if options.operations else options.duration
    return _run(arguments, "ycsb", ycsb.measure, options, length)


def _run(
    arguments: argparse.Namespace,
    kind: Kind,
    measure: Callable[..., Iterable[Point]],
    options: Any,
    phase_seconds: float | None,
) -> int:
    """Measures by the `measure` of that kind, and gives the results wherever they were asked for."""
    from datetime import UTC, datetime

    import msgspec

    from kvlayer.bench.results import Run, write_run
    from kvlayer.bench.store import bench_store

    _require_places(arguments)
    began = datetime.now(UTC)
    with (
        bench_store(chosen(arguments), app_name=arguments.app_name, namespace=arguments.namespace) as store,
        _progress(phase_seconds) as report,
    ):
        points = list(measure(store, options, start_seconds=arguments.start_timeout, progress=report))
    run = Run(
        kind=kind,
        storage_type=store.storage_type,
        when=began,
        parameters=msgspec.to_builtins(options),
        environment=store.environment,
        points=points,
    )
    bench_results.show(run)
    if arguments.json is not None:
        write_run(run, arguments.json)
    if arguments.plot is not None:
        bench_results.draw([run], arguments.plot)
    return DONE


def _require_places(arguments: argparse.Namespace) -> None:
    """What would keep the results from being written is told before they are measured."""
    from importlib.util import find_spec

    if arguments.json is not None and not arguments.json.absolute().parent.is_dir():
        raise CommandError(f"--json {arguments.json}: there is no such folder")
    if arguments.plot is not None and find_spec("matplotlib") is None:
        raise ModuleNotFoundError(name="matplotlib")


@contextmanager
def _progress(phase_seconds: float | None) -> Iterator[Callable[[Progress], None] | None]:
    """What the workers report to: a bar at a terminal; None where nobody looks."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from kvlayer.cli.bench_bars import BenchBar

    bar = BenchBar(phase_seconds)
    try:
        yield bar.report
    finally:
        bar.end()
