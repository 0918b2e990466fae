"""A store with a password, as those have that need a server: memory behind the options of one."""

from __future__ import annotations

from typing import Any

import msgspec

from kvlayer.backends.local import LocalBackend


class SecretiveBackend(LocalBackend):
    """Refuses to open without the right password."""

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """What a server wants to know."""

        storage_addresses: list[str] = []
        username: str | None = None
        password: str | None = None
        timeout: float = 1.0

    passwords_seen: list[str | None] = []

    def __init__(self, options: Any, app_name: str, namespace: str) -> None:
        super().__init__(options, app_name, namespace)
        self.passwords_seen.append(options.password)
