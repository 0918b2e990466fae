"""The `accumulo` backend against the same Java client, called through JPype row by row.

Both use one cluster, started for the benchmark, and one Java virtual machine. The bare contender is given
its keys and values as Java arrays that are ready, keeps one writer open, and scans with one scanner from the
first row to the last. It never checks a deadline.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Final

import jpype

from benchmarks.harness import WITH_ONE_ROW, Comparison, Contender
from benchmarks.stores.through_kvlayer import ThroughKvlayer
from benchmarks.workload import Batches, Workload
from kvlayer.backends.accumulo import jvm
from kvlayer.backends.accumulo.jvm import java_class

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from servers.accumulo import INSTANCE, PASSWORD, AccumuloServer  # the tests know how to start one

_CLIENT: Final = "org.apache.accumulo.core.client."
_DATA: Final = "org.apache.accumulo.core.data."
_TABLE: Final = "bare"

# As a small cluster for real use would have; the defaults of one for tests hold less than a round's rows.
_PROPERTIES: Final = {
    "tserver.memory.maps.max": "1G",
    "tserver.wal.max.size": "1G",
    "tserver.cache.data.size": "64M",
    "tserver.cache.index.size": "32M",
}
_HEAP: Final = "6G"  # with 768 MB, fifty values of 1 MiB at once have it collect garbage most of the time


class _Ready(bytes):
    """A key or value with the Java array that it is sent as."""

    java: Any

    def __new__(cls, content: bytes) -> _Ready:
        ready = super().__new__(cls, content)
        ready.java = jpype.JArray(jpype.JByte)(content)
        return ready


class BareJPype(Contender):
    """The calls of the Java client that a Java program would make."""

    takes_encoded: ClassVar[bool] = True

    def __init__(self, address: str) -> None:
        jvm.start()
        builder = java_class(_CLIENT + "Accumulo").newClient().to(INSTANCE, address)
        self._client = builder.as_("root", PASSWORD).build()
        tables = self._client.tableOperations()
        if tables.exists(_TABLE):
            tables.delete(_TABLE)
        tables.create(_TABLE)
        self._writer = self._client.createBatchWriter(_TABLE)
        self._authorizations = java_class("org.apache.accumulo.core.security.Authorizations").EMPTY
        self._mutation = java_class(_DATA + "Mutation")
        self._range = java_class(_DATA + "Range")
        self._text = java_class("org.apache.hadoop.io.Text")
        self._empty = jpype.JArray(jpype.JByte)(b"")

    def batches(self, workload: Workload) -> Batches:
        ready = workload.encoded
        return Batches(
            [[(_Ready(key), _Ready(value)) for key, value in batch] for batch in ready.put],
            [[_Ready(key) for key in batch] for batch in ready.get],
            [[_Ready(key) for key in batch] for batch in ready.delete],
        )

    def put(self, rows: list[tuple[Any, Any]]) -> None:
        for key, value in rows:
            mutation = self._mutation(key.java)
            mutation.put(self._empty, self._empty, _java(value))
            self._writer.addMutation(mutation)
        self._writer.flush()

    def get(self, keys: list[Any]) -> list[Any]:
        ranges = jpype.java.util.ArrayList()
        for key in keys:
            ranges.add(self._range(self._text(key.java)))
        with self._client.createBatchScanner(_TABLE, self._authorizations) as scanner:
            scanner.setRanges(ranges)
            return list(map(dict(_rows(scanner)).get, keys))

    def get_one(self, key: Any) -> Any:
        with self._client.createScanner(_TABLE, self._authorizations) as scanner:
            scanner.setRange(self._range(self._text(key.java)))
            return next((value for _, value in _rows(scanner)), None)

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        with self._client.createScanner(_TABLE, self._authorizations) as scanner:
            yield from _rows(scanner)

    def scan_keys(self) -> Iterable[Any]:
        with self._client.createScanner(_TABLE, self._authorizations) as scanner:
            iterator = "org.apache.accumulo.core.iterators.SortedKeyIterator"
            scanner.addScanIterator(java_class(_CLIENT + "IteratorSetting")(1000, "keys", iterator))
            for entry in scanner:
                yield bytes(entry.getKey().getRowData().toArray())

    def delete(self, keys: list[Any]) -> None:
        for key in keys:
            mutation = self._mutation(key.java)
            mutation.putDelete(self._empty, self._empty)
            self._writer.addMutation(mutation)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
        self._client.tableOperations().delete(_TABLE)
        self._client.close()


def _rows(scanner: Any) -> Iterator[tuple[bytes, bytes]]:
    for entry in scanner:
        yield bytes(entry.getKey().getRowData().toArray()), bytes(entry.getValue().get())


def _java(value: bytes) -> Any:
    return value.java if isinstance(value, _Ready) else jpype.JArray(jpype.JByte)(value)


@cache
def _server() -> AccumuloServer:
    """One for all rounds, since it takes long to start; it ends with the process."""
    return AccumuloServer(properties=_PROPERTIES, heap=_HEAP)


def _opened(table_options: dict[str, Any]) -> AbstractContextManager[tuple[Contender, Contender]]:
    @contextmanager
    def opened() -> Iterator[tuple[Contender, Contender]]:
        config = {**_server().config, "table_options": {"rows": table_options}}
        with closing(ThroughKvlayer(config)) as ours, closing(BareJPype(_server().address)) as bare:
            yield ours, bare

    return opened()


@contextmanager
def _served() -> Iterator[dict[str, Any]]:
    with AccumuloServer(properties=_PROPERTIES, heap=_HEAP) as server:
        yield server.config


COMPARISON = Comparison(
    store="accumulo",
    baseline="Java client",
    targets={"put": 0.6, "get": 0.5, "scan": 0.5},
    # As the bare contender writes: in a way that compare_and_put could not rely on.
    open=partial(_opened, {"compare_and_put": False}),
    operations=WITH_ONE_ROW,
    server=_served,
)

COMPARED = replace(
    COMPARISON, store="accumulo, default", targets={}, open=partial(_opened, {}), operations=("put", "delete")
)
"""Writes to a table as it is made by default, whose rows may be compared; the bare contender's may not."""
