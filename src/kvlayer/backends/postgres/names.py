"""Namespaces and tables as SQL identifiers: readable, never too long, and never the same for two."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Final

from kvlayer.backends.base import BackendTable

SCHEMA_PREFIX: Final = "kvlayer_"
"""What the names of all schemas of kvlayer begin with."""

_LONGEST: Final = 63  # bytes of an identifier, unless PostgreSQL was built with another NAMEDATALEN
_DIGEST_BYTES: Final = 16


def schema_name(app_name: str, namespace: str) -> str:
    """The SQL schema of a namespace."""
    return _identifier(f"{SCHEMA_PREFIX}{app_name}_{namespace}", (app_name, namespace))


def table_name(table: BackendTable) -> str:
    """The SQL table of a kvlayer table, within the schema; another one for each incarnation."""
    return _identifier(table.name, (table.name, table.kind, table.incarnation))


def lock_number(schema: str) -> int:
    """The advisory lock that those who make or drop tables of a schema hold: a signed 64-bit int."""
    return int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], signed=True)


def _identifier(readable: str, identity: Sequence[str]) -> str:
    """What of the name can be read without quotes, and a digest that tells it from all others."""
    digest = hashlib.sha256(json.dumps(identity).encode()).digest()[:_DIGEST_BYTES]
    suffix = "_" + base64.b32encode(digest).decode().rstrip("=").lower()
    stem = re.sub("[^a-z0-9]+", "_", readable.lower()).lstrip("_")
    return stem[: _LONGEST - len(suffix)].rstrip("_") + suffix
