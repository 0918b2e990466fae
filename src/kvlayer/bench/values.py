"""Values to store: bytes that no store can compress, no two alike, each recognised when it comes back."""

from __future__ import annotations

import os
from random import Random
from typing import Final

_PLACES: Final = 2**20


class Values:
    """Values of one size. A value is a window on random bytes, and its place there is all that has to be
    remembered of it: making and checking one costs a copy and a comparison, and no random numbers."""

    def __init__(self, size: int, random: Random) -> None:
        self.size = size
        self._bytes = os.urandom(size + _PLACES)
        self._random = random

    def place(self) -> int:
        """The place of some value."""
        return int(self._random.random() * _PLACES)

    def at(self, place: int) -> bytes:
        """The value of a place."""
        return self._bytes[place : place + self.size]

    def is_at(self, place: int, value: bytes | None) -> bool:
        """Whether a value is that of a place."""
        return value is not None and len(value) == self.size and self._bytes.startswith(value, place)
