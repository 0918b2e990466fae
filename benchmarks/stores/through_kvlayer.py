"""The contender that all bare stores are compared with: a kvlayer client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import kvlayer
from benchmarks.harness import Contender
from benchmarks.workload import KEY_TYPES

_TABLE: Final = "rows"


class ThroughKvlayer(Contender):
    """A table of a client, used through the client's own methods."""

    takes_encoded: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any] | str) -> None:
        """Opens the configured store and makes the table, in a namespace of its own."""
        self._client = kvlayer.client(config, app_name="kvlayer", namespace="benchmark")
        self._client.delete_namespace()
        self._client.setup_namespace({_TABLE: KEY_TYPES})

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        self._client.put(_TABLE, *rows)

    def get(self, keys: list[Any]) -> list[Any]:
        return list(self._client.get(_TABLE, *keys))

    def put_one(self, key: Any, value: bytes) -> None:
        self._client.put(_TABLE, (key, value))

    def get_one(self, key: Any) -> Any:
        ((_, value),) = self._client.get(_TABLE, key)
        return value

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        return self._client.scan(_TABLE)

    def scan_keys(self) -> Iterable[Any]:
        return self._client.scan_keys(_TABLE)

    def delete(self, keys: list[Any]) -> None:
        self._client.delete(_TABLE, *keys)

    def close(self) -> None:
        self._client.delete_namespace()
        self._client.close()
