"""Where things lie in Riak: names ↔ buckets, encoded keys ↔ Riak's keys.

| bucket | holds |
|---|---|
| `kvlayer` | one object for each namespace |
| `kvlayer/APP/NAMESPACE` | one object for each table: where it lies |
| `kvlayer/APP/NAMESPACE/KIND/TABLE` | the rows of a table |

Names are percent-encoded, so that a `/` only ever separates them.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from kvlayer.backends.base import BackendTable
from kvlayer.errors import ConfigurationError

MAX_BYTES: Final = 65_536
"""Longest key, and longest name of a bucket, that Riak takes."""

NAMESPACES: Final = b"kvlayer"
"""The bucket that lists the namespaces."""

# Riak refuses an empty key, and an encoded key may be empty.
_PREFIX: Final = b"k"
_BEHIND_PREFIX: Final = b"l"


class Location(NamedTuple):
    """Where the rows of a table lie."""

    bucket: bytes
    bucket_type: bytes | None
    is_counter: bool = False
    """Whether the rows are Riak's counters, not plain objects."""

    @property
    def address(self) -> dict[str, bytes]:
        """As fields of a request."""
        typed = {} if self.bucket_type is None else {"type": self.bucket_type}
        return {"bucket": self.bucket, **typed}


class Layout:
    """The names that belong to one app name and namespace. Raises ConfigurationError for too long ones."""

    def __init__(self, app_name: str, namespace: str) -> None:
        self.namespace = f"{_encoded(app_name)}/{_encoded(namespace)}".encode()
        """The key of this namespace in NAMESPACES."""
        self.tables = NAMESPACES + b"/" + self.namespace
        """The bucket that lists the tables."""
        self.table_bucket(BackendTable(""))  # refuses names too long for any table

    def table_bucket(self, table: BackendTable) -> bytes:
        """The bucket of a table's rows."""
        bucket = self.tables + b"/" + self.table_key(table)
        if len(bucket) > MAX_BYTES:
            raise ConfigurationError(f"riak: names of {len(bucket)} bytes are too long for a bucket")
        return bucket

    @staticmethod
    def table_key(table: BackendTable) -> bytes:
        """The key of a table's entry."""
        return f"{table.kind}/{_encoded(table.name)}".encode()


def table_of_key(key: bytes) -> str:
    """The name of a table, from the key of its entry."""
    return unquote(key.decode().partition("/")[2])


def namespace_of_key(key: bytes) -> tuple[str, str]:
    """App name and namespace, from a key in NAMESPACES."""
    app_name, _, namespace = key.decode().partition("/")
    return unquote(app_name), unquote(namespace)


def stored_key(key: bytes) -> bytes:
    """The key in Riak of an encoded key."""
    return _PREFIX + key


def encoded_key(stored: bytes) -> bytes:
    """The encoded key of a key in Riak."""
    return stored[len(_PREFIX) :]


def stored_range(start: bytes, stop: bytes | None) -> tuple[bytes, bytes]:
    """The half-open range in Riak of one of encoded keys."""
    return _fitting(_PREFIX + start), _BEHIND_PREFIX if stop is None else _fitting(_PREFIX + stop)


def behind(stored: bytes) -> bytes:
    """The smallest key that may follow a key in Riak."""
    return _fitting(stored + b"\0")


def _fitting(bound: bytes) -> bytes:
    """The bound itself, or if it is longer than a key may be, the smallest possible key behind it."""
    if len(bound) <= MAX_BYTES:
        return bound
    shorter = bound[:MAX_BYTES].rstrip(b"\xff")  # never empty: it begins with the prefix
    return shorter[:-1] + bytes([shorter[-1] + 1])


def _encoded(name: str) -> str:
    return quote(name, safe="")
