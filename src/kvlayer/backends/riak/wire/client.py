"""`RiakClient`: requests to whichever node of a cluster answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from kvlayer.backends.riak.wire.connection import Connection
from kvlayer.backends.riak.wire.errors import Disconnected, RiakError
from kvlayer.backends.riak.wire.messages import Exchange
from kvlayer.backends.riak.wire.pipeline import Outcome, Pipeline
from kvlayer.backends.riak.wire.pool import Address, Pool

_REQUESTS_A_CONNECTION: Final = 4
"""A batch takes one more connection for each so many requests."""


class Streamed(NamedTuple):
    """What an answer of several messages brought."""

    messages: list[Any]
    size: int
    """Bytes of all messages."""
    complete: bool
    """False if the answer was larger than allowed, and the rest of it was dropped."""


class RiakClient:
    """Requests over a pool of connections, for several threads; nothing is connected until the first.

    Nothing is repeated here, for only the caller knows what may be done twice. All times are seconds.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        max_connections: int = 16,
        connect_timeout: float = 5.0,
        timeout: float = 30.0,
    ) -> None:
        """`timeout` is how long a node may be silent while an answer is awaited."""
        if not addresses:
            raise ValueError("a client needs the address of at least one node")
        self.addresses = tuple(addresses)
        self._timeout = timeout
        self._max_connections = max_connections
        self._pool = Pool(self.addresses, max_connections, connect_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RiakClient of {', '.join(map(str, self.addresses))}>"

    def call(self, exchange: Exchange, message: Any = None) -> Any:
        """The answer to one request; without a message, to an empty one.

        Raises Refused for an error that the node answers with, Disconnected if there is no answer,
        ClientClosed after `close`.
        """
        request = exchange.request() if message is None else message
        outcome = self.call_many(exchange, 1, lambda _: request)[0]
        if isinstance(outcome, RiakError):
            raise outcome
        return exchange.reply(outcome)

    def call_many(
        self, exchange: Exchange, count: int, message: Callable[[int], Any], budget: int | None = None
    ) -> list[Outcome]:
        """Makes `count` requests at once, the n-th of which is `message(n)`, called when it is sent.

        Gives for each, in their order, the undecoded answer, or the error. They are done in no
        particular order. With a `budget`, no more requests are made once the answers together would
        pass so many bytes: the list is then shorter, but has at least one outcome.
        Raises Disconnected if no node can be reached, ClientClosed after `close`.
        """
        if not count:
            return []
        wanted = min(self._max_connections, -(-count // _REQUESTS_A_CONNECTION))
        connections = self._pool.take(wanted, self._timeout)
        finished = False
        try:
            pipeline = Pipeline(connections, count, lambda n: exchange.frame(message(n)), exchange.reply_code)
            outcomes = pipeline.run(self._timeout, budget)
            finished = True
            return outcomes
        finally:
            self._give_back(connections, finished)

    def stream(
        self,
        exchange: Exchange,
        message: Any,
        is_last: Callable[[Any], bool],
        budget: int | None = None,
    ) -> Streamed:
        """All messages of an answer that ends with one for which `is_last` is true.

        With a `budget`, reading stops before the message with which they would pass so many bytes.
        Raises what `call` does.
        """
        (connection,) = self._pool.take(1, self._timeout)
        finished = False
        try:
            connection.send(exchange.frame(message))
            streamed = _read_stream(connection, exchange, is_last, self._timeout, budget)
            finished = streamed.complete
            return streamed
        except RiakError as error:
            finished = not isinstance(error, Disconnected)
            raise
        finally:
            self._give_back([connection], finished)

    def close(self) -> None:
        """Closes all connections; requests under way are answered still. Twice is fine."""
        self._pool.close()

    def _give_back(self, connections: Sequence[Connection], finished: bool) -> None:
        if not finished:  # something may still arrive there
            for connection in connections:
                connection.close()
        self._pool.give(connections)


def _read_stream(
    connection: Connection,
    exchange: Exchange,
    is_last: Callable[[Any], bool],
    timeout: float,
    budget: int | None,
) -> Streamed:
    found: list[Any] = []
    size = 0
    while True:
        for frame in connection.frames():
            body = connection.expect(exchange.reply_code, frame)
            if budget is not None and size + len(body) > budget:
                return Streamed(found, size, False)
            message = exchange.reply(body)
            found.append(message)
            size += len(body)
            if is_last(message):
                return Streamed(found, size, True)
        if budget is not None and size + connection.announced() > budget:
            return Streamed(found, size, False)
        connection.wait(timeout)
        if connection.unsent:
            connection.send()
        connection.receive()
