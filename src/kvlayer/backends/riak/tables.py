"""Which tables and namespaces there are: making, finding and dropping them.

In Riak a bucket is there once it is written to, and nothing tells cheaply which ones are. So each table has
an entry that says where it lies, and each namespace one that says it exists. Entries are written before
rows and go after them: whatever was interrupted, the next `drop` finds it all.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from kvlayer.backends.base import BackendTable
from kvlayer.backends.riak.layout import (
    NAMESPACES,
    Layout,
    Location,
    namespace_of_key,
    stored_key,
    table_of_key,
)
from kvlayer.backends.riak.objects import Objects
from kvlayer.backends.riak.options import RiakOptions
from kvlayer.backends.riak.requests import Requests
from kvlayer.backends.riak.scanning import Scanner
from kvlayer.backends.riak.wire import messages
from kvlayer.catalog import CATALOG
from kvlayer.errors import NoSuchTable, SerializationError

_FORMAT: Final = 1
_LOG_ROWS: Final = 10_000

_log = logging.getLogger("kvlayer.riak")


class Tables:
    """The tables of one app name and namespace."""

    def __init__(
        self, layout: Layout, requests: Requests, options: RiakOptions, objects: Objects, scanner: Scanner
    ) -> None:
        self._layout = layout
        self._requests = requests
        self._n_val = options.n_val
        self._type = _as_bytes(options.bucket_type)
        self._counter_type = _as_bytes(options.counter_bucket_type)
        self._objects = objects
        self._scanner = scanner
        self._entries = Location(layout.tables, self._type)
        self._namespaces = Location(NAMESPACES, self._type)
        self._found: dict[BackendTable, Location] = {}

    def create(self, tables: Sequence[BackendTable]) -> None:
        """Enters the tables that have no entry."""
        what = "making tables"
        keys = [stored_key(self._layout.table_key(table)) for table in tables]
        buckets = [self._layout.table_bucket(table) for table in tables]  # refuses names that are too long
        present = self._objects.exist(what, self._entries, keys)
        missing = [
            (key, self._new(table, bucket))
            for key, table, bucket, there in zip(keys, tables, buckets, present, strict=True)
            if not there
        ]
        namespace = stored_key(self._layout.namespace)
        if not self._objects.exist(what, self._namespaces, [namespace])[0]:
            self._set_n_val(what, self._namespaces)
            self._objects.put(what, self._namespaces, [(namespace, _record({}))])
        if missing:
            for location in (self._entries, *(location for _, location in missing)):
                self._set_n_val(what, location)
            entries = [(key, _entry(location)) for key, location in missing]
            self._objects.put(what, self._entries, entries)

    def find(self, table: BackendTable) -> Location:
        """Where a table lies; asked once. Raises NoSuchTable."""
        location = self._found.get(table)
        if location is None:
            what = f"finding table {table.name!r}"
            (entry,) = self._objects.get(what, self._entries, [stored_key(self._layout.table_key(table))])
            if entry is None:
                raise NoSuchTable(f"riak: there is no table {table.name!r} in this namespace")
            location = self._found[table] = _location(entry, self._layout.table_bucket(table))
        return location

    def clear(self, what: str, location: Location, start: bytes = b"", stop: bytes | None = None) -> None:
        """Removes the rows of a range, a page at a time. What an interrupted call has left, the next one
        removes."""
        removed = 0
        for page in self._scanner.keys(what, location, start, stop, None):
            self._objects.delete(what, location, [stored_key(key) for key in page])
            if (removed + len(page)) // _LOG_ROWS > removed // _LOG_ROWS:
                _log.info("%s: %d rows removed", what, removed + len(page))
            removed += len(page)

    def drop(self) -> None:
        """Removes all tables: their rows first, the catalogue's last, then the entries."""
        self._found.clear()
        what = "dropping a namespace"
        catalogue = self._layout.table_key(CATALOG)
        entries = dict(
            row for page in self._scanner.rows(what, self._entries, b"", None, None) for row in page
        )
        for key in sorted(entries, key=lambda key: key == catalogue):
            location = _location(entries[key], self._layout.tables + b"/" + key)
            self.clear(f"dropping table {table_of_key(key)!r}", location)
        rest = sorted((key for key in entries if key != catalogue), reverse=True)
        for keys in (rest, [catalogue] * (catalogue in entries)):
            self._objects.delete(what, self._entries, [stored_key(key) for key in keys])
        self._objects.delete(what, self._namespaces, [stored_key(self._layout.namespace)])

    def list_namespaces(self) -> list[tuple[str, str]]:
        """App name and namespace of all that hold a table, sorted."""
        pages = self._scanner.keys("listing namespaces", self._namespaces, b"", None, None)
        return sorted(namespace_of_key(key) for page in pages for key in page)

    def _new(self, table: BackendTable, bucket: bytes) -> Location:
        if table.kind == "counter" and self._counter_type is not None:
            return Location(bucket, self._counter_type, is_counter=True)
        return Location(bucket, self._type)

    def _set_n_val(self, what: str, location: Location) -> None:
        if self._n_val is None:
            return
        request = messages.GET_BUCKET.request(**location.address)
        if self._requests.call(what, messages.GET_BUCKET, request).props.n_val != self._n_val:
            request = messages.SET_BUCKET.request(props={"n_val": self._n_val}, **location.address)
            self._requests.call(what, messages.SET_BUCKET, request)


def _entry(location: Location) -> bytes:
    bucket_type = None if location.bucket_type is None else location.bucket_type.decode()
    return _record({"bucket_type": bucket_type, "datatype": "counter" if location.is_counter else None})


def _record(fields: dict[str, Any]) -> bytes:
    return json.dumps({"format": _FORMAT, **fields}).encode()


def _location(entry: bytes, bucket: bytes) -> Location:
    try:
        fields = json.loads(entry)
        if fields["format"] != _FORMAT:
            raise SerializationError(
                "riak: a table was made by a newer kvlayer: use that one, or a newer one"
            )
        return Location(bucket, _as_bytes(fields["bucket_type"]), fields["datatype"] == "counter")
    except (ValueError, KeyError, TypeError) as error:
        raise SerializationError("riak: the entry of a table can't be read") from error


def _as_bytes(name: str | None) -> bytes | None:
    return None if name is None else name.encode()
