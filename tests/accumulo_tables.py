"""Backends of Accumulo, and what the tests ask of their tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kvlayer.backends.accumulo import AccumuloBackend
from kvlayer.backends.accumulo.layout import Layout
from kvlayer.backends.base import BackendTable
from servers.accumulo import shared_server

PLAIN = BackendTable("plain", incarnation="1")
FAST = BackendTable("fast", incarnation="1", options={"compare_and_put": False})
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
ACCUMULATOR = BackendTable("accumulator", kind="accumulator", incarnation="1")
CATALOGUE = BackendTable("catalogue")  # the only one without an incarnation


@contextmanager
def opened(
    app_name: str, namespace: str = "ns", config: dict[str, Any] | None = None, **options: Any
) -> Iterator[AccumuloBackend]:
    """A backend of the shared cluster, or of that of `config`."""
    given = {key: value for key, value in (config or shared_server().config).items() if key != "storage_type"}
    made = AccumuloBackend.Options(**{**given, **options})
    with closing(AccumuloBackend(made, app_name, namespace)) as backend:
        yield backend


def told() -> dict[str, str]:
    """What the client properties file of the cluster says."""
    lines = shared_server().properties_file.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def name_of(table: BackendTable, app_name: str, namespace: str = "ns") -> str:
    return Layout(app_name, namespace).table_name(table)


def keys_of(backend: AccumuloBackend, table: BackendTable) -> list[bytes]:
    return [key for page in backend.scan_keys(table, b"", None, reverse=False, limit=None) for key in page]


def rows_of(backend: AccumuloBackend, table: BackendTable) -> list[tuple[bytes, bytes]]:
    return [row for page in backend.scan(table, b"", None, reverse=False, limit=None) for row in page]


def splits_of(administrator: Any, table: BackendTable, app_name: str) -> list[bytes]:
    name = name_of(table, app_name)
    return sorted(bytes(split.copyBytes()) for split in administrator.tableOperations().listSplits(name))
