"""The store that a benchmark works on: in a namespace of its own, which is gone when it has ended."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import kvlayer
from kvlayer.backends.base import Capabilities
from kvlayer.bench.environment import environment
from kvlayer.bench.errors import BenchError
from kvlayer.bench.results import Environment
from kvlayer.config import resolve
from kvlayer.errors import KvlayerError


@dataclass(frozen=True)
class BenchStore:
    """A store, and a namespace of it for one benchmark."""

    config: Mapping[str, Any] = field(repr=False)
    """What the workers make their clients from."""
    storage_type: str
    capabilities: Capabilities
    environment: Environment

    def require_processes(self, workers: int) -> None:
        """Raises BenchError where so many worker processes can't share the store."""
        if workers > 1 and not self.capabilities.concurrent_processes:
            raise BenchError(
                f"{self.storage_type}: one process alone can use this store, not {workers};"
                " give it 1 worker, and threads"
            )


@contextmanager
def bench_store(
    config: Mapping[str, Any] | str | None, *, app_name: str | None = None, namespace: str | None = None
) -> Iterator[BenchStore]:
    """A namespace of the store for the length of a block; removed in the end, whatever happens in it.

    `config` and `app_name` are those of `kvlayer.client`. The namespace is a new one, whatever the
    configuration says, unless one is given here. Raises BenchError where that holds tables, which are
    then left alone; ConfigurationError; and StorageError.
    """
    name = namespace or f"bench-{secrets.token_hex(4)}"
    settings = resolve(config, app_name=app_name, namespace=name)
    with kvlayer.Client(settings) as client:
        _require_emptiness(client, name)
        try:
            yield BenchStore(
                settings.given,
                settings.common.storage_type,
                client.capabilities,
                environment(client, settings.common.storage_type, settings.options),
            )
        except BaseException:
            try:
                client.delete_namespace()
            except KvlayerError as error:  # which must not hide the one that ended the benchmark
                warnings.warn(f"namespace {name!r} could not be removed: {error}", stacklevel=3)
            raise
        client.delete_namespace()


def _require_emptiness(client: kvlayer.Client, namespace: str) -> None:
    if tables := client.tables():
        names = "the table " if len(tables) == 1 else f"{len(tables)} tables, such as "
        raise BenchError(
            f"namespace {namespace!r} holds {names}{tables[0].name!r}: a benchmark removes its namespace in"
            " the end, so it takes none that is in use"
        )
