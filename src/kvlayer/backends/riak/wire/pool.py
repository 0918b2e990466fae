"""Connections to the nodes of a cluster, a bounded number of them, for several threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from kvlayer.backends.riak.wire.connection import Connection
from kvlayer.backends.riak.wire.errors import ClientClosed, Disconnected

DEFAULT_PORT: Final = 8087
"""Of the Protocol Buffers interface."""

_DOWN_SECONDS: Final = 30.0
"""For so long a node that could not be reached is asked last."""

_CONNECTION_SECONDS: Final = 300.0
"""After so long a connection is replaced, so that a node which was down gets its share again."""


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Pool:
    """Lends connections. A node that can't be reached is passed over in favour of the others."""

    def __init__(self, addresses: Sequence[Address], size: int, connect_timeout: float) -> None:
        self._addresses = list(addresses)
        self._connect_timeout = connect_timeout
        self._changed = threading.Condition()
        self._free = size
        self._idle: deque[Connection] = deque()
        self._turn = 0
        self._down: dict[Address, float] = {}
        self._closed = False

    def take(self, most: int, timeout: float) -> list[Connection]:
        """At least one connection and at most so many. Of those that are free one is left for the short
        requests of other threads. Raises Disconnected if no node can be reached, or none gets free in
        time, ClientClosed after `close`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._free or self._closed, timeout):
                raise Disconnected(f"no free connection within {timeout:g} seconds", undone=True)
            if self._closed:
                raise ClientClosed("the client was closed")
            count = min(most, max(1, self._free - 1))
            self._free -= count
            # The one that has rested longest, so that requests go around among the nodes.
            taken = [self._idle.popleft() for _ in range(min(count, len(self._idle)))]
        try:
            usable = [connection for connection in taken if self._is_usable(connection)]
            self._open_more(usable, count - len(usable))
        except BaseException:
            self._release(count, [])
            raise
        self._release(count - len(usable), [])
        return usable

    def give(self, connections: Sequence[Connection]) -> None:
        """Takes connections back; those that are closed are forgotten."""
        self._release(len(connections), connections)

    def close(self) -> None:
        """Closes all idle connections now, and others when they come back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, deque()
            self._changed.notify_all()
        for connection in idle:
            connection.close()

    def _is_usable(self, connection: Connection) -> bool:
        if connection.is_idle() and time.monotonic() - connection.opened_at < _CONNECTION_SECONDS:
            return True
        connection.close()
        return False

    def _open_more(self, connections: list[Connection], count: int) -> None:
        for _ in range(count):
            try:
                connections.append(self._open())
            except Disconnected:
                if not connections:
                    raise
                return

    def _open(self) -> Connection:
        failure = None
        for address in self._in_turn():
            try:
                connection = Connection(*address, self._connect_timeout)
            except Disconnected as error:
                failure = error
                self._down[address] = time.monotonic()
            else:
                self._down.pop(address, None)
                return connection
        assert failure is not None
        raise failure

    def _in_turn(self) -> list[Address]:
        """All nodes, the next one first, those that were found down a moment ago last."""
        with self._changed:
            self._turn = (self._turn + 1) % len(self._addresses)
            turn = self._turn
        now = time.monotonic()
        return sorted(
            self._addresses[turn:] + self._addresses[:turn],
            key=lambda address: now - self._down.get(address, -_DOWN_SECONDS) < _DOWN_SECONDS,
        )

    def _release(self, count: int, connections: Sequence[Connection]) -> None:
        with self._changed:
            self._free += count
            if not self._closed:
                self._idle += [connection for connection in connections if not connection.closed]
            self._changed.notify(max(count, 1))
            closed = self._closed
        if closed:
            for connection in connections:
                connection.close()
