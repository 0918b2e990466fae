"""One table API over many key-value stores: tuple keys in order, the same meaning on every store."""

from kvlayer.backends.base import Capabilities
from kvlayer.catalog import TableInfo
from kvlayer.client import Client, client
from kvlayer.config import add_arguments, check_config, config_name, default_config, runtime_keys
from kvlayer.errors import (
    BadKey,
    ConfigurationError,
    KvlayerError,
    NoSuchTable,
    NotSupported,
    ProgrammerError,
    SchemaMismatch,
    SerializationError,
    StorageClosed,
    StorageError,
)
from kvlayer.stats import Operation
from kvlayer.table import Table
from kvlayer.values import ACCUMULATOR, COUNTER

__all__ = [
    "ACCUMULATOR",
    "COUNTER",
    "BadKey",
    "Capabilities",
    "Client",
    "ConfigurationError",
    "KvlayerError",
    "NoSuchTable",
    "NotSupported",
    "Operation",
    "ProgrammerError",
    "SchemaMismatch",
    "SerializationError",
    "StorageClosed",
    "StorageError",
    "Table",
    "TableInfo",
    "add_arguments",
    "check_config",
    "client",
    "config_name",
    "default_config",
    "runtime_keys",
]
