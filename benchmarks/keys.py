"""Key codecs against FoundationDB's tuple layer for Python, on the same tuples.

`python -m benchmarks.keys` prints, for each schema and operation, the best time per key of both and
how many times faster kvlayer is: the median of the rounds, and their smallest and largest ratio.
The tuple layer has no function for batches; there it is a comprehension over `pack` or `unpack`.
"""

from __future__ import annotations

import random
import statistics
import string
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import fdb.tuple

from kvlayer.keys import Key, KeyCodec

KEYS = 10_000
ROUNDS = 15
BATCH = 1000

SCHEMAS: tuple[tuple[type, ...], ...] = ((str,), (str, int), (UUID, UUID), (str, str, str))

_LETTERS = string.ascii_letters + "  -'éüñøçßğłœ"


@dataclass(frozen=True, slots=True)
class Result:
    """One operation on one schema: best nanoseconds per key, and the ratio of every round."""

    types: tuple[type, ...]
    operation: str
    kvlayer_ns: float
    fdb_ns: float
    ratios: list[float]


def _part(part: type, random_: random.Random) -> Any:
    if part is str:
        return "".join(random_.choices(_LETTERS, k=random_.randint(4, 20)))
    if part is int:
        return random_.randrange(12_000_000)
    return UUID(int=random_.getrandbits(128), version=4)


def _each(function: Callable[[Any], Any], batches: list[list[Any]]) -> None:
    for batch in batches:
        for item in batch:
            function(item)


def _whole(function: Callable[[list[Any]], Any], batches: list[list[Any]]) -> None:
    for batch in batches:
        function(batch)


def _seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _batches(items: list[Any]) -> list[list[Any]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def measure(types: tuple[type, ...]) -> Iterable[Result]:
    """All operations on one schema, the two sides taking turns in every round."""
    random_ = random.Random(1)
    keys: list[Key] = [tuple(_part(part, random_) for part in types) for _ in range(KEYS)]
    codec = KeyCodec(types, "benchmark")
    pack, unpack = fdb.tuple.pack, fdb.tuple.unpack
    tuples = _batches(keys)
    ours, theirs = _batches(codec.encode_many(keys)), _batches([pack(key) for key in keys])
    if [codec.decode_many(batch) for batch in ours] != tuples or [unpack(theirs[0][0])] != keys[:1]:
        raise AssertionError("a codec does not give back what it was given")
    runs: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "encode": (lambda: _each(codec.encode, tuples), lambda: _each(pack, tuples)),
        "decode": (lambda: _each(codec.decode, ours), lambda: _each(unpack, theirs)),
        "encode_many": (
            lambda: _whole(codec.encode_many, tuples),
            lambda: _whole(lambda batch: [pack(key) for key in batch], tuples),
        ),
        "decode_many": (
            lambda: _whole(codec.decode_many, ours),
            lambda: _whole(lambda batch: [unpack(stored) for stored in batch], theirs),
        ),
    }
    for operation, (run_ours, run_theirs) in runs.items():
        rounds = [(_seconds(run_ours), _seconds(run_theirs)) for _ in range(ROUNDS)]
        yield Result(
            types,
            operation,
            min(mine for mine, _ in rounds) / KEYS * 1e9,
            min(other for _, other in rounds) / KEYS * 1e9,
            [other / mine for mine, other in rounds],
        )


def main() -> None:
    """Prints the table."""
    print(f"Keys: {KEYS:,} tuples, best of {ROUNDS} rounds, Python {sys.version.split()[0]}")
    print(f"{'schema':<18}{'operation':<14}{'kvlayer':>9}{'fdb.tuple':>11}{'ratio':>8}   range of rounds")
    for types in SCHEMAS:
        name = f"({', '.join(part.__name__ for part in types)}{',' * (len(types) == 1)})"
        for result in measure(types):
            print(
                f"{name:<18}{result.operation:<14}{result.kvlayer_ns:>6.0f} ns{result.fdb_ns:>8.0f} ns"
                f"{statistics.median(result.ratios):>7.1f}x"
                f"   {min(result.ratios):.1f}-{max(result.ratios):.1f}"
            )


if __name__ == "__main__":
    main()
