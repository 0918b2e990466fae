"""The double in a process of its own, for tests that start further processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kvlayer.backends.riak.wire import Address, RiakClient, RiakError, messages
from servers.process import ServerProcess, free_port, temporary_folder


@contextmanager
def running(nodes: int = 1, **knobs: Any) -> Iterator[list[str]]:
    """The addresses of the nodes."""
    ports = [free_port() for _ in range(nodes)]
    command = [sys.executable, Path(__file__).parent, "--knobs", json.dumps(knobs)]
    for port in ports:
        command += ["--port", str(port)]
    with ServerProcess(list(map(str, command)), folder=temporary_folder()) as process:
        process.wait_until(lambda: all(map(_answers, ports)))
        yield [f"127.0.0.1:{port}" for port in ports]


def _answers(port: int) -> bool:
    with RiakClient([Address("127.0.0.1", port)]) as client:
        try:
            client.call(messages.PING)
        except RiakError:
            return False
    return True
