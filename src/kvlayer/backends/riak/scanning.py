"""Pages of rows and of keys, as kvlayer knows them: without the tombstones of deleted rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from kvlayer.backends.base import Row
from kvlayer.backends.riak.contents import counter_of, newest
from kvlayer.backends.riak.layout import Location, encoded_key, stored_range
from kvlayer.backends.riak.objects import Objects
from kvlayer.backends.riak.options import RiakOptions
from kvlayer.backends.riak.paging import Bounds, KeyPaging, ObjectPaging, Paging
from kvlayer.backends.riak.requests import Requests

_Item = TypeVar("_Item")

_LARGE_ROW: Final = 2**14
"""Bytes of a row from which on a scan of keys asks for keys alone. Each key must then be looked up, since
Riak lists those of deleted rows too, and that costs as much as moving about so many bytes."""


class Scanner:
    """Scans the tables of one client, and remembers how large their rows are."""

    def __init__(self, requests: Requests, options: RiakOptions, objects: Objects) -> None:
        self._requests = requests
        self._objects = objects
        self._milliseconds = options.node_milliseconds
        self._row_bounds = Bounds(4 * 2**20, 8 * 2**20, options.scan_limit)
        self._key_bounds = Bounds(2**19, 2**20, options.scan_limit)
        self._row_bytes: dict[bytes, int] = {}

    def learn(self, location: Location, rows: Sequence[Row]) -> None:
        """Notes the size of rows that are written."""
        size = sum(len(key) + len(value) for key, value in rows)
        self._row_bytes[location.bucket] = size // len(rows) + 1

    def rows(
        self, what: str, location: Location, start: bytes, stop: bytes | None, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows."""
        paging = self._objects_of(what, location, stored_range(start, stop), self._row_bounds)
        read = _counter_rows if location.is_counter else _rows

        def next_rows(left: int | None) -> list[Row]:
            page = read(paging.page(left))
            self._row_bytes[location.bucket] = paging.item_bytes
            return page

        return _pages(paging, next_rows, limit)

    def keys(
        self, what: str, location: Location, start: bytes, stop: bytes | None, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys. Those of small rows come with the rows; large values stay where they are."""
        whole = stored_range(start, stop)
        paging = self._objects_of(what, location, whole, self._key_bounds)
        read = _counter_keys if location.is_counter else _keys
        looking_up: KeyPaging | None = None

        def next_keys(left: int | None) -> list[bytes]:
            nonlocal looking_up
            if looking_up is None and paging.item_bytes < _LARGE_ROW:
                return read(paging.page(left))
            if looking_up is None:
                rest = (paging.behind_last, whole[1])
                looking_up = KeyPaging(
                    self._requests,
                    location,
                    rest,
                    self._key_bounds,
                    what=what,
                    milliseconds=self._milliseconds,
                )
            listed = [key for key in looking_up.page(left) if key != whole[1]]
            paging.more = looking_up.more
            alive = self._objects.exist(what, location, listed)
            return [encoded_key(key) for key, lives in zip(listed, alive, strict=True) if lives]

        return _pages(paging, next_keys, limit)

    def _objects_of(
        self, what: str, location: Location, key_range: tuple[bytes, bytes], bounds: Bounds
    ) -> ObjectPaging:
        return ObjectPaging(
            self._requests,
            location,
            key_range,
            bounds,
            what=what,
            milliseconds=self._milliseconds,
            item_bytes=self._row_bytes.get(location.bucket, 0),
        )


def _pages(
    paging: Paging, next_page: Callable[[int | None], list[_Item]], limit: int | None
) -> Iterator[list[_Item]]:
    while paging.more and (limit is None or limit > 0):
        page = next_page(limit)[:limit]
        if limit is not None:
            limit -= len(page)
        if page:
            yield page


def _rows(objects: Sequence[Any]) -> list[Row]:
    rows = []
    for item in objects:
        content = newest(item.object.content)
        if content is not None:
            rows.append((encoded_key(item.key), content.value))
    return rows


def _counter_rows(objects: Sequence[Any]) -> list[Row]:
    counted = [(encoded_key(item.key), counter_of(item.object.content)) for item in objects]
    return [(key, b"%d" % value) for key, value in counted if value is not None]


def _keys(objects: Sequence[Any]) -> list[bytes]:
    return [encoded_key(item.key) for item in objects if newest(item.object.content) is not None]


def _counter_keys(objects: Sequence[Any]) -> list[bytes]:
    return [
        encoded_key(item.key)
        for item in objects
        if any(not content.deleted for content in item.object.content)
    ]
