"""Many requests over several connections at once, from one thread."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from kvlayer.backends.riak.wire.connection import Connection
from kvlayer.backends.riak.wire.errors import Disconnected, RiakError
from kvlayer.backends.riak.wire.messages import ERROR_CODE

Outcome: TypeAlias = bytes | RiakError
"""The body of an answer, or why there is none."""

_DEPTH: Final = 16
"""Requests under way on one connection. A node serves one after the other: more only wait there."""

_UNSENT_BYTES: Final = 2**18
"""A connection with more than this to send gets nothing more to do."""

_CHECKS: Final = 20
"""So many times within `timeout` it is looked for connections that are silent."""

_FIRST_REQUESTS: Final = 4
"""With a budget, so many go out before it is known how large the answers are."""


class Pipeline:
    """Deals requests out to connections as these get answered, so that a slow node gets fewer of them.

    Requests are sent in their order, and each connection answers in its own.
    """

    def __init__(
        self, connections: Sequence[Connection], count: int, frame: Callable[[int], bytes], reply_code: int
    ) -> None:
        """`frame(n)` is what is sent for the request of number n."""
        self._count = count
        self._frame = frame
        self._reply_code = reply_code
        self._next = 0
        self._outcomes: list[Outcome | None] = [None] * count
        self._waiting: dict[int, deque[int]] = {one.fileno(): deque() for one in connections}
        self._connections = {one.fileno(): one for one in connections}
        self._depth = max(1, min(_DEPTH, -(-count // len(connections))))
        self._under_way = 0
        self._answered = 0
        self._received = 0
        self._largest = 0
        self._poll = select.poll()
        self._sending: set[int] = set()
        for number in self._connections:
            self._poll.register(number, select.POLLIN)

    def run(self, timeout: float, budget: int | None) -> list[Outcome]:
        """The outcomes of the first so many requests; of all, unless their answers would pass `budget`
        bytes. A connection from which nothing comes for `timeout` seconds is given up."""
        self._budget = budget
        heard = dict.fromkeys(self._connections, time.monotonic())
        to_feed = list(self._connections)
        pause = timeout / _CHECKS
        next_check = time.monotonic() + pause
        while self._connections:
            for number in to_feed:
                if number in self._connections and len(self._waiting[number]) <= self._depth // 2:
                    self._feed(number)
            if not self._under_way:
                break
            ready = self._poll.poll(pause * 1000)
            now = time.monotonic()
            for number, _ in ready:
                if self._serve(number):
                    heard[number] = now
            if now >= next_check:
                self._give_up_silent(heard, now, timeout)
                next_check = now + pause
            # What is within the budget depends on all connections, the rest on each by itself.
            to_feed = [number for number, _ in ready] if budget is None else list(self._connections)
        unreached = Disconnected("all connections were lost before this was sent", undone=True)
        if not self._connections:
            self._outcomes[self._next :] = [unreached] * (self._count - self._next)
            self._next = self._count
        return [unreached if outcome is None else outcome for outcome in self._outcomes[: self._next]]

    def _feed(self, number: int) -> None:
        """Sends what one connection may have under way."""
        waiting, connection = self._waiting[number], self._connections[number]
        frames = []
        size = connection.unsent
        while (
            len(waiting) < self._depth
            and self._next < self._count
            and size < _UNSENT_BYTES
            and self._within_budget()
        ):
            frame = self._frame(self._next)
            frames.append(frame)
            size += len(frame)
            waiting.append(self._next)
            self._next += 1
            self._under_way += 1
        if frames:
            self._attempt(number, lambda: connection.send(b"".join(frames)))

    def _within_budget(self) -> bool:
        if self._budget is None:
            return True
        if not self._answered:
            return self._under_way < _FIRST_REQUESTS
        return self._received + (self._under_way + 1) * self._largest <= self._budget

    def _serve(self, number: int) -> bool:
        """Sends and receives what one connection can; whether anything moved."""
        connection = self._connections[number]
        before = connection.unsent

        def move() -> int:
            if before:
                connection.send()
            return connection.receive()

        arrived = self._attempt(number, move)
        if arrived:
            waiting = self._waiting[number]
            for code, body in connection.frames():
                if not waiting:
                    self._lose(number, Disconnected(f"{connection.address}: an answer to nothing"))
                    break
                self._settle(connection, waiting.popleft(), code, body)
            if connection.closed and number in self._connections:
                self._lose(number, Disconnected(f"{connection.address}: closed after an error"))
        return bool(arrived) or connection.unsent < before

    def _settle(self, connection: Connection, index: int, code: int, body: bytes) -> None:
        self._under_way -= 1
        self._answered += 1
        self._received += len(body)
        if len(body) > self._largest:
            self._largest = len(body)
        if code == self._reply_code:
            self._outcomes[index] = body
        elif code == ERROR_CODE:
            self._outcomes[index] = connection.refused(body)
        else:
            connection.close()
            self._outcomes[index] = Disconnected(f"{connection.address}: an answer of code {code}")

    def _attempt(self, number: int, move: Callable[[], int | None]) -> int:
        try:
            moved = move()
        except Disconnected as error:
            self._lose(number, error)
            return 0
        must_send = bool(self._connections[number].unsent)
        if must_send != (number in self._sending):
            self._sending ^= {number}
            self._poll.modify(number, select.POLLIN | (select.POLLOUT if must_send else 0))
        return moved or 0

    def _give_up_silent(self, heard: dict[int, float], now: float, timeout: float) -> None:
        for number in list(self._connections):
            if not self._waiting[number]:
                heard[number] = now
            elif now - heard[number] >= timeout:
                address = self._connections[number].address
                self._lose(number, Disconnected(f"{address}: no answer within {timeout:g} seconds"))

    def _lose(self, number: int, error: Disconnected) -> None:
        """Gives a connection up; what was under way on it is unknown."""
        self._poll.unregister(number)
        connection = self._connections.pop(number)
        connection.close()
        for index in self._waiting.pop(number):
            self._outcomes[index] = error
            self._under_way -= 1
