"""The rows that all alternatives are given: names, with a hundred rows each."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from typing import Final

from benchmarks.alternatives.contender import Key
from benchmarks.workload import VALUE_BYTES, in_batches

ROWS_OF_A_NAME: Final = 100

_SEED: Final = 1
_MOST_SINGLE: Final = 500  # one by one, each may wait for a disk


@dataclass(frozen=True, slots=True)
class Rows:
    """A table's rows, and other ones to be moved one by one; nothing is in key order."""

    put: list[list[tuple[Key, bytes]]]
    get: list[list[Key]]
    delete: list[list[Key]]
    names: list[str]
    """Each has a hundred rows."""
    single_put: list[tuple[Key, bytes]]
    """Rows that aren't among the others, and come and go while those are there."""
    single_get: list[Key]
    """Keys of some of the others."""

    @property
    def count(self) -> int:
        """How many there are, without the other ones."""
        return sum(map(len, self.put))

    @classmethod
    def make(cls, rows: int, batch_size: int) -> Rows:
        """As many rows as there are full hundreds in `rows`, at least one; the same ones each time."""
        random_ = random.Random(_SEED)
        names = _names(max(1, rows // ROWS_OF_A_NAME), random_)
        keys, others = [], []
        for name in names:
            numbers = random_.sample(range(10**8), 2 * ROWS_OF_A_NAME)
            keys += [(name, number) for number in numbers[:ROWS_OF_A_NAME]]
            others += [(name, number) for number in numbers[ROWS_OF_A_NAME:]]
        random_.shuffle(keys)
        single = min(_MOST_SINGLE, len(keys))

        def with_values(keys: list[Key]) -> list[tuple[Key, bytes]]:
            return [(key, random_.randbytes(VALUE_BYTES)) for key in keys]

        return cls(
            put=in_batches(with_values(keys), batch_size),
            get=in_batches(random_.sample(keys, len(keys)), batch_size),
            delete=in_batches(random_.sample(keys, len(keys)), batch_size),
            names=random_.sample(names, len(names)),
            single_put=with_values(random_.sample(others, single)),
            single_get=random_.sample(keys, single),
        )


def _names(count: int, random_: random.Random) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names["".join(random_.choices(string.ascii_letters, k=random_.randint(4, 16)))] = None
    return list(names)
