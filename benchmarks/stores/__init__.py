"""The stores that kvlayer is compared with: one module for each, with its bare contender.

A new store is a module with a `COMPARISON`, and a line here.
"""

from __future__ import annotations

from typing import Final

from benchmarks.harness import Comparison
from benchmarks.stores import local, sqlite

COMPARISONS: Final[dict[str, Comparison]] = {
    comparison.store: comparison for comparison in (sqlite.COMPARISON, local.COMPARISON)
}
"""By storage type, in the order in which they run."""
