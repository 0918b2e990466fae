"""The operations of a store in a Riak cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from typing import Any, ClassVar
from urllib.parse import SplitResult

import msgspec

from kvlayer.backends.base import Backend, BackendTable, Capabilities, Row
from kvlayer.backends.riak.cluster import Cluster
from kvlayer.backends.riak.counters import COUNTER_RANGE, Counters
from kvlayer.backends.riak.layout import MAX_BYTES, Layout, stored_key
from kvlayer.backends.riak.objects import Objects
from kvlayer.backends.riak.options import RiakOptions, options_from_url
from kvlayer.backends.riak.scanning import Scanner
from kvlayer.backends.riak.tables import Tables
from kvlayer.errors import NotSupported


class RiakBackend(Backend):
    """Tables in Riak KV, for any number of processes."""

    Options: ClassVar[type[msgspec.Struct]] = RiakOptions

    reads_ahead = True

    capabilities = Capabilities(
        durable=True,
        concurrent_processes=True,
        atomic_put=False,
        read_your_writes=False,  # until it is known how many replicas a write waits for
        reverse=False,
        compare_and_put=False,
        atomic_increment=True,  # with a bucket type for counters
        accumulate=False,
        atomic_increment_batch=False,
        counter_range=COUNTER_RANGE,
        fork_safe=True,
        max_key_bytes=MAX_BYTES - len(stored_key(b"")),
        # Riak takes objects of 50 MiB; its own part of them is small but for the bucket and the key.
        max_value_bytes=50 * 2**20 - 4 * MAX_BYTES,
    )

    def __init__(self, options: RiakOptions, app_name: str, namespace: str) -> None:
        """Connects, and finds out what the bucket types can do."""
        layout = Layout(app_name, namespace)
        self._cluster = Cluster(options)
        try:
            facts = self._cluster.facts()
        except BaseException:
            self._cluster.close()
            raise
        requests = self._cluster.requests
        self._objects = Objects(requests, options, allow_mult=facts.allow_mult)
        self._counters = Counters(requests, options)
        self._scanner = Scanner(requests, options, self._objects)
        self._tables = Tables(layout, requests, options, self._objects, self._scanner)
        counts = options.counter_bucket_type is not None
        self.capabilities = changed(
            type(self).capabilities,
            read_your_writes=facts.read_your_writes,
            atomic_increment=counts,
            counter_range=COUNTER_RANGE if counts else None,
            page_rows=options.scan_limit,
        )

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """See `options.options_from_url`."""
        return options_from_url(url)

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Enters the tables that aren't there yet: two small batches if all are."""
        self._tables.create(tables)

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows, each for itself, over several connections at once."""
        location, what = self._tables.find(table), f"put of table {table.name!r}"
        self._scanner.learn(location, rows)
        stored = [(stored_key(key), value) for key, value in rows]
        if location.is_counter:
            values = [(key, int(value)) for key, value in stored]
            self._counters.put(what, table.name, location, values)
        else:
            self._objects.put(what, location, stored)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys; of the first so many, where the values pass 8 MiB."""
        location, what = self._tables.find(table), f"get of table {table.name!r}"
        stored = list(map(stored_key, keys))
        if location.is_counter:
            numbers = self._counters.get(what, location, stored)
            return [None if number is None else b"%d" % number for number in numbers]
        return self._objects.get(what, location, stored)

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys, each for itself."""
        location = self._tables.find(table)
        self._objects.delete(f"delete of table {table.name!r}", location, list(map(stored_key, keys)))

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows. Raises NotSupported for `reverse`: Riak reads forwards only."""
        _require_forwards(reverse)
        return self._scanner.rows(
            f"scan of table {table.name!r}", self._tables.find(table), start, stop, limit
        )

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys. Values of more than 16 KiB do not leave the cluster; smaller ones do, since
        that is the cheaper way to tell rows from tombstones."""
        _require_forwards(reverse)
        what = f"scan_keys of table {table.name!r}"
        return self._scanner.keys(what, self._tables.find(table), start, stop, limit)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes a range a page at a time; an interrupted call can be repeated."""
        self._tables.clear(f"delete_range of table {table.name!r}", self._tables.find(table), start, stop)

    def clear(self, table: BackendTable) -> None:
        """Removes all rows a page at a time; an interrupted call can be repeated."""
        self._tables.clear(f"clear of table {table.name!r}", self._tables.find(table))

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds to Riak's own counters, to each for itself."""
        location = self._tables.find(table)
        if not location.is_counter:
            raise NotSupported(
                f"riak: table {table.name!r} has no counters: it was set up without counter_bucket_type"
            )
        stored = [(stored_key(key), delta) for key, delta in deltas]
        return self._counters.increment(f"increment of table {table.name!r}", table.name, location, stored)

    def drop_namespace(self) -> None:
        """Removes all tables, row by row; an interrupted call can be repeated."""
        self._tables.drop()

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs under this bucket type, sorted."""
        return self._tables.list_namespaces()

    def ping(self) -> dict[str, Any]:
        """Asks one of the nodes: its `node` name and `version`, and of the bucket type `n_val` and
        `allow_mult`."""
        return self._cluster.ping()

    def close(self) -> None:
        """Closes all connections."""
        self._cluster.close()


def _require_forwards(reverse: bool) -> None:
    if reverse:
        raise NotSupported("riak: scans can't run backwards")
