"""One table of a client: validates and encodes what goes in, decodes what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from kvlayer.ahead import read_ahead_of_work
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, PART_ROWS, Backend, Row
from kvlayer.catalog import TableInfo
from kvlayer.definition import Definition
from kvlayer.errors import NoSuchTable, NotSupported, ProgrammerError
from kvlayer.keys import Key
from kvlayer.ranges import ByteRange, Range, byte_ranges, scan_plan
from kvlayer.values import ACCUMULATOR, COUNTER

if TYPE_CHECKING:
    from types import TracebackType

    from kvlayer.client import Client

_Item = TypeVar("_Item", Row, bytes)


class Table:
    """A handle on one table, made by `Client.table`. Its methods are those of the client without
    the table's name; besides, it can be used like a dict: `table[key]`, `table[key] = value`,
    `del table[key]`, `key in table`, and iteration over the keys in their order.

    It may be used by several threads. Every method raises StorageClosed once the client is closed,
    StorageError when the store fails, NoSuchTable when the table was removed, and BadKey for a key
    or value that doesn't fit the table, before anything is written.
    """

    __slots__ = ("_access", "_client", "_name")

    def __init__(self, client: Client, name: str, definition: Definition | None = None) -> None:
        self._client = client
        self._name = name
        self._access = _Access(client, name, definition)

    def __repr__(self) -> str:
        return f"<kvlayer.Table {self._name!r} of {self._client!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Table, (self._client, self._name)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._name

    @property
    def info(self) -> TableInfo:
        """The table's name, key types and value type, as the catalogue has them."""
        with self._access as (_, definition):
            return definition.info

    def put(self, *pairs: tuple[Key, Any]) -> None:
        """Writes (key, value) pairs; of several with the same key the last one wins.

        All are validated before the first is written. All or nothing where
        `capabilities.atomic_put` says so.
        """
        with self._access as (backend, definition):
            if backend.takes_parts and len(pairs) > PART_ROWS:
                backend.put_in_parts(definition.stored, definition.row_parts(pairs))
            elif pairs:
                backend.put(definition.stored, definition.rows(pairs))

    def put_many(self, pairs: Iterable[tuple[Key, Any]], batch_size: int = PAGE_ROWS) -> int:
        """Writes any number of (key, value) pairs in constant memory; returns how many there were.

        They go in batches of `batch_size` pairs or 16 MiB of keys and values, whichever comes first, each
        like one `put`: what was written before an error stays. Raises ProgrammerError for a
        batch_size below 1.
        """
        if batch_size < 1:
            raise ProgrammerError(f"put_many: batch_size must be at least 1, not {batch_size}")
        with self._access:  # an error here should not wait for the first pair
            count = 0
        for batch in _batches(pairs, batch_size):
            self.put(*batch)
            count += len(batch)
        return count

    def get(self, *keys: Key) -> Iterator[tuple[Key, Any]]:
        """(key, value) pairs in the order asked, duplicates included; the value of a missing key is
        None. This call checks all keys and fetches the first page of values (at most 1000, or
        16 MiB); further pages are fetched as they are asked for."""
        with self._access as (backend, definition):
            encoded, plain, found = _first_found(backend, definition, keys)
        answers = zip(plain, definition.values.decode_many(found), strict=False)
        if len(found) == len(encoded):
            return answers
        return chain(
            answers, chain.from_iterable(_further(self._access, definition, plain, encoded, len(found)))
        )

    def scan(
        self, *ranges: Range, reverse: bool = False, limit: int | None = None, after: Key | None = None
    ) -> Iterator[tuple[Key, Any]]:
        """(key, value) pairs in key order, in constant memory.

        Without a range, the whole table; several are answered in the order given. `reverse` goes
        through each range backwards (NotSupported where `capabilities.reverse` is False), `limit`
        bounds the rows of all ranges together, `after` goes on behind the key at which an earlier
        scan of the same ranges ended. The arguments are checked by this call.
        """
        definition, pages = self._scan(lambda backend: backend.scan, ranges, reverse, limit, after)
        return _decoded_rows(definition, pages)

    def scan_keys(
        self, *ranges: Range, reverse: bool = False, limit: int | None = None, after: Key | None = None
    ) -> Iterator[Key]:
        """As `scan`, but only keys: no value leaves the store."""
        definition, pages = self._scan(lambda backend: backend.scan_keys, ranges, reverse, limit, after)
        return chain.from_iterable(map(definition.keys.decode_many, pages))

    def delete(self, *keys: Key) -> None:
        """Removes keys; those that aren't there are fine. All or nothing where
        `capabilities.atomic_put` says so."""
        with self._access as (backend, definition):
            encoded = definition.encode_keys(keys)
            if encoded:
                backend.delete(definition.stored, list(dict.fromkeys(encoded)))

    def delete_range(self, *ranges: Range) -> None:
        """Removes the rows of the ranges. Raises ProgrammerError without one: `clear` removes all."""
        if not ranges:
            raise ProgrammerError(f"table {self._name!r}: delete_range needs a range; clear removes all rows")
        with self._access as (backend, definition):
            for start, stop in byte_ranges(definition.keys, ranges):
                backend.delete_range(definition.stored, start, stop)

    def increment(self, *deltas: tuple[Key, int | float]) -> list[Any]:
        """Adds to values of a COUNTER (int) or ACCUMULATOR (float) table; returns the new values.

        Atomic for each key against every other client; all or nothing where
        `capabilities.atomic_increment_batch` says so. A missing key counts as 0; a delta of 0
        creates it. Deltas to one key are added to each other first, and each of their places in the
        answer has the key's new value. Raises ProgrammerError on other tables, NotSupported where
        the store has no such counters, BadKey where a value would leave
        `capabilities.counter_range`.
        """
        with self._access as (backend, definition):
            values = definition.values
            if values.value_type not in (COUNTER, ACCUMULATOR):
                raise ProgrammerError(
                    f"table {self._name!r}: increment needs values of type COUNTER or ACCUMULATOR,"
                    f" and this table has {values.name}"
                )
            _require(backend, "atomic_increment" if values.value_type is COUNTER else "accumulate")
            keys, amounts = definition.unzip(deltas)
            encoded, amounts = definition.encode_keys(keys), values.deltas(amounts)
            if len(encoded) == len(set(encoded)):
                unique = list(zip(encoded, amounts, strict=True))
                return backend.increment(definition.stored, unique) if unique else []
            totals: dict[bytes, Any] = {}
            for key, amount in zip(encoded, amounts, strict=True):
                totals[key] = totals[key] + amount if key in totals else amount
            sums = backend.increment(definition.stored, list(totals.items()))
            new_values = dict(zip(totals, sums, strict=True))
            return [new_values[key] for key in encoded]

    def compare_and_put(self, key: Key, expected: Any, value: Any) -> bool:
        """Writes value only if the present one equals `expected` (None: there is none), in one
        atomic step; a value of None removes the key. Returns whether it did.

        Values are compared as they are stored, so 0.0 and -0.0 differ. Raises NotSupported where
        `capabilities.compare_and_put` is False.
        """
        with self._access as (backend, definition):
            _require(backend, "compare_and_put")
            encoded = definition.encode_key(key)
            before = None if expected is None else definition.encode_value(expected)
            after = None if value is None else definition.encode_value(value)
            return backend.compare_and_put(definition.stored, encoded, before, after)

    def clear(self) -> None:
        """Removes all rows; the table stays."""
        with self._access as (backend, definition):
            backend.clear(definition.stored)

    def __getitem__(self, key: Key) -> Any:
        with self._access as (backend, definition):
            (value,) = backend.get(definition.stored, [definition.encode_key(key)])
        if value is None:
            raise KeyError(key)
        return definition.values.decode(value)

    def __setitem__(self, key: Key, value: Any) -> None:
        with self._access as (backend, definition):
            row = definition.encode_key(key), definition.encode_value(value)
            backend.put(definition.stored, [row])

    def __delitem__(self, key: Key) -> None:
        """A missing key is fine, as in `delete`: to know would cost a round trip, and be a race."""
        with self._access as (backend, definition):
            backend.delete(definition.stored, [definition.encode_key(key)])

    def __contains__(self, key: Key) -> bool:
        with self._access as (backend, definition):
            encoded = definition.encode_key(key)
            stop = encoded + b"\0"
            return any(backend.scan_keys(definition.stored, encoded, stop, reverse=False, limit=1))

    def __iter__(self) -> Iterator[Key]:
        return self.scan_keys()

    def _scan(
        self,
        method: Callable[[Backend], Callable[..., Iterator[list[_Item]]]],
        ranges: Sequence[Range],
        reverse: bool,
        limit: int | None,
        after: Key | None,
    ) -> tuple[Definition, Iterator[list[_Item]]]:
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ProgrammerError(f"table {self._name!r}: limit is a number of rows, not {limit!r}")
        with self._access as (backend, definition):
            if reverse:
                _require(backend, "reverse")
            plan = scan_plan(definition.keys, ranges, reverse=reverse, after=after)
        return definition, _pages(self._access, method, definition, plan, bool(reverse), limit)


