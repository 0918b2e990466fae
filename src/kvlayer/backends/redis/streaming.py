"""Batches in parts: the server takes in one part while the client encodes the next.

All commands go over one connection, and their answers are read when the last has been sent. The
driver's pipelines would send nothing before all is there. If anything fails in between, the
connection is given up with whatever is still under way on it; of a transaction that was not
executed, the server forgets all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kvlayer.backends.base import Row
from kvlayer.backends.redis.layout import LARGE, TableKeys
from kvlayer.backends.redis.reading import checked
from kvlayer.backends.redis.writing import Size, commands


def get(client: Any, keys: TableKeys, parts: Iterable[list[bytes]]) -> tuple[bytes, list[bytes | None]]:
    """The table's state, and the values of the keys of all parts."""
    with _connection(client) as connection:
        sent = 0
        for part in parts:
            connection.send_command("HMGET", keys.values, *part, check_health=not sent)
            sent += 1
        connection.send_command("GET", keys.state, check_health=not sent)
        values: list[bytes | None] = []
        for _ in range(sent):
            values += connection.read_response()
        return checked(connection.read_response()), values


def put(client: Any, keys: TableKeys, parts: Iterable[list[Row]], admit: Callable[[Size], None]) -> bool:
    """Writes the rows of all parts in one transaction. Returns False, with nothing written, if another
    client changed the table's state meanwhile. `admit` raises if a batch may not grow to that size."""
    with _connection(client) as connection:
        _send(connection, [("WATCH", keys.state), ("GET", keys.state), ("MULTI",)], check_health=True)
        size = Size.of([])
        queued = 0
        for part in parts:
            part_size = Size.of(part)
            size = size.plus(part_size)
            admit(size)
            queued += _send(connection, commands(keys, part, part_size))
        _, state, _ = [connection.read_response() for _ in range(3)]
        if checked(state) != LARGE and size.is_large:
            queued += _send(connection, [("SET", keys.state, LARGE)])
        _send(connection, [("EXEC",)])
        for _ in range(queued):
            connection.read_response()  # that it is queued, or why not
        answers = connection.read_response()
        for answer in answers or ():
            if isinstance(answer, Exception):
                raise answer
        return answers is not None


def _send(connection: Any, commands: Iterable[tuple[Any, ...]], check_health: bool = False) -> int:
    """Sends commands, and returns how many there were. Only before the first is a connection's health
    checked: later, the answer to that would come behind the others."""
    sent = list(commands)
    connection.send_packed_command(connection.pack_commands(sent), check_health=check_health)
    return len(sent)


@contextmanager
def _connection(client: Any) -> Iterator[Any]:
    """A connection of the client's pool, fit to be used again only if all its answers were read."""
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        yield connection
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
