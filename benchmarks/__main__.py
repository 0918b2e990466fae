"""The command `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import batch_sizes, endurance, memory, report, small_range, transfer
from benchmarks.harness import Figure, Grid, Measurement, Progress, Standing, compare
from benchmarks.report import Results
from benchmarks.stores import EMBEDDED, WITH_SERVER, comparison
from benchmarks.workload import Workload

_DESCRIPTION: Final = """\
Measures kvlayer against the bare stores below it, in one run, and prints how they compare.

Sections (all but the last, unless --only names some):
  sqlite   put, get, scan, scan_keys, delete against the sqlite3 module
  local    the same against a sorted dict
  keys     encode and decode against FoundationDB's tuple layer (needs the package foundationdb)
  range    the time of a range of ten rows in a large table in memory
  batches  what a row costs in batches of 1 to 10,000
  memory   peak memory of put_many and scan of millions of rows, on sqlite, redis and postgres; takes minutes
  dump     what a row costs to dump from a database file
  redis    like sqlite, against redis-py; starts a redis-server for it
  postgres like sqlite, against psycopg; starts a PostgreSQL server for it
  accumulo like sqlite, against Accumulo's Java client through JPype; starts a cluster for it
  riak     the client's CPU time for a row, on the double of a cluster that the tests have
  copy     copies between stores against the slower side's own bulk rate; starts both servers
  alternatives
           what people would use instead, among those whose rows are equally safe: diskcache, sqlitedict,
           shelve, py-key-value-aio, opendal, dicts, plain drivers row by row (needs their packages)
  throughput
           25 to 100 workers that put, then read back, values of 1 MiB, on redis, postgres and accumulo
  rates    all operations by batch size, on each store
  ycsb     the workloads of YCSB with four clients, on each store but local
  endurance
           memory and pace while ten million rows are written, scanned and copied; takes a quarter of an hour

Times are microseconds for a row, of kvlayer and of what it is compared with; of the best round.
A ratio of 0.8 says that kvlayer moves rows at 0.8 times the rate of the bare store. It is that of
the best rounds; "in rounds" gives the smallest and the largest of any round. Where these lie far apart the
machine was busy: run again.
"""

_EXAMPLES: Final = """\
examples:
  python -m benchmarks                                         all of it; some forty minutes
  python -m benchmarks --only sqlite --only local              two sections
  python -m benchmarks --only sqlite --rows 20000 --rounds 1   a first look
  python -m benchmarks --markdown docs/performance.md          write the figures into the document
