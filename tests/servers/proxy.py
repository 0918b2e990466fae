"""A TCP proxy that can lose an answer: the server has done what was asked, and the client doesn't know."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import closing, suppress
from types import TracebackType
from typing import Self


class LossyProxy:
    """Stands between clients and a server on the loopback. `lose_answer` makes it lossy, once."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._marker: bytes | None = None
        self._threads = [threading.Thread(target=self._accept)]
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def lose_answer(self, marker: bytes) -> None:
        """Closes the connection instead of passing on the answer to the next request with `marker` in it."""
        self._marker = marker

    def _accept(self) -> None:
        while not self._ended.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                thread = threading.Thread(target=self._serve, args=(self._listener.accept()[0],))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client), closing(socket.create_connection(("127.0.0.1", self._server_port))) as server:
            loses = False
            with suppress(OSError):
                while not self._ended.is_set():
                    for end in select.select([client, server], [], [], 0.05)[0]:
                        data = end.recv(65536)
                        if not data or (end is server and loses):
                            return
                        if end is client and self._marker is not None and self._marker in data:
                            self._marker, loses = None, True
                        (server if end is client else client).sendall(data)
