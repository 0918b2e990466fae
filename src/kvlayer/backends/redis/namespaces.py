"""Which tables and namespaces there are: making, dropping and listing them.

In a cluster a table and the set of the tables lie on different servers, and can't change together. So a
table is entered in the set before it is made, and leaves it only into the set of those that are being
dropped, and that set when it is gone: a crash in between leaves nothing that the next
`drop_namespace` wouldn't find.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kvlayer.backends.base import BackendTable
from kvlayer.backends.redis.layout import (
    DROPPED,
    MADE,
    NAMESPACES,
    Layout,
    entry,
    namespace_of_entry,
    table_of_entry,
)
from kvlayer.errors import NoSuchTable

# For so long a client that is late may still be about to make a table that was dropped meanwhile.
_DROPPED_SECONDS: Final = 600


def create(client: Any, layout: Layout, tables: Sequence[BackendTable]) -> None:
    """Makes the tables that aren't there. Raises NoSuchTable for one that was dropped a moment ago."""
    states = _states(client, layout, tables)
    _refuse_dropped(tables, states)
    missing = [table for table, state in zip(tables, states, strict=True) if state is None]
    if not missing:
        return
    client.execute_command("SADD", NAMESPACES, layout.namespace)
    _create_beside_entries(client, layout, [table for table in missing if not table.incarnation])
    _create_elsewhere(client, layout, [table for table in missing if table.incarnation])
    # Again, since whoever dropped the namespace at the same time may have removed it after the first.
    client.execute_command("SADD", NAMESPACES, layout.namespace)


def drop(client: Any, layout: Layout) -> None:
    """Removes all tables that there are when it begins; goes on with what an interrupted drop left."""
    entries = client.smembers(layout.tables)
    tables = {stored: table_of_entry(stored) for stored in entries}
    elsewhere = [stored for stored, table in tables.items() if table.incarnation]
    if entries:
        with client.pipeline(transaction=True) as pipe:
            for table in tables.values():
                if not table.incarnation:
                    pipe.execute_command("UNLINK", *layout.table_keys(table))
            if elsewhere:
                pipe.execute_command("SADD", layout.dropping, *elsewhere)
            pipe.execute_command("SREM", layout.tables, *entries)
            pipe.execute()
    _drop_elsewhere(client, layout, client.smembers(layout.dropping))
    if not client.execute_command("EXISTS", layout.tables, layout.dropping):
        client.execute_command("SREM", NAMESPACES, layout.namespace)


def list_all(client: Any) -> list[tuple[str, str]]:
    """App name and namespace of all that hold a table, sorted."""
    pairs = [namespace_of_entry(stored) for stored in client.smembers(NAMESPACES)]
    with client.pipeline(transaction=False) as pipe:
        for pair in pairs:
            pipe.execute_command("EXISTS", Layout(*pair).tables)
        present = pipe.execute()
    return sorted(pair for pair, exists in zip(pairs, present, strict=True) if exists)


def _states(client: Any, layout: Layout, tables: Sequence[BackendTable]) -> list[bytes | None]:
    with client.pipeline(transaction=False) as pipe:
        for table in tables:
            pipe.execute_command("GET", layout.table_keys(table).state)
        states: list[bytes | None] = pipe.execute()
    return states


def _create_beside_entries(client: Any, layout: Layout, tables: Sequence[BackendTable]) -> None:
    if tables:
        with client.pipeline(transaction=True) as pipe:
            pipe.execute_command("SADD", layout.tables, *map(entry, tables))
            for table in tables:
                pipe.execute_command("SET", layout.table_keys(table).state, MADE, "NX")
            pipe.execute()


def _create_elsewhere(client: Any, layout: Layout, tables: Sequence[BackendTable]) -> None:
    if tables:
        client.execute_command("SADD", layout.tables, *map(entry, tables))
        with client.pipeline(transaction=False) as pipe:
            for table in tables:
                pipe.execute_command("SET", layout.table_keys(table).state, MADE, "NX")
            pipe.execute()
        _refuse_dropped(tables, _states(client, layout, tables))


def _drop_elsewhere(client: Any, layout: Layout, entries: Iterable[bytes]) -> None:
    doomed = list(entries)
    if doomed:
        with client.pipeline(transaction=False) as pipe:
            for stored in doomed:
                keys = layout.table_keys(table_of_entry(stored))
                # From here on nothing is written to the table any more, so nothing is left behind.
                pipe.execute_command("SET", keys.state, DROPPED, "EX", _DROPPED_SECONDS)
                pipe.execute_command("UNLINK", keys.values, keys.keys)
            pipe.execute()
        client.execute_command("SREM", layout.dropping, *doomed)


def _refuse_dropped(tables: Iterable[BackendTable], states: Iterable[bytes | None]) -> None:
    for table, state in zip(tables, states, strict=True):
        if state == DROPPED:
            raise NoSuchTable(f"table {table.name!r} was dropped by another client while it was set up")
