"""Which record an operation asks for: the distributions of YCSB, the Yahoo! Cloud Serving Benchmark.

A draw is far cheaper than the fastest operation of a store, so that it doesn't bound the load: about
0.1 µs for a uniform one, 0.3 µs for a rank of a zipfian distribution, 0.9 µs with its scrambling.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final, Protocol

THETA: Final = 0.99
"""The skew of YCSB's zipfian distributions; 0 would be none, it must be below 1."""

SCRAMBLED_ITEMS: Final = 10**10
"""Ranks behind a scrambled zipfian distribution; as in YCSB it is fixed, and above any number of records."""

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_FNV_BITS: Final = 2**64 - 1
_FNV_POWERS: Final = [pow(_FNV_PRIME, octets, 2**64) for octets in range(9)]

_EXACT_TERMS: Final = 1000
"""Terms of the zeta function that are added up one by one."""


class Distribution(Protocol):
    """Draws numbers of records."""

    def draw(self) -> int:
        """The number of a record, from 0."""


class Uniform:
    """Every one of `records` is as likely as the others."""

    __slots__ = ("_random", "_records")

    def __init__(self, records: int, random: Random) -> None:
        self._records = records
        self._random = random.random

    def draw(self) -> int:
        """A number from 0 to `records` - 1."""
        return int(self._random() * self._records)


class Zipfian:
    """Ranks of which the first is the likeliest: rank r, from 0, in proportion to 1 / (r + 1) ** THETA.

    By the method of Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD 1994).
    It hits the first two ranks exactly and draws the others from a continuous curve: the first hundred
    together come up to 6 % more often than their share.
    """

    ranks: int
    """How many there are."""

    __slots__ = ("_exponent", "_random", "_second", "_slope", "_zeta", "ranks")

    def __init__(self, ranks: int, random: Random) -> None:
        self._random = random.random
        self._exponent = 1 / (1 - THETA)
        self._second = zeta(2)
        self.resize(ranks)

    def resize(self, ranks: int) -> None:
        """From now on there are so many ranks."""
        self.ranks = ranks
        self._zeta = zeta(ranks)
        self._slope = (1 - (2 / ranks) ** (1 - THETA)) / (1 - self._second / self._zeta) if ranks > 2 else 0.0

    def draw(self) -> int:
        """A rank from 0 to `ranks` - 1."""
        uniform = self._random()
        scaled = uniform * self._zeta
        if scaled < 1:
            return 0
        if scaled < self._second:
            return 1
        rank = int(self.ranks * (self._slope * uniform - self._slope + 1) ** self._exponent)
        return rank if rank < self.ranks else self.ranks - 1  # where the sum was rounded up to 1


class ScrambledZipfian:
    """Zipfian over `records`, where the popular ones are spread over all of them by a hash of their rank."""

    __slots__ = ("_ranks", "_records")

    def __init__(self, records: int, random: Random) -> None:
        self._records = records
        self._ranks = Zipfian(SCRAMBLED_ITEMS, random)

    def draw(self) -> int:
        """A number from 0 to `records` - 1."""
        return fnv(self._ranks.draw()) % self._records


class Latest:
    """Zipfian by age: the record that was added last is the likeliest."""

    __slots__ = ("_ages", "_records")

    def __init__(self, records: int, random: Random) -> None:
        self._records = records
        self._ages = Zipfian(records, random)

    def add(self) -> None:
        """There is one record more, which is the newest."""
        self._records += 1

    def draw(self) -> int:
        """A number from 0, of the oldest record, to that of the newest."""
        if self._ages.ranks != self._records:
            self._ages.resize(self._records)
        return self._records - 1 - self._ages.draw()


def zeta(terms: int) -> float:
    """The sum of 1 / i ** THETA for i from 1 to `terms`, to 12 digits, in a time that doesn't grow with it.

    Beyond the first terms it is the integral and the first corrections of the Euler-Maclaurin formula.
    """
    if terms <= _EXACT_TERMS:
        return _ZETAS[terms]
    first, last = _EXACT_TERMS, terms
    integral = (math.pow(last, 1 - THETA) - math.pow(first, 1 - THETA)) / (1 - THETA)
    ends = (math.pow(last, -THETA) - math.pow(first, -THETA)) / 2
    slopes = THETA / 12 * (math.pow(first, -THETA - 1) - math.pow(last, -THETA - 1))
    return _ZETAS[_EXACT_TERMS] + integral + ends + slopes


def fnv(number: int) -> int:
    """YCSB's hash of a number below 2**64: FNV-1a over its 8 bytes, the lowest first, without a sign."""
    octets = number.to_bytes((number.bit_length() + 7) >> 3, "little")
    hashed = _FNV_OFFSET
    for octet in octets:
        hashed = (hashed ^ octet) * _FNV_PRIME
    # A byte of zeros only multiplies, so all that are left do so at once.
    hashed = hashed * _FNV_POWERS[8 - len(octets)] & _FNV_BITS
    return 2**64 - hashed if hashed >> 63 else hashed


def _zetas() -> list[float]:
    sums = [0.0]
    for term in range(1, _EXACT_TERMS + 1):
        sums.append(sums[-1] + term**-THETA)
    return sums


_ZETAS: Final = _zetas()