class _Access:
    """`with access as (backend, definition)` is how every operation reaches the store.

    It opens the table where that hasn't happened yet, and forgets it when the store says that it
    has gone, so that the next operation asks the catalogue again.
    """

    __slots__ = ("_client", "_definition", "_name")

    def __init__(self, client: Client, name: str, definition: Definition | None) -> None:
        self._client = client
        self._name = name
        self._definition = definition

    def __enter__(self) -> tuple[Backend, Definition]:
        backend = self._client._connected()
        definition = self._definition
        if definition is None:
            definition = self._definition = self._client._define(self._name)
        return backend, definition

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is NoSuchTable:
            self._definition = None


def _require(backend: Backend, capability: str) -> None:
    if not getattr(backend.capabilities, capability):
        raise NotSupported(f"this store declares no {capability}; see Client.capabilities")


def _batches(pairs: Iterable[tuple[Key, Any]], batch_size: int) -> Iterator[list[tuple[Key, Any]]]:
    """Lists of up to batch_size pairs; a list ends early when its keys and values pass PAGE_BYTES."""
    batch: list[tuple[Key, Any]] = []
    size = 0
    for pair in pairs:
        batch.append(pair)
        if type(pair) is tuple and pair and type(pair[0]) is tuple:  # else it is refused with its batch
            for part in pair[0]:
                if isinstance(part, (bytes, str)):
                    size += len(part)
            if isinstance(pair[-1], (bytes, str)):
                size += len(pair[-1])
        if len(batch) == batch_size or size >= PAGE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _first_found(
    backend: Backend, definition: Definition, keys: Sequence[Key]
) -> tuple[list[bytes], Sequence[Key], list[bytes | None]]:
    """All keys, encoded and plain, and the values of the first of them."""
    if not backend.takes_parts or len(keys) <= PART_ROWS:
        encoded, plain = definition.encode_plain(keys)
        return encoded, plain, backend.get(definition.stored, encoded[:PAGE_ROWS]) if encoded else []
    all_encoded: list[bytes] = []
    all_plain: list[Key] = []
    parts = definition.key_parts(keys, all_encoded, all_plain)
    found = backend.get_in_parts(definition.stored, islice(parts, PAGE_ROWS // PART_ROWS))
    deque(parts, maxlen=0)  # checks the keys of further pages too
    return all_encoded, all_plain, found


def _further(
    access: _Access, definition: Definition, keys: Sequence[Key], encoded: list[bytes], position: int
) -> Iterator[Iterator[tuple[Key, Any]]]:
    """The answers from a position on, as many at a time as the backend gives; chained by the caller, since a
    generator of single answers would cost more than the rest of the work on them."""
    while position < len(encoded):
        wanted = encoded[position : position + PAGE_ROWS]
        with access as (backend, _):
            if backend.takes_parts and len(wanted) > PART_ROWS:
                found = backend.get_in_parts(definition.stored, _in_parts(wanted))
            else:
                found = backend.get(definition.stored, wanted)
        yield zip(keys[position : position + len(found)], definition.values.decode_many(found), strict=True)
        position += len(found)


def _in_parts(keys: list[bytes]) -> Iterator[list[bytes]]:
    return (keys[first : first + PART_ROWS] for first in range(0, len(keys), PART_ROWS))


def _pages(
    access: _Access,
    method: Callable[[Backend], Callable[..., Iterator[list[_Item]]]],
    definition: Definition,
    plan: list[ByteRange],
    reverse: bool,
    limit: int | None,
) -> Iterator[list[_Item]]:
    """The pages of all byte ranges, one after the other."""
    ranges = plan[::-1]
    while ranges and (limit is None or limit > 0):
        start, stop = ranges.pop()
        with access as (backend, _):
            pages = method(backend)(definition.stored, start, stop, reverse=reverse, limit=limit)
            for page in read_ahead_of_work(pages) if backend.reads_ahead else pages:
                yield page
                if limit is not None:
                    limit -= len(page)
                with access as (present, _):  # raises if the client was closed meanwhile
                    if present is not backend:  # this is a forked child now: go on with its own
                        last = page[-1] if isinstance(page[-1], bytes) else page[-1][0]
                        ranges.append((start, last) if reverse else (last + b"\0", stop))
                        break


def _decoded_rows(definition: Definition, pages: Iterable[list[Row]]) -> Iterator[tuple[Key, Any]]:
    decode_keys, decode_values = definition.keys.decode_many, definition.values.decode_many

    def decoded(page: list[Row]) -> Iterator[tuple[Key, Any]]:
        keys, values = [key for key, _ in page], [value for _, value in page]
        return zip(decode_keys(keys), decode_values(values), strict=True)

    return chain.from_iterable(map(decoded, pages))
