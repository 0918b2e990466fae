"""The rows that every comparison moves: keys of a str and an int, values of 100 bytes."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kvlayer.keys import Key, KeyCodec

KEY_TYPES: Final = (str, int)
"""The key types of the benchmark's table."""

VALUE_BYTES: Final = 100

_LETTERS: Final = string.ascii_letters + "  -'éüñøçßğłœ"
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Batches:
    """What a contender is given: batches of rows to put, of keys to get and of keys to delete.

    Each of the three has an order of its own, and none is the order of the keys.
    """

    put: list[list[tuple[Any, bytes]]]
    get: list[list[Any]]
    delete: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Workload:
    """The same rows in two forms: as an application has them, and ready-made for a store."""

    rows: int
    batch_size: int
    plain: Batches
    """Keys are tuples."""
    encoded: Batches
    """Keys are bytes that sort like the tuples."""

    @classmethod
    def make(cls, rows: int, batch_size: int) -> Workload:
        """Random rows with distinct keys; the same ones each time."""
        random_ = random.Random(_SEED)
        pairs = [(key, random_.randbytes(VALUE_BYTES)) for key in _distinct_keys(rows, random_)]
        keys = [key for key, _ in pairs]
        to_get, to_delete = _made_anew(random_.sample(keys, rows)), _made_anew(random_.sample(keys, rows))
        encode = KeyCodec(KEY_TYPES, "benchmark").encode_many
        return cls(
            rows,
            batch_size,
            Batches(*(in_batches(items, batch_size) for items in (pairs, to_get, to_delete))),
            Batches(
                in_batches(list(zip(encode(keys), (value for _, value in pairs), strict=True)), batch_size),
                in_batches(encode(to_get), batch_size),
                in_batches(encode(to_delete), batch_size),
            ),
        )


def _distinct_keys(count: int, random_: random.Random) -> list[Key]:
    numbers = random_.sample(range(12_000_000), count)
    return [("".join(random_.choices(_LETTERS, k=random_.randint(4, 16))), number) for number in numbers]


def _made_anew(keys: list[Key]) -> list[Key]:
    """Equal keys that lie in memory in the order of their use, as the encoded ones do, and as those that a
    program has just received. To fetch each from another place takes as long as to encode it."""
    return [(str(name.encode(), "utf-8"), int(str(number))) for name, number in keys]


def in_batches(items: list[Any], size: int) -> list[list[Any]]:
    """The items in lists of `size`; the last one may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def scattered_pairs(count: int) -> Iterator[tuple[Key, bytes]]:
    """So many rows made one at a time, so that they need no memory; never in the order of the keys."""
    random_ = random.Random(_SEED)
    for number in range(count):
        yield (f"{random_.getrandbits(40):010x}", number), random_.randbytes(VALUE_BYTES)
