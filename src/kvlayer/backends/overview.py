"""The table of stores in the documentation, made from what the backends declare.

`python -m kvlayer.backends.overview` prints it.
"""

from __future__ import annotations

from typing import Final

from kvlayer import backends
from kvlayer.backends.base import Capabilities

_BUILT_IN: Final = ("local", "sqlite", "redis", "postgres", "riak", "accumulo")


def markdown_table() -> str:
    """One row for each built-in store."""
    rows = {
        f"[`{name}`](docs/backends/{name}.md)": facts(backends.load(name).capabilities) for name in _BUILT_IN
    }
    titles = ["storage type", *next(iter(rows.values()))]
    lines = [titles, *([name, *cells.values()] for name, cells in rows.items())]
    header, *body = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([header, "|---" * len(titles) + "|", *body]) + "\n"


def facts(capabilities: Capabilities) -> dict[str, str]:
    """What a store can do, in words: title of a column → what stands in it."""
    return {
        "durable": _yes(capabilities.durable),
        "shared by processes": _yes(capabilities.concurrent_processes),
        "put is all or nothing": _yes(capabilities.atomic_put),
        "counters": _counters(capabilities),
        "accumulators": _yes(capabilities.accumulate),
        "compare and put": _yes(capabilities.compare_and_put),
        "reverse scans": _yes(capabilities.reverse),
        "longest key": _size(capabilities.max_key_bytes),
        "longest value": _size(capabilities.max_value_bytes),
    }


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _counters(capabilities: Capabilities) -> str:
    if not capabilities.atomic_increment:
        return "no"
    return "any int" if capabilities.counter_range is None else "64 bits"


def _size(limit: int | None) -> str:
    if limit is None:
        return "any"
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if limit >= factor:
            units = limit / factor
            return f"{units:.3g} {unit}" if units < 1000 else f"{units:,.0f} {unit}"
    return f"{limit} bytes"


if __name__ == "__main__":
    print(markdown_table(), end="")  # noqa: T201
