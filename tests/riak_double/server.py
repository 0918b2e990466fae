"""Nodes that listen on the loopback, share one store, and can be made to fail."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from riak_double.service import Message, Service, error
from riak_double.store import Knobs, Store

_HEADER = struct.Struct(">IB")


@dataclass
class Fault:
    """What goes wrong with some of the requests that are still to come."""

    code: int
    """Of the requests."""
    times: int = 1
    skip: int = 0
    """So many of them go well first."""
    text: str | None = None
    """An error to answer with; without one, the connection is closed."""
    done: bool = False
    """Whether the request has its effect all the same."""
    cut: int | None = None
    """So many bytes of the answer are sent before the connection is closed."""
    delay: float = 0.0
    """Seconds before the answer; with this alone nothing else goes wrong."""


class RiakDouble:
    """A cluster. A context manager that stops all its nodes."""

    def __init__(self, ports: Sequence[int] = (0,), knobs: Knobs | None = None) -> None:
        """A port of 0 is any free one."""
        self.knobs = knobs or Knobs()
        self.store = Store(self.knobs)
        self.service = Service(self.store)
        self.requests: Counter[int] = Counter()
        """How many requests of each code have come."""
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.nodes = [Node(self, port) for port in ports]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.stop()

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a client."""
        return {"storage_type": "riak", "storage_addresses": [node.address for node in self.nodes]}

    def fail(self, fault: Fault) -> None:
        """Lets some of the next requests fail."""
        with self._lock:
            self._faults.append(fault)

    def fault_for(self, code: int) -> Fault | None:
        """Counts a request, and says what is to go wrong with it."""
        with self._lock:
            self.requests[code] += 1
            for fault in self._faults:
                if fault.code == code and fault.times > 0:
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None


class Node:
    """One address of the cluster."""

    def __init__(self, cluster: RiakDouble, port: int) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self.port = port
        self.accepted = 0
        """How many connections were made."""
        self.start()

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def start(self) -> None:
        """Listens (again), on the port that it had."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Closes all connections and refuses new ones. Twice is fine."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.drop_connections()
        while self._threads:
            with self._lock:
                thread = next(iter(self._threads), None)
            if thread is not None:
                thread.join()

    def drop_connections(self) -> None:
        """Closes all connections; new ones are welcome."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self.accepted += 1
                self._connections.add(connection)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb", buffering=2**18) as incoming, suppress(OSError):
                while header := incoming.read(_HEADER.size):
                    length, code = _HEADER.unpack(header)
                    if not self._handle(connection, code, incoming.read(length - 1)):
                        break
        except struct.error:  # the client went away in the middle of a frame
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._threads.discard(threading.current_thread())

    def _handle(self, connection: socket.socket, code: int, body: bytes) -> bool:
        """Answers one request; whether the connection stays open."""
        if self._cluster.knobs.request_seconds:
            time.sleep(self._cluster.knobs.request_seconds)
        fault = self._cluster.fault_for(code)
        if fault is None:
            messages, closes = self._cluster.service.answer(code, body)
        else:
            time.sleep(fault.delay)
            goes_well = fault.delay and fault.text is None and fault.cut is None
            messages, closes = [], False
            if fault.done or goes_well or fault.cut is not None:
                messages, closes = self._cluster.service.answer(code, body)
            if fault.text is not None:
                messages = [error(fault.text)]
                closes = fault.text.startswith("Error processing incoming message:")
            elif not goes_well:
                connection.sendall(_framed(messages)[: fault.cut or 0])
                return False
        for message in messages:
            connection.sendall(_framed([message]))
        return not closes


def _framed(messages: Sequence[Message]) -> bytes:
    return b"".join(_HEADER.pack(len(body) + 1, code) + body for code, body in messages)
