"""What a table means, in the plainest Python: a dict, and ranges tried on every key of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

Key: TypeAlias = tuple[Any, ...]
End: TypeAlias = Key | None
Range: TypeAlias = tuple[End, End]

EVERYTHING: Range = ((), ())


def holds(range_: Range, key: Key) -> bool:
    """Whether a key lies in a range (S1, S2)."""
    start, end = range_[0] or (), range_[1] or ()
    return start <= key[: len(start)] and key[: len(end)] <= end


def expected_keys(
    keys: Iterable[Key],
    ranges: Sequence[Range] = (),
    *,
    reverse: bool = False,
    limit: int | None = None,
    after: Key | None = None,
) -> list[Key]:
    """The keys that `scan_keys` must give, of a table that holds `keys`."""
    in_order = sorted(keys, reverse=reverse)
    parts = [[key for key in in_order if holds(range_, key)] for range_ in ranges or [EVERYTHING]]
    if after is not None:
        behind = [[key for key in part if (key < after if reverse else key > after)] for part in parts]
        holder = next((n for n, range_ in enumerate(ranges or [EVERYTHING]) if holds(range_, after)), None)
        parts = behind if holder is None else [behind[holder], *parts[holder + 1 :]]
    return [key for part in parts for key in part][:limit]


class TableModel:
    """One table: what each operation must do to it, and answer."""

    def __init__(self, number: type[int] | type[float] | None = None) -> None:
        """`number` is the type of the values of a table that can be incremented."""
        self.rows: dict[Key, Any] = {}
        self.number = number

    def put(self, pairs: Iterable[tuple[Key, Any]]) -> None:
        self.rows.update(pairs)

    def get(self, keys: Iterable[Key]) -> list[tuple[Key, Any]]:
        return [(key, self.rows.get(key)) for key in keys]

    def scan(self, ranges: Sequence[Range], **how: Any) -> list[tuple[Key, Any]]:
        return [(key, self.rows[key]) for key in expected_keys(self.rows, ranges, **how)]

    def delete(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.rows.pop(key, None)

    def delete_range(self, ranges: Sequence[Range]) -> None:
        self.delete(expected_keys(self.rows, ranges))

    def increment(self, deltas: Sequence[tuple[Key, Any]]) -> list[Any]:
        assert self.number is not None
        sums: dict[Key, Any] = {}
        for key, delta in deltas:
            sums[key] = sums[key] + delta if key in sums else self.number(delta)
        for key, delta in sums.items():
            self.rows[key] = self.rows.get(key, self.number(0)) + delta
        return [self.rows[key] for key, _ in deltas]

    def compare_and_put(self, key: Key, expected: Any, value: Any) -> bool:
        if self.rows.get(key) != expected:
            return False
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value
        return True
