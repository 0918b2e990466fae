"""The operations of a store on a Redis server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as changed
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import SplitResult

import msgspec

from kvlayer.backends.base import PAGE_ROWS, Backend, BackendTable, Capabilities, Row
from kvlayer.backends.redis import counting, namespaces, reading, streaming, writing
from kvlayer.backends.redis.layout import LARGE, Layout, TableKeys
from kvlayer.backends.redis.options import RedisOptions, options_from_url
from kvlayer.backends.redis.reading import Missing, Part
from kvlayer.backends.redis.server import Server, information
from kvlayer.errors import NoSuchTable, NotSupported, StorageError

_Result = TypeVar("_Result")
_Call = Callable[[str, Callable[[Any], None]], None]

# What a transaction and each row in it have besides keys and values.
_QUERY_SPARE_BYTES: Final = 2**20
_ROW_SPARE_BYTES: Final = 64


class RedisBackend(Backend):
    """Tables on one Redis server, a primary with replicas, or a cluster; for any number of processes."""

    Options: ClassVar[type[msgspec.Struct]] = RedisOptions

    reads_ahead = True

    capabilities = Capabilities(
        durable=False,  # until the server says that it writes its log
        concurrent_processes=True,
        atomic_put=True,
        reverse=True,
        compare_and_put=True,
        atomic_increment=True,
        accumulate=True,
        atomic_increment_batch=True,
        fork_safe=True,
        max_key_bytes=reading.MAX_KEY_BYTES,
        max_value_bytes=512 * 2**20,
    )

    def __init__(self, options: RedisOptions, app_name: str, namespace: str) -> None:
        """Connects, and finds out what the server can do."""
        self._layout = Layout(app_name, namespace)
        self._namespace = namespace
        self._large: dict[BackendTable, bool] = {}
        self._server = Server(options)
        facts = self._server.facts
        self._scripts = facts.scripts
        self.takes_parts = not self._server.is_cluster  # whose client has no connection for one table
        self.capabilities = changed(
            type(self).capabilities,
            durable=facts.keeps,
            compare_and_put=facts.scripts,
            atomic_increment=facts.scripts,
            accumulate=facts.scripts,
            atomic_increment_batch=facts.scripts,
            max_value_bytes=facts.max_value_bytes,
        )

    @classmethod
    def options_from_url(cls, url: SplitResult) -> dict[str, Any]:
        """See `options.options_from_url`."""
        return options_from_url(url)

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        """Makes the tables that aren't there yet: one round trip if all are."""
        self._server.write_in_steps(
            "making tables", lambda client: namespaces.create(client, self._layout, tables)
        )

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        """Writes rows, all or none: one round trip up to 1 MiB, two beyond that."""
        rows = sorted(rows, key=itemgetter(0))  # neighbours are quicker to insert into a large sorted set
        size = writing.Size.of(rows)
        self._admit(table, size)
        self._do(
            self._server.write,
            "put",
            table,
            lambda client, keys: writing.put(client, keys, rows, size, self._scripts),
        )

    def put_in_parts(self, table: BackendTable, parts: Iterator[list[Row]]) -> None:
        """Writes rows, all or none: in two round trips, of which the first is over before all is encoded."""
        taken: list[list[Row]] = []

        def write(client: Any, keys: TableKeys) -> None:
            if not taken and streaming.put(client, keys, _kept(parts, taken), partial(self._admit, table)):
                return
            taken.extend(parts)
            rows = list(dict(chain.from_iterable(taken)).items())
            size = writing.Size.of(rows)
            self._admit(table, size)
            writing.put(client, keys, rows, size, self._scripts)

        self._do(self._server.write, "put", table, write)

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order; of the first so many, where those pass `PAGE_BYTES`."""
        return self._do(self._server.read, "get", table, partial(self._get, table, keys))

    def get_in_parts(self, table: BackendTable, parts: Iterator[list[bytes]]) -> list[bytes | None]:
        """As `get`; the server looks up one part while the next is being encoded."""
        taken: list[list[bytes]] = []

        def read(client: Any, keys: TableKeys) -> list[bytes | None]:
            if taken or self._is_large(table, client, keys):
                taken.extend(parts)
                return self._get(table, list(chain.from_iterable(taken)), client, keys)
            state, values = streaming.get(client, keys, _kept(parts, taken))
            self._large[table] = state == LARGE
            return values

        return self._do(self._server.read, "get", table, read)

    def delete(self, table: BackendTable, keys: list[bytes]) -> None:
        """Removes keys, all or none."""
        self._delete(self._server.write, "delete", table, keys)

    def scan(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        """Pages of rows; each page is one round trip, and sees one state of the table."""
        read = reading.read_page if self._scripts else reading.read_page_without_scripts
        return self._pages("scan", table, read, Part(start, stop, reverse, PAGE_ROWS), limit)

    def scan_keys(
        self, table: BackendTable, start: bytes, stop: bytes | None, *, reverse: bool, limit: int | None
    ) -> Iterator[list[bytes]]:
        """Pages of keys, from the sorted set alone."""
        part = Part(start, stop, reverse, PAGE_ROWS)
        return self._pages("scan_keys", table, reading.read_page_of_keys, part, limit)

    def delete_range(self, table: BackendTable, start: bytes, stop: bytes | None) -> None:
        """Removes a range a page at a time; not all or nothing."""
        part = Part(start, stop, False, PAGE_ROWS)
        for page in self._pages("delete_range", table, reading.read_page_of_keys, part, None):
            self._delete(self._server.write_in_steps, "delete_range", table, page)

    def clear(self, table: BackendTable) -> None:
        """Removes all rows at once."""
        self._do(self._server.write, "clear", table, writing.clear)

    def increment(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[Any]:
        """Adds exactly, to all keys in one step."""
        self._require_scripts("increment")

        def add(once: counting.Once, keys: TableKeys) -> list[Any]:
            return counting.increment(once, keys, table, deltas, lambda: self._present(table, deltas))

        return self._once("increment", table, add)

    def compare_and_put(
        self, table: BackendTable, key: bytes, expected: bytes | None, value: bytes | None
    ) -> bool:
        """Compares and writes in one step."""
        self._require_scripts("compare_and_put")
        large = value is not None and writing.Size.of([(key, value)]).is_large
        if large:
            self._large[table] = True

        def replace(once: counting.Once, keys: TableKeys) -> bool:
            return counting.replace(once, keys, [(key, expected, value)], large=large) is None

        return self._once("compare_and_put", table, replace)

    def ping(self) -> dict[str, Any]:
        """Asks the server, or any node of the cluster. Returns what it tells of: `server` (redis or
        valkey), `version`, `mode`, `role`, `append_only`, `memory_bytes`, `memory_limit_bytes` and
        `memory_policy`; and the `address` and `scripts` in any case."""
        self._server.read("ping", lambda client: self._server.node().ping())
        about = self._server.read("ping", lambda client: information(self._server.node()))
        name = about.get("server_name", "redis")
        facts = {
            "server": name if about else None,
            "version": about.get(f"{name}_version"),
            "mode": about.get("redis_mode"),
            "role": about.get("role"),
            "append_only": bool(about["aof_enabled"]) if "aof_enabled" in about else None,
            "memory_bytes": about.get("used_memory"),
            "memory_limit_bytes": about.get("maxmemory"),
            "memory_policy": about.get("maxmemory_policy"),
        }
        return {
            "address": self._server.address,
            "scripts": self._scripts,
            **{fact: value for fact, value in facts.items() if value is not None},
        }

    def estimate_rows(self, table: BackendTable) -> int | None:
        """The exact number."""

        def count(client: Any, keys: TableKeys) -> int:
            rows: int = client.execute_command("HLEN", keys.values)
            if not rows:
                reading.require_state(client, keys)
            return rows

        return self._do(self._server.read, "estimate_rows", table, count)

    def list_namespaces(self) -> list[tuple[str, str]]:
        """All (app name, namespace) pairs of this database, sorted."""
        return self._server.read("listing namespaces", namespaces.list_all)

    def drop_namespace(self) -> None:
        """Removes all tables of the namespace; who uses one gets NoSuchTable."""
        self._server.write_in_steps(
            "dropping a namespace", lambda client: namespaces.drop(client, self._layout)
        )

    def close(self) -> None:
        """Closes all connections."""
        self._server.close()

    def _get(
        self, table: BackendTable, wanted: list[bytes], client: Any, keys: TableKeys
    ) -> list[bytes | None]:
        if len(wanted) == 1:
            return [reading.read_value(client, keys, wanted[0])]
        if self._is_large(table, client, keys):
            wanted = wanted[: reading.count_fitting(client, keys, wanted, self._scripts)]
        state, values = reading.read_values(client, keys, wanted)
        self._large[table] = state == LARGE
        return values

    def _admit(self, table: BackendTable, size: writing.Size) -> None:
        """Raises StorageError for more than the server takes in one transaction; notes large rows."""
        limit = self._server.facts.max_query_bytes - _QUERY_SPARE_BYTES
        if size.sent + size.rows * _ROW_SPARE_BYTES > limit:
            raise StorageError(
                f"redis: put of table {table.name!r} at {self._server.address}: {size.sent} bytes are more"
                f" than this server takes in one transaction ({limit}, by its client-query-buffer-limit);"
                " nothing was written. put_many writes any number of rows"
            )
        if size.is_large:
            self._large[table] = True

    def _is_large(self, table: BackendTable, client: Any, keys: TableKeys) -> bool:
        """As of the last answer; another client may have made it so since then."""
        large = self._large.get(table)
        if large is None:
            large = self._large[table] = reading.require_state(client, keys) == LARGE
        return large

    def _delete(self, call: _Call, operation: str, table: BackendTable, doomed: list[bytes]) -> None:
        self._do(call, operation, table, lambda client, keys: writing.delete(client, keys, doomed))

    def _present(self, table: BackendTable, deltas: list[tuple[bytes, Any]]) -> list[bytes | None]:
        values: list[bytes | None] = []
        keys = [key for key, _ in deltas]
        while len(values) < len(keys):
            values += self.get(table, keys[len(values) : len(values) + PAGE_ROWS])
        return values

    def _pages(
        self,
        operation: str,
        table: BackendTable,
        read: Callable[[Any, TableKeys, Part], tuple[list[_Result], bytes | None]],
        part: Part,
        limit: int | None,
    ) -> Iterator[list[_Result]]:
        """Reads page after page, each from where the last one ended."""
        last: bytes | None = b""
        while last is not None and (limit is None or limit > 0):
            if limit is not None:
                part = part._replace(rows=min(limit, PAGE_ROWS))
            page, last = self._do(self._server.read, operation, table, partial(_read_part, read, part))
            if page:
                yield page
            if limit is not None:
                limit -= len(page)
            if last is not None:
                part = part.behind(last)

    def _do(
        self,
        call: Callable[[str, Callable[[Any], _Result]], _Result],
        operation: str,
        table: BackendTable,
        action: Callable[[Any, TableKeys], _Result],
    ) -> _Result:
        keys = self._layout.table_keys(table)
        try:
            return call(f"{operation} of table {table.name!r}", lambda client: action(client, keys))
        except Missing:
            raise self._no_such_table(table) from None

    def _once(
        self, operation: str, table: BackendTable, action: Callable[[counting.Once, TableKeys], _Result]
    ) -> _Result:
        once = partial(self._server.write_once, f"{operation} of table {table.name!r}")
        try:
            return action(once, self._layout.table_keys(table))
        except Missing:
            raise self._no_such_table(table) from None

    def _no_such_table(self, table: BackendTable) -> NoSuchTable:
        self._large.pop(table, None)
        return NoSuchTable(f"there is no table {table.name!r} in namespace {self._namespace!r}")

    def _require_scripts(self, operation: str) -> None:
        if not self._scripts:
            raise NotSupported(f"redis: {operation} needs scripts, which the server forbids this user")


def _kept(parts: Iterator[_Result], taken: list[_Result]) -> Iterator[_Result]:
    """The parts, each of which is kept for a repeat."""
    for part in parts:
        taken.append(part)
        yield part


def _read_part(
    read: Callable[[Any, TableKeys, Part], _Result], part: Part, client: Any, keys: TableKeys
) -> _Result:
    return read(client, keys, part)
