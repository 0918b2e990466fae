"""A place of its own in a store: the clients that a test makes, and the namespaces it fills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import kvlayer
from kvlayer.testing.store import Store


class Space:
    """Makes clients whose app names nobody else uses; `open_space` cleans up behind them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.app_name = f"kvlayer-test-{uuid4().hex[:12]}"
        self._clients: list[kvlayer.Client] = []
        self._used: dict[tuple[str, str], None] = {}

    def config(self, app_suffix: str = "", namespace: str = "test") -> dict[str, Any]:
        """A client's configuration; the app name is that of this space and the suffix."""
        app_name = self.app_name + app_suffix
        self._used[app_name, namespace] = None
        return {**self.store.config, "app_name": app_name, "namespace": namespace}

    def client(self, app_suffix: str = "", namespace: str = "test") -> kvlayer.Client:
        """A client, closed at the end of the test at the latest."""
        client = kvlayer.client(self.config(app_suffix, namespace))
        self._clients.append(client)
        return client

    def close_clients(self) -> None:
        """Closes what `client` has made."""
        while self._clients:
            self._clients.pop().close()

    def delete(self) -> None:
        """Deletes all that was made here; names that the store refuses hold nothing."""
        self.close_clients()
        for app_name, namespace in self._used:
            config = {**self.store.config, "app_name": app_name, "namespace": namespace}
            try:
                client = kvlayer.client(config)
            except kvlayer.ConfigurationError:
                continue
            with client:
                try:
                    client.delete_namespace()
                except kvlayer.ConfigurationError:
                    continue


@contextmanager
def open_space(store: Store) -> Iterator[Space]:
    """A space, deleted afterwards."""
    store.register()
    space = Space(store)
    try:
        yield space
    finally:
        space.delete()
