"""The table of stores in the documentation, made from what the backends declare.

`python -m kvlayer.backends.overview` prints it.
"""

from __future__ import annotations

from typing import Final

from kvlayer import backends
from kvlayer.backends.base import Capabilities

_BUILT_IN: Final = ("local", "sqlite")


def markdown_table() -> str:
    """One row for each built-in store."""
    header = (
        "| storage type | durable | shared by processes | put is all or nothing | counters | accumulators"
        " | compare and put | reverse scans | longest key | longest value |"
    )
    rows = [_row(name, backends.load(name).capabilities) for name in _BUILT_IN]
    return "\n".join([header, "|---" * 10 + "|", *rows]) + "\n"


def _row(name: str, capabilities: Capabilities) -> str:
    cells = [
        f"[`{name}`](docs/backends/{name}.md)",
        *map(
            _yes,
            (capabilities.durable, capabilities.concurrent_processes, capabilities.atomic_put),
        ),
        _counters(capabilities),
        *map(_yes, (capabilities.accumulate, capabilities.compare_and_put, capabilities.reverse)),
        _size(capabilities.max_key_bytes),
        _size(capabilities.max_value_bytes),
    ]
    return f"| {' | '.join(cells)} |"


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
            return f"{limit / factor:.3g} {unit}"
    return f"{limit} bytes"


if __name__ == "__main__":
    print(markdown_table(), end="")  # noqa: T201
