"""One table API over many key-value stores: tuple keys in order, the same meaning on every store."""

from kvlayer.backends.base import Capabilities
from kvlayer.catalog import TableInfo
from kvlayer.client import Client, KeyTypes, client
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
from kvlayer.keys import Key
from kvlayer.ranges import Range
from kvlayer.stats import Operation, Totals
from kvlayer.table import Table
from kvlayer.values import ACCUMULATOR, COUNTER, ValueType

__all__ = [
    "ACCUMULATOR",
    "COUNTER",
    "BadKey",
    "Capabilities",
    "Client",
    "ConfigurationError",
    "Key",
    "KeyTypes",
    "KvlayerError",
    "NoSuchTable",
    "NotSupported",
    "Operation",
    "ProgrammerError",
    "Range",
    "SchemaMismatch",
    "SerializationError",
    "StorageClosed",
    "StorageError",
    "Table",
    "TableInfo",
    "Totals",
    "ValueType",
    "add_arguments",
    "check_config",
    "client",
    "config_name",
    "default_config",
    "runtime_keys",
]
