"""Recorded latencies come back as percentiles, to three digits."""

from __future__ import annotations

import base64
import math
import zlib
from random import Random

import pytest
from hdrh.histogram import HdrHistogram

from kvlayer.bench.errors import BrokenResults
from kvlayer.bench.latency import Histogram, LatencyRecorder

HOUR_US = 3600 * 1e6
THREE_DIGITS = 1e-3


def recorded(*nanoseconds: int) -> Histogram:
    recorder = LatencyRecorder()
    for latency in nanoseconds:
        recorder.record(latency)
    return recorder.histogram()


@pytest.fixture(scope="module")
def sample() -> list[int]:
    """Latencies as stores have them: most alike, some far longer, in ns."""
    random = Random(1)
    return sorted(int(random.lognormvariate(11, 1)) for _ in range(20_000))


def test_percentiles_are_those_of_the_sorted_latencies(sample: list[int]) -> None:
    latency = recorded(*sample).latency()
    assert latency.operations == len(sample)
    for share, found in [
        (0.5, latency.p50),
        (0.95, latency.p95),
        (0.99, latency.p99),
        (0.999, latency.p999),
        (1.0, latency.max),
    ]:
        expected = sample[math.ceil(share * len(sample)) - 1] / 1000
        assert found == pytest.approx(expected, rel=THREE_DIGITS)
    assert latency.mean == pytest.approx(sum(sample) / len(sample) / 1000, rel=THREE_DIGITS)


def test_recording_keeps_all_that_a_histogram_would(sample: list[int]) -> None:
    at_once = HdrHistogram(1, 3600 * 10**9, 3)
    for nanoseconds in sample:
        at_once.record_value(nanoseconds)
    assert recorded(*sample).encoded() == at_once.encode().decode()


@pytest.mark.parametrize("exponent", range(0, 42, 3))
def test_any_latency_is_kept_to_three_digits(exponent: int) -> None:
    for nanoseconds in (2**exponent, 2**exponent + 1, 2 ** (exponent + 1) - 1):
        assert recorded(nanoseconds).latency().max * 1000 == pytest.approx(nanoseconds, rel=THREE_DIGITS)


def test_a_latency_of_no_time_counts() -> None:
    latency = recorded(0).latency()
    assert (latency.operations, latency.max) == (1, 0)


def test_more_than_an_hour_counts_as_an_hour() -> None:
    latency = recorded(10, 10**14).latency()
    assert latency.operations == 2
    assert latency.max == pytest.approx(HOUR_US, rel=THREE_DIGITS)


def test_merging_is_recording_all_in_one_place(sample: list[int]) -> None:
    parts = [recorded(*sample[start::3]) for start in range(3)]
    assert Histogram.merged(parts).latency() == recorded(*sample).latency()


def test_merging_changes_none_of_the_parts() -> None:
    part = recorded(1000)
    before = part.encoded()
    Histogram.merged([part, part])
    assert part.encoded() == before
    assert Histogram.merged([]).count == 0


def test_a_histogram_comes_back_from_its_text(sample: list[int]) -> None:
    histogram = recorded(*sample)
    again = Histogram.decoded(histogram.encoded())
    assert again.latency() == histogram.latency()
    assert again.curve() == histogram.curve()


def test_the_text_is_small(sample: list[int]) -> None:
    assert len(recorded(*sample).encoded()) < 10_000


def _changed(start: int, stop: int, replacement: int) -> str:
    """A histogram in whose compressed part some bytes are others."""
    outer = base64.b64decode(recorded(10**9).encoded())
    content = bytearray(zlib.decompress(outer[8:]))
    content[start:stop] = replacement.to_bytes(stop - start, "big")
    packed = zlib.compress(bytes(content))
    return base64.b64encode(outer[:4] + len(packed).to_bytes(4, "big") + packed).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ü",
        "HISTFAAA",
        recorded(1000).encoded()[:-8],
        recorded(1000).encoded()[:20] + "AAAAAAAA" + recorded(1000).encoded()[28:],
        _changed(0, 4, 1),
        _changed(12, 16, 9),
        _changed(24, 32, 2),
    ],
    ids=["empty", "short", "not ASCII", "a header", "cut", "damaged", "cookie", "digits", "range"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BrokenResults, match="is no histogram of latencies"):
        Histogram.decoded(text)


def test_a_curve_rises_to_the_longest_latency(sample: list[int]) -> None:
    histogram = recorded(*sample)
    curve = histogram.curve()
    shares, latencies = zip(*curve, strict=True)
    assert list(shares) == sorted(shares)
    assert list(latencies) == sorted(latencies)
    assert curve[-1] == (1.0, histogram.latency().max)
    for share, microseconds in curve:
        within = sum(latency / 1000 <= microseconds for latency in sample)
        assert within / len(sample) == pytest.approx(share)


def test_a_curve_of_nothing_has_no_points() -> None:
    assert recorded().curve() == []
