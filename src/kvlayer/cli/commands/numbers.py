"""Numbers and sizes, as they are typed behind flags."""

from __future__ import annotations

import argparse
import re
from typing import Final

_UNITS: Final = {
    "": 1,
    **{prefix: 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}i": 1024**power for power, prefix in enumerate("KMGT", 1)},
}

_SIZE: Final = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_UNITS)})B?")


def number(text: str) -> int:
    """A number of at least 1: 1000, 10,000 or 10_000."""
    found = int(text.replace(",", "").replace("_", ""))
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return found


number.__name__ = "number"  # what argparse calls it


def numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas."""
    return tuple(number(word) for word in text.split(","))


numbers.__name__ = "list of numbers"


def seconds(text: str) -> float:
    """A length of time."""
    found = float(text)
    if not 0 < found <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86,400 seconds")
    return found


seconds.__name__ = "number of seconds"


def size(text: str) -> int:
    """A number of bytes: 100, 64KiB, 1.5MB."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 100, 64KiB or 1.5MB")
    return int(float(found[1]) * _UNITS[found[2]])


def sizes(text: str) -> tuple[int, ...]:
    """Numbers of bytes between commas."""
    return tuple(size(word) for word in text.split(","))
