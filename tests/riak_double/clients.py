"""Clients of the double."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import kvlayer
from kvlayer.backends.riak.wire import Address, RiakClient
from riak_double.server import RiakDouble

GET, PUT, DELETE, INDEX, CS_BUCKET, FETCH, UPDATE = 9, 11, 13, 25, 40, 80, 82
"""Codes of requests."""

_PATIENCE: Final = 20.0


def client_of(double: RiakDouble, namespace: str = "ns", **options: Any) -> kvlayer.Client:
    """A client of kvlayer."""
    options = {"retry_seconds": _PATIENCE, **options}
    return kvlayer.client({**double.config, **options}, app_name="app", namespace=namespace)


def wire_client_of(double: RiakDouble, **options: Any) -> RiakClient:
    """A client of the wire alone."""
    addresses = [Address("127.0.0.1", node.port) for node in double.nodes]
    return RiakClient(addresses, **{"timeout": _PATIENCE, **options})


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns once the condition is true; fails if that takes too long."""
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen")
