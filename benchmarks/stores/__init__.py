"""The stores that kvlayer is compared with: one module for each, with its bare contender.

A new store is a module named like its storage type, with a `COMPARISON`, and its name here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from benchmarks.harness import Comparison

EMBEDDED: Final = ("sqlite", "local")
"""Storage types that run wherever kvlayer does."""

WITH_SERVER: Final = ("redis", "postgres", "accumulo")
"""Storage types that need a driver and a server; it is started for the run."""


def comparison(store: str) -> Comparison:
    """The comparison of a storage type, imported now, since it may need a driver."""
    found: Comparison = import_module(f"{__name__}.{store}").COMPARISON
    return found
