"""The distributions against their formulas, with fixed seeds."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from kvlayer.bench.distributions import (
    SCRAMBLED_ITEMS,
    THETA,
    Distribution,
    Latest,
    ScrambledZipfian,
    Uniform,
    Zipfian,
    fnv,
    zeta,
)

DRAWS = 100_000


def counted(distribution: Distribution | Zipfian, draws: int = DRAWS) -> Counter[int]:
    return Counter(distribution.draw() for _ in range(draws))


def near(share: float, draws: int = DRAWS) -> object:
    """Within five standard deviations of a share of so many draws."""
    return pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / draws))


def chi_squared(counts: Counter[int], categories: int) -> float:
    """How far counts are from equal ones; about `categories` on average for a fair draw."""
    expected = counts.total() / categories
    return sum((counts[number] - expected) ** 2 / expected for number in range(categories))


@pytest.mark.parametrize("terms", [1, 2, 999, 1000, 1001, 5000, 100_000])
def test_zeta_is_the_sum(terms: int) -> None:
    assert zeta(terms) == pytest.approx(
        math.fsum(term**-THETA for term in range(1, terms + 1)), rel=1e-12, abs=0
    )


def test_zeta_of_ten_billion_is_the_one_that_ycsb_has() -> None:
    assert zeta(SCRAMBLED_ITEMS) == pytest.approx(26.46902820178302, rel=1e-10)


def test_fnv_is_the_hash_in_the_names_of_ycsb_keys() -> None:
    # user6284781860667377211 is the first record that YCSB loads anywhere.
    assert [fnv(0), fnv(1), fnv(2)] == [6284781860667377211, 8517097267634966620, 1820151046732198393]


@pytest.mark.parametrize("number", [0, 1, 255, 256, 65_535, 65_536, 10**10 - 1, 2**63, 2**64 - 1])
def test_fnv_is_fnv_1a_over_eight_bytes(number: int) -> None:
    expected = 0xCBF29CE484222325
    for octet in number.to_bytes(8, "little"):
        expected = (expected ^ octet) * 0x100000001B3 % 2**64
    assert fnv(number) == min(expected, 2**64 - expected)


@pytest.mark.parametrize("records", [1, 2, 3, 1000])
def test_uniform_draws_every_record_alike(records: int) -> None:
    counts = counted(Uniform(records, Random(1)))
    assert set(counts) == set(range(records))
    degrees = records - 1
    assert chi_squared(counts, records) == pytest.approx(degrees, abs=5 * math.sqrt(2 * degrees) + 1e-9)


@pytest.mark.parametrize("ranks", [1, 2, 3, 10, 1000, 10**6])
def test_zipfian_draws_only_ranks_that_there_are(ranks: int) -> None:
    counts = counted(Zipfian(ranks, Random(2)))
    assert min(counts) == 0
    assert max(counts) < ranks
    if ranks <= 1000:
        assert len(counts) == ranks


@pytest.mark.parametrize("ranks", [10, 1000, 10**6, 10**10])
def test_the_first_two_ranks_of_zipfian_come_as_often_as_the_formula_says(ranks: int) -> None:
    counts = counted(Zipfian(ranks, Random(3)))
    assert counts[0] / DRAWS == near(1 / zeta(ranks))
    assert counts[1] / DRAWS == near(2**-THETA / zeta(ranks))


@pytest.mark.parametrize("ranks", [1000, 10**6, 10**10])
@pytest.mark.parametrize("first", [5, 10, 100, 500])
def test_the_first_ranks_of_zipfian_come_about_as_often_as_the_formula_says(ranks: int, first: int) -> None:
    counts = counted(Zipfian(ranks, Random(4)))
    share = sum(count for rank, count in counts.items() if rank < first) / DRAWS
    assert 0.99 < share / (zeta(first) / zeta(ranks)) < 1.07


def test_the_least_likely_ranks_of_zipfian_come_too() -> None:
    counts = counted(Zipfian(10**6, Random(5)))
    share = sum(count for rank, count in counts.items() if rank >= 500_000) / DRAWS
    assert share == near(1 - zeta(500_000) / zeta(10**6))


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_zipfian_stays_within_its_ranks_at_the_ends_of_the_random_numbers(uniform: float) -> None:
    class Fixed(Random):
        def random(self) -> float:
            return uniform

    for ranks in (1, 2, 3, 1000, 10**10):
        assert 0 <= Zipfian(ranks, Fixed()).draw() < ranks


def test_a_zipfian_that_was_resized_draws_like_a_new_one() -> None:
    resized = Zipfian(10, Random(6))
    resized.resize(5000)
    made = Zipfian(5000, Random(6))
    assert [resized.draw() for _ in range(1000)] == [made.draw() for _ in range(1000)]


def test_scrambled_zipfian_has_its_most_popular_record_where_the_hash_says() -> None:
    counts = counted(ScrambledZipfian(1000, Random(7)))
    (most_popular, most), (_, second) = counts.most_common(2)
    assert most_popular == fnv(0) % 1000
    # Other ranks that fall on the same record add to the share of the first one, and never much.
    assert 1 / zeta(SCRAMBLED_ITEMS) < most / DRAWS < 1 / zeta(SCRAMBLED_ITEMS) + 0.01
    assert second < most


def test_scrambled_zipfian_spreads_what_is_popular_over_all_records() -> None:
    records = 1000
    counts = counted(ScrambledZipfian(records, Random(8)))
    assert set(counts) == set(range(records))
    popular = [number for number, _ in counts.most_common(100)]
    quarters = Counter(number * 4 // records for number in popular)
    assert all(10 <= quarters[quarter] <= 40 for quarter in range(4))


def test_latest_prefers_the_records_added_last() -> None:
    latest = Latest(500, Random(9))
    for _ in range(500):
        latest.add()
    counts = counted(latest)
    assert max(counts) == 999
    assert min(counts) == 0
    assert counts[999] / DRAWS == near(1 / zeta(1000))
    assert counts[998] / DRAWS == near(2**-THETA / zeta(1000))


def test_the_same_seed_draws_the_same_records() -> None:
    for make in (Uniform, ScrambledZipfian, Latest):
        first, second, other = (make(10_000, Random(seed)) for seed in (1, 1, 2))
        drawn = [first.draw() for _ in range(100)]
        assert drawn == [second.draw() for _ in range(100)]
        assert drawn != [other.draw() for _ in range(100)]
