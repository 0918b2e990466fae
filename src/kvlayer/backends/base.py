"""What a store must do for kvlayer: the `Backend` class, and `Capabilities`, what it says of itself.

A backend speaks bytes. Keys arrive encoded so that their byte order is the order that users see
(docs/key-format.md), values arrive encoded too, ranges arrive as half-open byte ranges. It knows
nothing of tuples, types or schemas. Its answers cross this line by the page, not by the row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import msgspec

from kvlayer.errors import NotSupported

if TYPE_CHECKING:
    from urllib.parse import SplitResult

Row: TypeAlias = tuple[bytes, bytes]
"""An encoded key and an encoded value."""

Kind: TypeAlias = Literal["plain", "counter", "accumulator"]
"""What a table's values are to a store: bytes, integers to add to, or floats to add to."""

PAGE_ROWS = 1000
"""Rows in a page of a scan, or in a chunk of a get, unless a backend knows a better number."""

PAGE_BYTES = 16 * 2**20
"""Bytes of keys and values after which a page or chunk ends, whatever its number of rows."""

PART_ROWS = 250
"""Rows in a part of a batch, for a backend that `takes_parts`: enough that a command more doesn't
count, few enough that the store soon has something to do."""


@dataclass(frozen=True, slots=True)
class BackendTable:
    """One table, as a backend sees it. Equal and hashable by name, kind and incarnation."""

    name: str
    kind: Kind = "plain"
    incarnation: str = ""
    """Changes each time the table is made anew. A backend that builds it into its own name for the
    table makes a client with an outdated idea of the table fail instead of writing into a successor
    with other key types. Empty where a store offers no way to agree on one."""
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the table was made with; `splits` is a sorted list of encoded keys, or a number."""

    def __hash__(self) -> int:
        """Of the name alone, which is quicker: backends look tables up at each call."""
        return hash(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do. Some fields are qualities, others operations that raise `NotSupported`
    where they are False. The table in the documentation is made from these records."""

    ordered: bool = True
    """Scans come in key order."""
    durable: bool
    """What was acknowledged survives the end of the process, and `kill -9`."""
    concurrent_processes: bool
    """Several processes may use the same data at once."""
    atomic_put: bool
    """A `put` or `delete` of many rows happens wholly or not at all."""
    read_your_writes: bool = True
    """When a write returns, every client sees it."""
    reverse: bool
    """Operation: scans can run backwards."""
    compare_and_put: bool
    """Operation: a value can be replaced on condition."""
    atomic_increment: bool
    """Operation: COUNTER tables can be incremented."""
    accumulate: bool
    """Operation: ACCUMULATOR (float) tables can be incremented."""
    atomic_increment_batch: bool
    """An `increment` of many keys happens wholly or not at all."""
    counter_range: tuple[int, int] | None = None
    """Smallest and largest value of a counter; None: any integer of up to 4300 digits."""
    fork_safe: bool
    """An inherited client works in a forked child, on connections of its own."""
    max_key_bytes: int | None = None
    """Longest encoded key; None: no limit of the store's."""
    max_value_bytes: int | None = None
    """Longest encoded value; None: no limit of the store's."""
    page_rows: int = PAGE_ROWS
    """Most rows that one page of a scan holds."""
    table_options: frozenset[str] = frozenset()
    """Table options that mean something to this store, besides the portable `splits`."""


class NoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """For a backend without options of its own."""


class Backend(ABC):
    """A store. One instance serves one client: one app name and one namespace.

    It connects when it is made, and may be used by several threads at once. A fork is the client's
    matter: the child makes an instance of its own and leaves the inherited one untouched. Any
    failure of the store is raised as `kvlayer.StorageError` with the driver's error as its cause; a
    table that isn't there as `kvlayer.NoSuchTable`.
    """

    Options: ClassVar[type[msgspec.Struct]] = NoOptions
    """The options of this store in a configuration, with their types, constraints and defaults."""

    app_name_required: ClassVar[bool] = True
    """False where app name and namespace may be left out of the configuration."""

    capabilities: Capabilities

    takes_parts: bool = False
    """Whether the store works on one part of a batch while the client encodes the next. A batch of more
    than `PART_ROWS` then goes through `get_in_parts` or `put_in_parts`."""

    reads_ahead: bool = False
    """Whether a page of a scan is mostly waited for. While the caller works on one for long enough, the next
    is then read, in a thread of its own."""

    @abstractmethod
    def __init__(self, options: Any, app_name: str, namespace: str) -> None:
        """Connects. `options` is an instance of the class's `Options`."""

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """What the address part of a URL says, as configuration keys (the query is not its matter).

        Raises ConfigurationError for a URL that this store can't understand.
        """
        return {}

    @abstractmethod
    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Makes the tables that aren't there yet; any number of clients may do so at once."""

    @abstractmethod
    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows, whose keys are unique, and returns when they are safe and visible."""

    @abstractmethod
    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order, None for what is missing.

        May answer only the first so many (at least one), where the values pass `PAGE_BYTES`: the
        caller asks again for the rest.
        """

    @abstractmethod
    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys, which are unique; those that aren't there are fine."""

    @abstractmethod
    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of the rows with start <= key < stop (None: no end), in key order.

        A page is never empty, and bounded by `PAGE_BYTES` and the backend's number of rows. Rows
        that no one touches come exactly once, whatever is written meanwhile. `limit` bounds the
        rows of all pages together and is at least 1. Nothing is held in the store between pages.
        """

    @abstractmethod
    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """As `scan`, but pages of keys; the values do not leave the store."""

    @abstractmethod
    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes the rows with start <= key < stop (None: no end)."""

    @abstractmethod
    def clear(self, table: BackendTable) -> None:
        """Removes all rows of a table, which stays."""

    @abstractmethod
    def drop_namespace(self) -> None:
        """Removes all tables of this app name and namespace; none is fine."""

    @abstractmethod
    def close(self) -> None:
        """Frees what is held. Called once."""

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds an int (or a float, in a table of kind accumulator) to each key; the new values.

        Keys are unique; a missing one counts as 0. Atomic for each key against all other clients.
        """
        raise NotSupported(f"{type(self).__name__} does not support increment")

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        """Writes value (None: removes the key) if the stored value is expected (None: absent)."""
        raise NotSupported(f"{type(self).__name__} does not support compare_and_put")

    def get_in_parts(self, table: BackendTable, parts: Iterator[list[bytes]]) -> list[bytes | None]:
        """As `get`, of keys that are encoded as the parts are taken: at most `PAGE_ROWS` in all.

        All parts are to be taken. Taking one may raise BadKey, which ends the call.
        """
        raise NotSupported(f"{type(self).__name__} does not take keys in parts")

    def put_in_parts(self, table: BackendTable, parts: Iterator[list[Row]]) -> None:
        """As `put`, of rows that are encoded as the parts are taken.

        Keys are unique within a part; a row of a later part outweighs one of an earlier. Taking a
        part may raise BadKey, which ends the call: nothing is written then.
        """
        raise NotSupported(f"{type(self).__name__} does not take rows in parts")

    def ping(self) -> dict[str, Any]:
        """Asks the store for a sign of life; returns facts such as its version."""
        return {}

    def estimate_rows(self, table: BackendTable) -> int | None:
        """About how many rows a table holds, if the store can tell without counting."""
        return None

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs of this store, sorted."""
        raise NotSupported(f"{type(self).__name__} can't list namespaces")
