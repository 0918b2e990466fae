"""Open writers of tables: each used by one call at a time, kept for the next, replaced once broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kvlayer.backends.accumulo import waiting

_MOST_IDLE: Final = 32


class Kind(NamedTuple):
    """What a writer is for: an Accumulo table, and whether it compares before it writes."""

    table: str
    compares: bool
    kept: bool = True
    """Not so where another table may get the same name, since a writer goes on with the one that it knows."""


class Writers:
    """The writers of one client. A writer takes some milliseconds and a few threads of Java to make."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._idle: list[tuple[Kind, Any]] = []  # the one used last is at the end
        self._closed = False

    @contextmanager
    def of(self, kind: Kind) -> Iterator[Any]:
        """A writer for the time of a call. One in whose use something was raised is not used again:
        it may hold rows that nobody waits for any more."""
        writer = self._take(kind)
        try:
            yield writer
        except BaseException:
            waiting.in_background(writer.close)
            raise
        if kind.kept:
            self._give_back(kind, writer)
        else:
            waiting.in_background(writer.close)

    def forget(self, table: str) -> None:
        """Closes the idle writers of an Accumulo table, which is no longer there."""
        self._close_where(lambda kind: kind.table == table)

    def forget_all(self) -> None:
        """Closes all idle writers."""
        self._close_where(lambda _: True)

    def close(self) -> None:
        """Closes all writers; those in use, when their call ends."""
        self._closed = True
        self.forget_all()

    def _take(self, kind: Kind) -> Any:
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position][0] == kind:
                    return self._idle.pop(position)[1]
        make = self._client.createConditionalWriter if kind.compares else self._client.createBatchWriter
        return make(kind.table)

    def _give_back(self, kind: Kind, writer: Any) -> None:
        with self._lock:
            self._idle.append((kind, writer))
            surplus = self._idle.pop(0)[1] if len(self._idle) > _MOST_IDLE else None
        if surplus is not None:
            waiting.in_background(surplus.close)
        if self._closed:
            self.close()

    def _close_where(self, condition: Callable[[Kind], bool]) -> None:
        with self._lock:
            doomed = [writer for kind, writer in self._idle if condition(kind)]
            self._idle = [entry for entry in self._idle if not condition(entry[0])]
        for writer in doomed:
            waiting.in_background(writer.close)
