"""Writing whole batches: both structures of a table change together, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

import redis

from kvlayer.backends.base import PAGE_BYTES, Row
from kvlayer.backends.redis.layout import DROPPED, LARGE, MADE, TableKeys
from kvlayer.backends.redis.reading import LARGE_PART_BYTES, Missing
from kvlayer.backends.redis.scripts import NO_TABLE, PUT

# A script's arguments are copied twice by the server, so larger batches go another way.
_SCRIPT_ROWS: Final = 10_000
_SCRIPT_BYTES: Final = 2**20

_COMMAND_ROWS: Final = 10_000

# The state of a table seldom changes: when it is cleared, dropped, or gets its first large row.
_ATTEMPTS: Final = 20


class Size(NamedTuple):
    """What a batch weighs."""

    rows: int
    sent: int
    """Bytes of all values, and of all keys twice: in one structure they have values, in the other order."""
    longest: int
    """Bytes of the longest key or value."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Size:
        """Looks at all rows."""
        lengths = [*map(len, chain.from_iterable(rows))]
        return cls(len(rows), sum(lengths) + sum(lengths[::2]), max(lengths, default=0))

    def plus(self, other: Size) -> Size:
        """That of both together."""
        return Size(self.rows + other.rows, self.sent + other.sent, max(self.longest, other.longest))

    @property
    def is_large(self) -> bool:
        """Whether it holds a row for which answers must be measured."""
        return self.longest > LARGE_PART_BYTES


def put(client: Any, keys: TableKeys, rows: Sequence[Row], size: Size, scripts: bool) -> None:
    """Writes rows: in one round trip, or in two where they are many or large."""
    if scripts and size.sent <= _SCRIPT_BYTES and size.rows <= _SCRIPT_ROWS and not size.is_large:
        if PUT.run(client, keys, *chain.from_iterable(rows)) == NO_TABLE:
            raise Missing
        return

    def write(pipe: Any, state: bytes) -> None:
        if state != LARGE and size.is_large:
            pipe.execute_command("SET", keys.state, LARGE)
        for command in commands(keys, rows, size):
            pipe.execute_command(*command)

    _change(client, keys, write)


def delete(client: Any, keys: TableKeys, doomed: Sequence[bytes]) -> None:
    """Removes rows, in one round trip; where there is no table there is nothing to remove."""
    with client.pipeline(transaction=True) as pipe:
        pipe.execute_command("GET", keys.state)
        for first in range(0, len(doomed), _COMMAND_ROWS):
            some = doomed[first : first + _COMMAND_ROWS]
            pipe.execute_command("HDEL", keys.values, *some)
            pipe.execute_command("ZREM", keys.keys, *some)
        state = pipe.execute()[0]
    if state is None or state == DROPPED:
        raise Missing


def clear(client: Any, keys: TableKeys) -> None:
    """Removes all rows; the server frees their memory behind."""

    def write(pipe: Any, state: bytes) -> None:
        pipe.execute_command("UNLINK", keys.values, keys.keys)
        pipe.execute_command("SET", keys.state, MADE)

    _change(client, keys, write)


def _change(client: Any, keys: TableKeys, write: Callable[[Any, bytes], None]) -> None:
    """One transaction on a table that is there, and still is when it happens."""
    for attempt in range(1, _ATTEMPTS + 1):
        with client.pipeline(transaction=True) as pipe:
            pipe.watch(keys.state)
            state = pipe.execute_command("GET", keys.state)
            if state is None or state == DROPPED:
                raise Missing
            pipe.multi()
            write(pipe, state)
            try:
                pipe.execute()
                return
            except redis.WatchError:
                if attempt == _ATTEMPTS:
                    raise


def commands(keys: TableKeys, rows: Sequence[Row], size: Size) -> Iterator[tuple[Any, ...]]:
    """What writes the rows, in commands of bounded length."""
    for some in _bounded(rows) if size.rows > _COMMAND_ROWS or size.sent > PAGE_BYTES else (rows,):
        yield "HSET", keys.values, *chain.from_iterable(some)
        yield "ZADD", keys.keys, *chain.from_iterable(zip(repeat(b"0"), [key for key, _ in some]))


def _bounded(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows, in lists of bounded length."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row[0]) + len(row[1])
        if size >= PAGE_BYTES or len(part) == _COMMAND_ROWS:
            yield part
            part, size = [], 0
    if part:
        yield part
