"""Latencies: recorded cheaply while a load runs, kept and merged as HDR histograms.

Gil Tene's High Dynamic Range histogram (the library `hdrhistogram`) holds any number of latencies in little
memory, each to three digits. The percentiles of several workers come from their histograms added up, since an
average of percentiles means nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final, Self

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

from kvlayer.bench.errors import BrokenResults
from kvlayer.bench.results import Latency

_DIGITS: Final = 3
_KEPT_BITS: Final = 11
"""Leading bits that three digits need: a histogram has 1,024 steps between a power of two and the next."""

_LONGEST: Final = 3600 * 10**9
"""An hour in ns; what takes longer counts as an hour."""

_MICROSECOND: Final = 1000.0

_CURVE_TICKS: Final = 10
"""Points of a curve for each halving of the distance to 100 %."""

_UNDECODABLE: Final = (
    HdrCookieException,
    HdrLengthException,
    ValueError,
    IndexError,
    OverflowError,
    zlib.error,
)


class LatencyRecorder:
    """Counts the latencies of one thread.

    Recording takes 0.2 µs, where a histogram in pure Python takes 1.1 µs: a time is cut to the bits that the
    histogram would keep of it, and counted in a dict, which therefore stays small.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def record(self, nanoseconds: int) -> None:
        """Counts a latency, which is not negative."""
        surplus = nanoseconds.bit_length() - _KEPT_BITS
        if surplus > 0:
            nanoseconds = nanoseconds >> surplus << surplus
        counts = self._counts
        counts[nanoseconds] = counts.get(nanoseconds, 0) + 1

    def histogram(self) -> Histogram:
        """All that was recorded."""
        histogram = HdrHistogram(1, _LONGEST, _DIGITS)
        for nanoseconds, count in self._counts.items():
            histogram.record_value(min(nanoseconds, _LONGEST), count)
        return Histogram(histogram)


class Histogram:
    """Latencies of one kind of operation, from any number of workers."""

    __slots__ = ("_histogram",)

    def __init__(self, histogram: HdrHistogram) -> None:
        self._histogram = histogram

    @classmethod
    def decoded(cls, encoded: str) -> Self:
        """The histogram that `encoded` made text of. Raises BrokenResults for other text."""
        try:
            return cls(HdrHistogram.decode(encoded))
        except _UNDECODABLE as error:
            raise BrokenResults(f"{encoded[:20]!r}… is no histogram of latencies") from error

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Self:
        """All latencies of several."""
        total = HdrHistogram(1, _LONGEST, _DIGITS)
        for histogram in histograms:
            total.add(histogram._histogram)
        return cls(total)

    def encoded(self) -> str:
        """The histogram as text: HdrHistogram's V2 format, compressed and in base64, which its tools read."""
        encoded: bytes = self._histogram.encode()
        return encoded.decode("ascii")

    @property
    def count(self) -> int:
        """How many latencies there are."""
        count: int = self._histogram.get_total_count()
        return count

    def latency(self) -> Latency:
        """The figures of a histogram that holds at least one latency."""
        percentiles = self._histogram.get_percentile_to_value_dict([50.0, 95.0, 99.0, 99.9])
        return Latency(
            operations=self.count,
            mean=self._histogram.get_mean_value() / _MICROSECOND,
            p50=percentiles[50.0] / _MICROSECOND,
            p95=percentiles[95.0] / _MICROSECOND,
            p99=percentiles[99.0] / _MICROSECOND,
            p999=percentiles[99.9] / _MICROSECOND,
            max=self._histogram.get_max_value() / _MICROSECOND,
            histogram=self.encoded(),
        )

    def curve(self) -> list[tuple[float, float]]:
        """(share of the latencies, microseconds that they don't pass), rising, and denser towards 1."""
        return [
            (point.total_count_to_this_value / self.count, point.value_iterated_to / _MICROSECOND)
            for point in self._histogram.get_percentile_iterator(_CURVE_TICKS)
        ]
