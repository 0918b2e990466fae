"""`backends` and `ping`: which stores there are, and whether one answers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import yakonfig
from kvlayer import backends
from kvlayer.backends.overview import facts
from kvlayer.cli.commands.arguments import add_table_format
from kvlayer.cli.failures import DONE, CommandError
from kvlayer.cli.parser import Commands
from kvlayer.cli.store import open_client
from kvlayer.cli.terminal import duration, print_table


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    stores = commands.add(
        "backends",
        _backends,
        summary="list the storage types known here, and what each can do",
        usage="[--format table|json]",
        example="kvlayer backends",
    )
    add_table_format(stores)

    ping = commands.add(
        "ping",
        _ping,
        summary="connect to the store, and measure how long it takes to answer",
        usage="[--count N] [--format table|json]",
        details="The exit status is 0 if it answers and 3 if it doesn't.",
        example="kvlayer --config kvlayer.yaml ping",
    )
    ping.add_argument("--count", "-n", metavar="N", type=int, default=5, help="round trips (default: 5)")
    add_table_format(ping)


def _backends(arguments: argparse.Namespace) -> int:
    found = [_backend(name) for name in backends.storage_types()]
    if arguments.format == "json":
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return DONE
    usable = [store for store in found if store["capabilities"] is not None]
    if usable:
        titles = list(usable[0]["capabilities"])
        names = [store["storage_type"] for store in usable]
        # A store is a column: there are more capabilities than stores, and terminals are higher than wide.
        lines = [[title, *(store["capabilities"][title] for store in usable)] for title in titles]
        print_table(["storage type", *names], lines)
    unusable = [store for store in found if store["problem"] is not None]
    if unusable:
        sys.stdout.write("\n")
        print_table(
            ["storage type", "not usable here"], [[s["storage_type"], s["problem"]] for s in unusable]
        )
    return DONE


def _backend(name: str) -> dict[str, Any]:
    try:
        backend = backends.load(name)
    except yakonfig.ConfigurationError as error:
        return {"storage_type": name, "problem": str(error), "capabilities": None}
    capabilities = getattr(backend, "capabilities", None)
    if capabilities is None:
        return {"storage_type": name, "problem": "tells what it can do once connected", "capabilities": None}
    return {"storage_type": name, "problem": None, "capabilities": facts(capabilities)}


def _ping(arguments: argparse.Namespace) -> int:
    from statistics import median

    if arguments.count < 1:
        raise CommandError("--count is at least 1")
    with open_client(arguments) as client:
        began = time.perf_counter()
        facts_of_store = client.ping()
        connecting = time.perf_counter() - began
        times = []
        for _ in range(arguments.count):
            began = time.perf_counter()
            client.ping()
            times.append(time.perf_counter() - began)
    measured = {
        "connecting": connecting,
        "fastest": min(times),
        "median": median(times),
        "slowest": max(times),
    }
    if arguments.format == "json":
        seconds = {f"{name}_seconds": seconds for name, seconds in measured.items()}
        sys.stdout.write(json.dumps({**facts_of_store, **seconds}, indent=2, default=str) + "\n")
        return DONE
    width = max(map(len, ["round trips", *facts_of_store]))
    lines = [(name.replace("_", " "), str(fact)) for name, fact in facts_of_store.items()]
    trips = ", ".join(f"{duration(measured[name])} {name}" for name in ("fastest", "median", "slowest"))
    lines += [("connecting", duration(connecting)), ("round trips", f"{trips}, of {arguments.count}")]
    sys.stdout.write("".join(f"{name:<{width}}  {text}\n" for name, text in lines))
    return DONE
