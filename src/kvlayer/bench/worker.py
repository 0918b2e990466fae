"""A worker process: `python -m kvlayer.bench.worker FD`, where FD is its end of a pair of sockets.

It is a new interpreter and not a fork, since a JVM and other drivers don't survive a fork. What it is to
do arrives through the socket, where nobody else can read it. It ends when the socket is closed, which
the system does when whoever started it dies.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

import kvlayer
from kvlayer.bench.lanes import Begin, Connected, Ended, Failed, Lane, Meeting, Message, Order


def main(descriptor: int) -> None:
    os.set_inheritable(descriptor, False)
    with Connection(descriptor) as connection:
        worker = _Worker(connection)
        try:
            worker.start(connection.recv())
            while True:
                message: Begin = connection.recv()
                worker.meeting.begin(message.at)
        except (EOFError, ConnectionError):
            # Lanes that have not returned are not waited for: nobody would hear of their results.
            os._exit(0)
        except BaseException as error:
            worker.fail(error)


class _Worker:
    """The lanes of this process. Its messages may be sent by any of them."""

    meeting: Meeting

    def __init__(self, connection: Connection[Any, Message]) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._ending = threading.Lock()
        self._results: dict[int, Any] = {}

    def start(self, order: Order) -> None:
        self._order = order
        self._client = kvlayer.client(order.config)
        if order.tables.key_types:
            self._client.setup_namespace(order.tables.key_types, order.tables.value_types)
        self._client.ping()
        self.meeting = Meeting(order.threads, self._send)
        self._send(Connected())
        for number in range(order.first_lane, order.first_lane + order.threads):
            lane = Lane(self._client, number, order.lanes, self.meeting)
            threading.Thread(target=self._run, args=(lane,), daemon=True).start()

    def fail(self, error: BaseException) -> None:
        """Tells of an error, and ends the process."""
        text = " ".join(str(error).split())
        message = f"{type(error).__name__}: {text}" if text else type(error).__name__
        try:
            self._send(Failed(message, "".join(traceback.format_exception(error))))
        finally:
            os._exit(1)

    def _run(self, lane: Lane) -> None:
        try:
            result = self._order.task(lane, self._order.arguments)
            with self._ending:
                self._results[lane.number] = result
                if len(self._results) == self._order.threads:
                    self._client.close()
                    self._send(Ended([self._results[number] for number in sorted(self._results)]))
        except BaseException as error:
            self.fail(error)

    def _send(self, message: Message) -> None:
        with self._sending:
            self._connection.send(message)


if __name__ == "__main__":
    main(int(sys.argv[1]))
