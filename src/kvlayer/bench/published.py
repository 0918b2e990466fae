"""The throughput that kvlayer's documentation published in 2014, to set new figures beside.

Each was taken with clients and store on single EC2 machines of that time: values of 1 MB, put one by
one under random UUIDs by so many processes, then read back in random order.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Published(NamedTuple):
    """MB/s of all workers together."""

    read: float
    write: float


ORIGIN: Final = "single EC2 machines of 2014"

THROUGHPUT: Final[dict[tuple[str, int], Published]] = {
    ("redis", 100): Published(99.6, 57.3),
    ("redis", 50): Published(93.7, 56.5),
    ("redis", 25): Published(66.9, 33.8),
    ("postgres", 80): Published(34.2, 14.4),
    ("postgres", 50): Published(33.1, 14.1),
    ("postgres", 25): Published(30.1, 13.7),
    ("accumulo", 100): Published(17.2, 13.6),
    ("accumulo", 50): Published(21.9, 16.0),
    ("accumulo", 25): Published(24.7, 16.6),
}
"""By storage type and number of workers."""
