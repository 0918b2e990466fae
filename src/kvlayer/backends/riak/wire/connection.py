"""One connection to a node: frames on a socket that is never waited for without a limit."""

from __future__ import annotations

import select
import socket
import time
from typing import Final

from kvlayer.backends.riak.wire.errors import Disconnected, Refused
from kvlayer.backends.riak.wire.messages import ERROR_CODE, HEADER, ErrorResp

_RECEIVED_AT_ONCE: Final = 256 * 1024
_LENGTH_BYTES: Final = 4

Frame = tuple[int, bytes]
"""The code and the body of a message."""


class Connection:
    """Sends and receives frames. Raises Disconnected when the node goes away; then it is closed."""

    __slots__ = ("_outbox", "_received", "_socket", "host", "opened_at", "port")

    def __init__(self, host: str, port: int, connect_timeout: float) -> None:
        self.host, self.port = host, port
        self._outbox = bytearray()
        self._received = bytearray()
        self.opened_at = time.monotonic()
        try:
            self._socket = socket.create_connection((host, port), connect_timeout)
        except OSError as error:
            raise Disconnected(f"{self.address} can't be reached: {_reason(error)}", undone=True) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setblocking(False)

    @property
    def address(self) -> str:
        """host:port"""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._socket.fileno() < 0

    def fileno(self) -> int:
        """For `select.poll`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Ends the connection. Twice is fine."""
        self._socket.close()

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._outbox)

    def is_idle(self) -> bool:
        """Whether the node still waits for a request, as far as is known here: it has neither closed the
        connection nor said anything."""
        if self.closed or self._received or self._outbox:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, data: bytes = b"") -> None:
        """Sends as much as the network takes now, of what is left from before and of `data`."""
        if self._outbox:
            self._outbox += data
            data = bytes(self._outbox[:_RECEIVED_AT_ONCE])
            sent = self._try_to_send(data)
            del self._outbox[:sent]
        elif data:
            sent = self._try_to_send(data)
            if sent < len(data):
                self._outbox += memoryview(data)[sent:]

    def receive(self) -> int:
        """Takes what has arrived, without waiting; returns how many bytes."""
        try:
            data = self._socket.recv(_RECEIVED_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._lost(_reason(error)) from error
        if not data:
            raise self._lost("the node closed the connection")
        self._received += data
        return len(data)

    def frames(self) -> list[Frame]:
        """The frames that have arrived wholly."""
        found = []
        received, position = self._received, 0
        with memoryview(received) as view:
            while len(received) - position >= HEADER.size:
                length, code = HEADER.unpack_from(view, position)
                end = position + _LENGTH_BYTES + length
                if len(received) < end:
                    break
                found.append((code, bytes(view[position + HEADER.size : end])))
                position = end
        del received[:position]
        return found

    def announced(self) -> int:
        """The length of the frame that is arriving; 0 as long as that isn't known."""
        return HEADER.unpack_from(self._received)[0] if len(self._received) >= HEADER.size else 0

    def refused(self, body: bytes) -> Refused:
        """The error that an answer of code 0 stands for; ends the connection if the node does so."""
        answer = ErrorResp.FromString(body)
        refused = Refused(answer.errmsg.decode("utf-8", "replace"), answer.errcode)
        if refused.closes:
            self.close()
        return refused

    def wait(self, timeout: float) -> None:
        """Waits until something arrives, or can be sent if something is to be."""
        events = select.POLLIN | (select.POLLOUT if self._outbox else 0)
        poll = select.poll()
        poll.register(self._socket, events)
        if not poll.poll(timeout * 1000):
            raise self._lost(f"no answer within {timeout:g} seconds")

    def expect(self, code: int, frame: Frame) -> bytes:
        """The body of an answer that should have this code. Raises Refused if it is an error."""
        if frame[0] == code:
            return frame[1]
        if frame[0] == ERROR_CODE:
            raise self.refused(frame[1])
        raise self._lost(f"the node answered with a message of code {frame[0]} instead of {code}")

    def _try_to_send(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._lost(_reason(error)) from error

    def _lost(self, reason: str) -> Disconnected:
        self.close()
        return Disconnected(f"{self.address}: {reason}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
