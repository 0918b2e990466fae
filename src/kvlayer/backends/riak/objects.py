"""Rows as plain objects: put, get and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kvlayer.backends.base import Row
from kvlayer.backends.riak.contents import newest
from kvlayer.backends.riak.layout import Location
from kvlayer.backends.riak.options import RiakOptions
from kvlayer.backends.riak.requests import Requests
from kvlayer.backends.riak.wire import messages

GET_BYTES: Final = 8 * 2**20
"""Answers of one `get` after which the rest is left for the next."""


class Objects:
    """The objects of any bucket, under the keys that Riak has."""

    def __init__(self, requests: Requests, options: RiakOptions, *, allow_mult: bool) -> None:
        """`allow_mult` says whether the buckets keep siblings: each write then repairs them, which needs
        a read before it."""
        self._requests = requests
        self._allow_mult = allow_mult
        self._reading = {**options.quorums("r", "pr"), "timeout": options.node_milliseconds}
        self._writing = {**options.quorums("w", "pw", "dw"), "timeout": options.node_milliseconds}

    def get(self, what: str, location: Location, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of the first so many keys; of all, unless they pass GET_BYTES."""
        make, fields = messages.GET.request, {**location.address, **self._reading}
        answers = self._requests.read_all(
            what, messages.GET, len(keys), lambda n: make(key=keys[n], **fields), GET_BYTES
        )
        found = [newest(answer.content) for answer in answers]
        return [None if content is None else content.value for content in found]

    def exist(self, what: str, location: Location, keys: Sequence[bytes]) -> list[bool]:
        """For each key whether there is a row, without its value."""
        return [newest(head.content) is not None for head in self._heads(what, location, keys)]

    def put(self, what: str, location: Location, rows: Sequence[Row]) -> None:
        """Writes rows."""
        make, fields = messages.PUT.request, {**location.address, **self._writing}
        keys = [key for key, _ in rows]
        clocks = self._clocks(what, location, keys)

        def message(number: int) -> Any:
            key, value = rows[number]
            if clocks[number]:
                return make(key=key, content={"value": value}, vclock=clocks[number], **fields)
            return make(key=key, content={"value": value}, **fields)

        self._requests.write_all(what, messages.PUT, keys, message)

    def delete(self, what: str, location: Location, keys: Sequence[bytes]) -> None:
        """Removes rows; those that aren't there are fine."""
        make, fields = messages.DELETE.request, {**location.address, **self._writing}
        clocks = self._clocks(what, location, keys)

        def message(number: int) -> Any:
            if clocks[number]:
                return make(key=keys[number], vclock=clocks[number], **fields)
            return make(key=keys[number], **fields)

        self._requests.write_all(what, messages.DELETE, keys, message)

    def _clocks(self, what: str, location: Location, keys: Sequence[bytes]) -> list[bytes | None]:
        """The vector clocks that a write must name to replace what is there, tombstones and siblings
        included. Where no siblings are kept, the cluster lets the last write win without them."""
        if not self._allow_mult or location.is_counter:
            return [None] * len(keys)
        return [head.vclock for head in self._heads(what, location, keys)]

    def _heads(self, what: str, location: Location, keys: Sequence[bytes]) -> list[Any]:
        make = messages.GET.request
        fields = {**location.address, **self._reading, "head": True, "deletedvclock": True}
        return self._requests.read_all(what, messages.GET, len(keys), lambda n: make(key=keys[n], **fields))
