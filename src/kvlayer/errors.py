"""Every error that kvlayer raises, in one tree.

::

    KvlayerError
    ├── ConfigurationError      a configuration that can't work (also a yakonfig.ConfigurationError)
    ├── ProgrammerError         misuse of the API: increment on a table without counters, ...
    ├── BadKey                  a key or value that does not fit its table (also a ValueError)
    ├── NoSuchTable             the namespace holds no table of that name
    ├── SchemaMismatch          a table exists with other key types or another value type
    ├── NotSupported            the store can't do this; its capabilities say so beforehand
    ├── SerializationError      stored bytes that are not what the table's types would have written
    ├── StorageClosed           an operation on a closed client
    ├── StorageError            the store failed; the driver's error is its __cause__
    └── kvlayer.tools.TransferError     a dump, load, copy or comparison that can't go on

A message names the table, the part of the key and what was expected; it never holds a password.
"""

from __future__ import annotations

import yakonfig


class KvlayerError(Exception):
    """The base of all errors raised by kvlayer."""


class ConfigurationError(KvlayerError, yakonfig.ConfigurationError):
    """The configuration can't work; the message names the key and its place, never its value."""


class ProgrammerError(KvlayerError):
    """The API was called in a way that can't mean anything."""


class BadKey(KvlayerError, ValueError):
    """A key or a value does not fit its table: wrong type, wrong length, out of range."""


class NoSuchTable(KvlayerError):
    """The namespace holds no table of that name; `Client.setup_namespace` makes it."""


class SchemaMismatch(KvlayerError):
    """A table exists already with other key types or another value type."""


class NotSupported(KvlayerError):
    """The store can't do this; `Client.capabilities` says so beforehand."""


class SerializationError(KvlayerError):
    """Stored bytes are not what the table's key types or value type would have written."""


class StorageClosed(KvlayerError):
    """The client was closed."""


class StorageError(KvlayerError):
    """The store failed; the driver's error, if there was one, is the `__cause__`.

    `retryable` says whether the same call may succeed later: a lock held too long, a full disk, a
    connection lost; not a file that is no database.
    """

    retryable: bool

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        return _restore_storage_error, (str(self), self.retryable)


def _restore_storage_error(message: str, retryable: bool) -> StorageError:
    return StorageError(message, retryable=retryable)
