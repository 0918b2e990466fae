"""How far the copy of a table has got, and its record in the destination's catalogue.

The record is written behind the rows that it speaks of, at most once a second. Whoever resumes may so
copy the last second's rows again, which changes nothing, but never misses one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from kvlayer import catalog
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import RawTable

SAVE_INTERVAL: Final = 1.0
"""Seconds between two records of one table."""


@dataclass(slots=True)
class RangeState:
    """A range of a table, and how much of it is copied."""

    start: bytes
    stop: bytes | None
    last: bytes | None = None
    """The last key that was written to the destination."""
    ended: bool = False
    rows: int = 0
    size: int = 0
    """Bytes of keys and values in these rows."""

    @property
    def position(self) -> bytes:
        """Where to go on."""
        return self.start if self.last is None else self.last + b"\0"

    def to_json(self) -> list[Any]:
        """As it stands in the catalogue."""
        return [_hex(self.start), _hex(self.stop), _hex(self.last), self.ended, self.rows, self.size]

    @classmethod
    def from_json(cls, form: list[Any]) -> RangeState:
        """Raises ValueError or TypeError for what `to_json` doesn't make."""
        start, stop, last, ended, rows, size = form
        return cls(bytes.fromhex(start), _unhex(stop), _unhex(last), bool(ended), int(rows), int(size))


class CopyState:
    """The copy of one table."""

    def __init__(
        self, source: RawTable, destination: RawTable, note: dict[str, Any], ranges: list[RangeState]
    ) -> None:
        self.source = source
        self.destination = destination
        self.ranges = ranges
        self.total_rows = source.estimate_rows()
        self._note = note
        self._lock = threading.Lock()
        self._save_at = time.monotonic() + SAVE_INTERVAL

    @classmethod
    def resumed(cls, source: RawTable, destination: RawTable, note: dict[str, Any]) -> CopyState:
        """Goes on as the note says. Raises TransferError for one that can't be read.

        A range whose last row is no more in the destination is copied anew: someone has removed rows.
        """
        try:
            ranges = [RangeState.from_json(form) for form in note["ranges"]]
        except (KeyError, TypeError, ValueError) as error:
            raise TransferError(
                f"table {destination.name!r}: how far its copy got can't be read from the catalogue;"
                " overwrite it to begin anew"
            ) from error
        for number, part in enumerate(ranges):
            if part.last is not None and destination.first_key(part.last, part.last + b"\0") is None:
                ranges[number] = RangeState(part.start, part.stop)
        return cls(source, destination, note, ranges)

    @property
    def rows(self) -> int:
        """Rows copied."""
        return sum(part.rows for part in self.ranges)

    @property
    def size(self) -> int:
        """Bytes of keys and values copied."""
        return sum(part.size for part in self.ranges)

    def advance(self, part: RangeState, last: bytes, rows: int, size: int) -> None:
        """Notes that rows of a range were written, up to the key `last`."""
        with self._lock:
            part.last = last
            part.rows += rows
            part.size += size
            if time.monotonic() >= self._save_at:
                self._save()

    def end(self, part: RangeState) -> None:
        """Notes that a range is copied wholly."""
        with self._lock:
            part.ended = True

    def save(self) -> None:
        """Records how far it got."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        note = {**self._note, "ranges": [part.to_json() for part in self.ranges]}
        catalog.replace_note(self.destination.backend, self.destination.name, note)
        self._save_at = time.monotonic() + SAVE_INTERVAL


def _hex(key: bytes | None) -> str | None:
    return None if key is None else key.hex()


def _unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