"""


def _keys(progress: Progress) -> list[Measurement]:
    from benchmarks import keys  # needs a package that the tests do without

    results = []
    for types in keys.SCHEMAS:
        name = f"({', '.join(part.__name__ for part in types)}{',' * (len(types) == 1)})"
        progress(f"keys: {name}")
        results += [
            Measurement(
                subject=name,
                operation=result.operation,
                baseline="foundationdb tuple layer",
                kvlayer_us=result.kvlayer_ns / 1000,
                baseline_us=result.fdb_ns / 1000,
                ratios=result.ratios,
                target=2.0,
            )
            for result in keys.measure(types)
        ]
    return results


def _riak(options: argparse.Namespace, progress: Progress) -> list[Figure]:
    from benchmarks import riak  # and so does this one

    return riak.measure(options.rows, options.batch_size, options.rounds, progress)


def _compared(options: argparse.Namespace, progress: Progress) -> list[Measurement]:
    from benchmarks.stores import accumulo  # and it does

    workload = Workload.make(options.rows, options.batch_size)
    return compare(accumulo.COMPARED, workload, options.rounds, progress)


def _alternatives(options: argparse.Namespace, progress: Progress) -> list[Standing]:
    from benchmarks.alternatives import groups, measuring  # and they do, too
    from benchmarks.alternatives.rows import Rows

    rows = Rows.make(min(options.rows, _MOST_ALTERNATIVE_ROWS), options.batch_size)
    return [
        standing
        for group in groups.GROUPS
        for standing in measuring.measure(group, rows, options.rounds, progress)
    ]


def _side_by_side(name: str, options: argparse.Namespace, progress: Progress) -> list[Grid]:
    from benchmarks import side_by_side as sides  # and it does as well

    runs, grid = getattr(sides, f"{name}_of_stores")(options.seconds, progress)
    if options.markdown is not None:
        sides.draw(runs, options.markdown.with_suffix(""))
    return [grid]


def _sections(options: argparse.Namespace, progress: Progress) -> dict[str, Callable[[], Results]]:
    """What each section runs, in the order in which they run."""

    def comparing(store: str) -> Callable[[], Results]:
        return lambda: compare(
            comparison(store), Workload.make(options.rows, options.batch_size), options.rounds, progress
        )

    return {
        **{store: comparing(store) for store in EMBEDDED},
        "keys": lambda: _keys(progress),
        "range": lambda: [small_range.measure(options.range_rows, options.rounds, progress)],
        "batches": lambda: batch_sizes.measure(
            [comparison(store) for store in EMBEDDED], options.rows, options.rounds, progress
        ),
        "memory": lambda: [
            *memory.measure(options.memory_rows, progress),
            *memory.measure_with_server(min(options.memory_rows, memory.ROWS_WITH_SERVER), progress),
        ],
        "dump": lambda: transfer.measure_dump(options.rows, options.rounds, progress),
        **{store: comparing(store) for store in WITH_SERVER},
        "accumulo": lambda: [*comparing("accumulo")(), *_compared(options, progress)],
        "riak": lambda: _riak(options, progress),
        "copy": lambda: transfer.measure_copies(options.rows, options.rounds, progress),
        "alternatives": lambda: _alternatives(options, progress),
        **{name: partial(_side_by_side, name, options, progress) for name in _SIDE_BY_SIDE},
        "endurance": lambda: endurance.measure(options.endurance_rows, progress),
    }


_SIDE_BY_SIDE: Final = ("throughput", "rates", "ycsb")

_SECTIONS: Final = (
    *EMBEDDED,
    "keys",
    "range",
    "batches",
    "memory",
    "dump",
    *WITH_SERVER,
    "riak",
    "copy",
    "alternatives",
    *_SIDE_BY_SIDE,
)

_MOST_ALTERNATIVE_ROWS: Final = 10_000  # some of them take a millisecond for a row

_ONLY_IF_NAMED: Final = ("endurance",)


def _at_least_1(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    numbers = (
        ("--rows", 200_000, "rows that each operation moves (default: %(default)s)"),
        ("--batch-size", 1000, "rows in a put, keys in a get or delete (default: %(default)s)"),
        ("--rounds", 3, "each begins with fresh tables; the best one counts (default: %(default)s)"),
        ("--range-rows", small_range.ROWS, "rows in the table of section range (default: %(default)s)"),
        ("--memory-rows", memory.ROWS, "rows in the table of section memory (default: %(default)s)"),
        ("--seconds", 5, "of each measurement of throughput and ycsb (default: %(default)s)"),
        ("--endurance-rows", endurance.ROWS, "rows of section endurance (default: %(default)s)"),
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=_SECTIONS + _ONLY_IF_NAMED,
        help="run this section; may be repeated",
    )
    for flag, default, text in numbers:
        parser.add_argument(flag, type=_at_least_1, default=default, metavar="N", help=text)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures, round by round, as JSON"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write each section's table between its two markers in this document, and plots into the folder"
        " of the same name",
    )
    return parser


def _warn_if_busy(console: Console) -> None:
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        console.print(f"load average {load:.1f} on {cores} cores: other programs will disturb the figures")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the sections asked for, prints each as soon as it is done, and writes the files at the end."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    console, errors = Console(), Console(stderr=True)
    _warn_if_busy(errors)
    facts = report.environment()
    console.print(f"{report.describe(facts)}; best of {options.rounds} rounds")
    results: dict[str, Results] = {}
    with errors.status("") as status:

        def progress(text: str) -> None:
            status.update(text)
            if not errors.is_terminal:
                errors.print(text)

        for name, run in _sections(options, progress).items():
            if name in (options.only or _SECTIONS):
                results[name] = run()
                report.show(console, name, results[name])
    if options.json is not None:
        options.json.write_text(report.as_json(facts, results) + "\n", "utf-8")
    if options.markdown is not None:
        command = "make bench" + f' ARGS="{_without_files(given)}"' * bool(_without_files(given))
        report.rewrite(
            options.markdown,
            {name: report.as_markdown(facts, command, found) for name, found in results.items()},
        )


def _without_files(given: Sequence[str]) -> str:
    """The arguments that matter to the figures; where they were written to doesn't."""
    kept, skip = [], False
    for argument in given:
        if not skip and not argument.startswith(("--json", "--markdown")):
            kept.append(argument)
        skip = argument in ("--json", "--markdown")
    return " ".join(kept)


if __name__ == "__main__":
    main()
