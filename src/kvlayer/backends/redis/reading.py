"""Reading by the page: each answer is bounded in rows and in bytes, whatever the values' sizes.

Of a table whose rows are all small, so many rows can't be too many bytes. The state of a table says
whether that is so (layout.LARGE); of others the values are measured before they are fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, Row
from kvlayer.backends.redis.layout import DROPPED, LARGE, TableKeys
from kvlayer.backends.redis.scripts import FITTING, NO_TABLE, PAGE

LARGE_PART_BYTES: Final = PAGE_BYTES // PAGE_ROWS // 2
"""A longer key or value makes its table LARGE."""

MAX_KEY_BYTES: Final = 16 * 2**10
"""So that a page of keys needs no measuring."""


class Missing(Exception):
    """The table isn't there."""


class Part(NamedTuple):
    """What a scan still has to read: keys from `start`, included, to `stop`, not included."""

    start: bytes
    stop: bytes | None
    reverse: bool
    rows: int
    """At most so many in one page."""

    def behind(self, key: bytes) -> Part:
        """What is left when everything up to a key has been read."""
        return self._replace(stop=key) if self.reverse else self._replace(start=key + b"\0")

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """Lowest and highest key, as ZRANGE's BYLEX wants them."""
        return (
            b"[" + self.start if self.start else b"-",
            b"+" if self.stop is None else b"(" + self.stop,
        )


def require_state(client: Any, keys: TableKeys) -> bytes:
    """MADE or LARGE; raises Missing."""
    return checked(client.execute_command("GET", keys.state))


def checked(state: bytes | None) -> bytes:
    """The state of a table that is there; raises Missing."""
    if state is None or state == DROPPED:
        raise Missing
    return state


def read_value(client: Any, keys: TableKeys, key: bytes) -> bytes | None:
    """The value of one key. Only where there is none the state must be asked for as well."""
    value: bytes | None = client.execute_command("HGET", keys.values, key)
    if value is None:
        require_state(client, keys)
    return value


def read_values(client: Any, keys: TableKeys, wanted: Sequence[bytes]) -> tuple[bytes, list[bytes | None]]:
    """The table's state, and the values of keys."""
    with client.pipeline(transaction=False) as pipe:
        pipe.execute_command("GET", keys.state)
        pipe.execute_command("HMGET", keys.values, *wanted)
        state, values = pipe.execute()
    return checked(state), values


def count_fitting(client: Any, keys: TableKeys, wanted: Sequence[bytes], scripts: bool) -> int:
    """Of how many of the keys the values fit into one answer; at least one."""
    if scripts:
        fitting: int = FITTING.run(client, keys, *wanted)
        if fitting == NO_TABLE:
            raise Missing
        return fitting
    with client.pipeline(transaction=False) as pipe:
        for key in wanted:
            pipe.execute_command("HSTRLEN", keys.values, key)
        sizes = pipe.execute()
    total = 0
    for number, size in enumerate(sizes, start=1):
        total += size
        if total >= PAGE_BYTES:
            return number
    return len(wanted)


def read_keys(client: Any, keys: TableKeys, part: Part) -> list[bytes]:
    """A page of keys."""
    low, high = part.ends
    if part.reverse:
        order: tuple[bytes | str, ...] = (high, low, "BYLEX", "REV")
    else:
        order = (low, high, "BYLEX")
    found: list[bytes] = client.execute_command("ZRANGE", keys.keys, *order, "LIMIT", 0, part.rows)
    if not found:
        require_state(client, keys)
    return found


def read_page_of_keys(client: Any, keys: TableKeys, part: Part) -> tuple[list[bytes], bytes | None]:
    """A page of keys, and the last of them, None where nothing is left behind it."""
    found = read_keys(client, keys, part)
    return found, found[-1] if len(found) == part.rows else None


def read_page(client: Any, keys: TableKeys, part: Part) -> tuple[list[Row], bytes | None]:
    """A page of rows, and the last key that was looked at, None where nothing is left behind it."""
    low, high = part.ends
    answer = PAGE.run(client, keys, low, high, int(part.reverse), part.rows)
    if answer == NO_TABLE:
        raise Missing
    found, values, cut = answer
    if values is None:
        values = client.execute_command("HMGET", keys.values, *found)
    last = found[-1] if cut or len(found) == part.rows else None
    return _rows(found, values), last


def read_page_without_scripts(client: Any, keys: TableKeys, part: Part) -> tuple[list[Row], bytes | None]:
    """As `read_page`, in two or three steps: a row that is deleted in between is left out."""
    found = read_keys(client, keys, part)
    if not found:
        return [], None
    state = require_state(client, keys)
    fitting = count_fitting(client, keys, found, scripts=False) if state == LARGE else len(found)
    last = found[-1] if len(found) == part.rows else None
    if fitting < len(found):
        found = found[:fitting]
        last = found[-1]
    return _rows(found, client.execute_command("HMGET", keys.values, *found)), last


def _rows(keys: list[bytes], values: list[bytes | None]) -> list[Row]:
    if None in values:
        return [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
    return list(zip(keys, cast("list[bytes]", values), strict=True))
