"""A bucket read page by page, in key order, each page bounded in bytes.

Riak bounds a page in rows only. So a page asks for as many rows as should fit, by the size of those seen
before; if more arrives than may be held, the rest is dropped, and the next page begins behind the last
item that came, with fewer rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

from kvlayer.backends.riak.layout import Location, behind
from kvlayer.backends.riak.requests import Requests
from kvlayer.backends.riak.wire import messages
from kvlayer.backends.riak.wire.messages import Exchange

_FIRST_ROWS: Final = 64
"""Rows of the first page, as long as nothing is known of their size."""

_GROWTH: Final = 8
"""A page asks for at most so many times as many rows as the one before."""

_INDEX: Final = b"$key"
_RANGE_QUERY: Final = 1


class Bounds(NamedTuple):
    """Of one page."""

    wanted_bytes: int
    most_bytes: int
    most_rows: int


class Paging(ABC):
    """What the cluster holds in a range of a bucket, tombstones included."""

    _exchange: ClassVar[Exchange]

    def __init__(
        self,
        requests: Requests,
        location: Location,
        key_range: tuple[bytes, bytes],
        bounds: Bounds,
        *,
        what: str,
        milliseconds: int,
        item_bytes: int = 0,
    ) -> None:
        """`milliseconds` is the time that a node has for a page; `item_bytes` says about how large an item
        is, 0 that nobody knows."""
        self._requests = requests
        self._address = location.address
        self._start, self._stop = key_range
        self._bounds = bounds
        self._what = what
        self._milliseconds = milliseconds
        self._continuation = b""
        self._asked = 0
        self.more = True
        """Whether there may be another page."""
        self.item_bytes = item_bytes
        """About how large an item is, by what was read last."""
        self.behind_last = self._start
        """The smallest key that may follow what was read."""

    def page(self, limit: int | None) -> list[Any]:
        """The next items, which may be none though there are more. `limit` is how many are of use, if
        none of them is a tombstone."""
        rows = self._rows(limit)
        request = self._request(rows)
        budget = None if rows == 1 else self._bounds.most_bytes
        streamed = self._requests.stream(
            self._what, self._exchange, request, lambda message: message.done, budget
        )
        items = [item for message in streamed.messages for item in self._items(message)]
        self._asked = rows
        if items:
            self.behind_last = behind(self._key(items[-1]))
            self.item_bytes = streamed.size // len(items) + 1
        if streamed.complete:
            self._continuation = next(
                (message.continuation for message in streamed.messages if message.continuation), b""
            )
            self.more = bool(self._continuation)
        else:
            self._start, self._continuation = self.behind_last, b""
            self._asked = max(1, rows // _GROWTH // _GROWTH)  # the next page may have _GROWTH times as many
            self.item_bytes = max(self.item_bytes, self._bounds.most_bytes // rows)
        return items

    def _rows(self, limit: int | None) -> int:
        rows = self._asked * _GROWTH or _FIRST_ROWS
        if self.item_bytes and not self._asked:
            rows = self._bounds.most_rows
        if limit is not None:  # beyond the limit only to look past tombstones
            rows = min(rows, max(limit, self._asked * _GROWTH))
        if self.item_bytes:
            rows = min(rows, max(1, self._bounds.wanted_bytes // self.item_bytes))
        return min(rows, self._bounds.most_rows)

    def _fields(self, rows: int) -> dict[str, Any]:
        fields: dict[str, Any] = {**self._address, "max_results": rows, "timeout": self._milliseconds}
        if self._continuation:
            fields["continuation"] = self._continuation
        return fields

    @abstractmethod
    def _request(self, rows: int) -> Any: ...

    @abstractmethod
    def _items(self, message: Any) -> Sequence[Any]: ...

    @abstractmethod
    def _key(self, item: Any) -> bytes: ...


class ObjectPaging(Paging):
    """Keys with their objects; what is a tombstone says so."""

    _exchange = messages.CS_BUCKET

    def _request(self, rows: int) -> Any:
        return self._exchange.request(start_key=self._start, end_key=self._stop, **self._fields(rows))

    def _items(self, message: Any) -> Sequence[Any]:
        items: Sequence[Any] = message.objects
        return items

    def _key(self, item: Any) -> bytes:
        key: bytes = item.key
        return key


class KeyPaging(Paging):
    """Keys alone, among them those of tombstones, which look like any other; and the end of the range,
    if there is such a key."""

    _exchange = messages.INDEX

    def _request(self, rows: int) -> Any:
        return self._exchange.request(
            index=_INDEX,
            qtype=_RANGE_QUERY,
            range_min=self._start,
            range_max=self._stop,
            stream=True,
            **self._fields(rows),
        )

    def _items(self, message: Any) -> Sequence[bytes]:
        items: Sequence[bytes] = message.keys
        return items

    def _key(self, item: bytes) -> bytes:
        return item
