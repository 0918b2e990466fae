"""`Store`: what the suite must know of the store that it runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kvlayer import backends


@dataclass(frozen=True, kw_only=True)
class _Effort:
    """How much the longest tests do; less for a store on which a process or a test is dear."""

    kills: int = 100
    """How many writing processes are killed, on a durable store."""
    workers: int = 100
    """How many processes set up one namespace at the same moment."""
    examples: int = 50
    """How many random sequences of operations are compared with the model."""


@dataclass(frozen=True)
class Store(_Effort):
    """A store to test: how to configure a client for it, and how hard to try.

    The suite makes namespaces of its own, whose app names begin with `kvlayer-test-`, and deletes
    them. It starts other processes, so the configuration must consist of JSON's types.
    """

    config: Mapping[str, Any] = field(repr=False)  # may hold a password
    """What `kvlayer.client` takes; app name and namespace are put in by the suite."""
    backend: str | None = None
    """"package.module:ClassName" of a backend that no entry point registers."""

    def __post_init__(self) -> None:
        json.dumps(dict(self.config))

    def register(self) -> None:
        """Makes the backend known in this process."""
        if self.backend is not None:
            backends.register(self.config["storage_type"], self.backend)
