"""Rows as Riak's own counters: exact sums, whoever adds at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kvlayer.backends.riak.layout import Location
from kvlayer.backends.riak.options import RiakOptions
from kvlayer.backends.riak.requests import Requests
from kvlayer.backends.riak.wire import messages
from kvlayer.values import check_range

COUNTER_RANGE: Final = (-(2**62), 2**62 - 1)
"""Half of what the 64 bits of the interface hold. The difference between any two of these values still fits
into one increment, and clients that add at the same moment, each having checked the sum without the
others, don't come near the end of the 64 bits."""


class Counters:
    """The counters of any bucket of a counter type, under the keys that Riak has."""

    def __init__(self, requests: Requests, options: RiakOptions) -> None:
        self._requests = requests
        self._reading = {**options.quorums("r", "pr"), "timeout": options.node_milliseconds}
        self._writing = {**options.quorums("w", "pw", "dw"), "timeout": options.node_milliseconds}

    def get(self, what: str, location: Location, keys: Sequence[bytes]) -> list[int | None]:
        """The values of counters, None for those that aren't there."""
        make, fields = messages.DT_FETCH.request, {**location.address, **self._reading}
        answers = self._requests.read_all(
            what, messages.DT_FETCH, len(keys), lambda n: make(key=keys[n], **fields)
        )
        return [answer.value.counter_value if answer.HasField("value") else None for answer in answers]

    def put(self, what: str, table: str, location: Location, values: Sequence[tuple[bytes, int]]) -> None:
        """Makes counters have these values, by adding what they lack: an increment at the same moment
        counts on top."""
        for _, value in values:
            check_range(table, value, COUNTER_RANGE)
        present = self.get(what, location, [key for key, _ in values])
        self._add(
            what,
            location,
            [
                (key, value - (before or 0))
                for (key, value), before in zip(values, present, strict=True)
                if value != before
            ],
        )

    def increment(
        self, what: str, table: str, location: Location, deltas: Sequence[tuple[bytes, int]]
    ) -> list[int]:
        """The values after adding. Raises BadKey, before anything is added, where a sum would leave
        COUNTER_RANGE."""
        present = self.get(what, location, [key for key, _ in deltas])
        for (_, delta), before in zip(deltas, present, strict=True):
            check_range(table, (before or 0) + delta, COUNTER_RANGE)
        return self._add(what, location, deltas)

    def _add(self, what: str, location: Location, deltas: Sequence[tuple[bytes, int]]) -> list[int]:
        make = messages.DT_UPDATE.request
        fields = {**location.address, **self._writing, "return_body": True}

        def message(number: int) -> Any:
            key, delta = deltas[number]
            return make(key=key, op={"counter_op": {"increment": delta}}, **fields)

        answers = self._requests.write_all(
            what, messages.DT_UPDATE, [key for key, _ in deltas], message, once=True
        )
        return [messages.DT_UPDATE.reply(answer).counter_value for answer in answers]
