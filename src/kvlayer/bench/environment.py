"""Where a benchmark runs: versions, the machine, and what the store says of itself."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from typing import Any, Final

import msgspec

from kvlayer import keys
from kvlayer.bench.results import Environment, Fact, Host
from kvlayer.client import Client

_DRIVERS: Final = {
    "local": ("sortedcontainers",),
    "redis": ("redis", "hiredis"),
    "postgres": ("psycopg", "psycopg-binary"),
    "accumulo": ("jpype1",),
    "riak": ("protobuf",),
}
"""Distributions that speak to a store. sqlite3 is a part of Python, and tells its version by `ping`."""

_DURABILITY_OPTIONS: Final = ("synchronous", "n_val", "w", "pw", "dw")
"""Options of stores that decide what is lost when. None of them can hold a secret."""

_DURABILITY_FACTS: Final = ("durable", "append_only", "journal_mode", "n_val")
"""What a store's `ping` tells of the same."""


def environment(client: Client, storage_type: str, options: msgspec.Struct) -> Environment:
    """What is known of the store of a client, whose checked options are `options`, and of this machine."""
    facts = {name: _fact(fact) for name, fact in client.ping().items()}
    return Environment(
        kvlayer=metadata.version("kvlayer"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        key_codec="C" if keys.ACCELERATED else "Python",
        driver=_versions(_DRIVERS.get(storage_type, ())),
        store=facts,
        durability={
            "store": client.capabilities.durable,
            **{name: _fact(getattr(options, name)) for name in _DURABILITY_OPTIONS if hasattr(options, name)},
            **{name: facts[name] for name in _DURABILITY_FACTS if name in facts},
        },
        host=Host(
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            processor=_processor(),
            cores=_cores(),
            memory_bytes=_memory(),
        ),
    )


def _versions(distributions: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in distributions:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _fact(value: Any) -> Fact:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
