"""Making and dropping tables and namespaces, and telling which there are.

A namespace is an SQL schema, whose comment holds the true names of application and namespace; a
table's comment holds its true name. They are ASCII, so that a database of any encoding takes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from psycopg.sql import SQL, Identifier, Literal

from kvlayer.backends.base import BackendTable
from kvlayer.backends.postgres import names
from kvlayer.backends.postgres.sessions import Session
from kvlayer.backends.postgres.statements import TableStatements

# A transaction locks each table that it makes or drops, with its indexes, and the server has room for some
# thousand locks.
_MOST_TABLES: Final = 200

_FIND_TABLES: Final = b"""
    SELECT c.relname::text FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s::text AND c.relkind = 'r'"""
_FIND_SCHEMA: Final = b"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s::text"
_FIND_NAMESPACES: Final = b"""
    SELECT nspname::text, pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace
    WHERE pg_catalog.starts_with(nspname::text, %s::text)"""
_ESTIMATE: Final = b"""
    SELECT c.reltuples::float8 FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s::text AND c.relname = %s::text"""
_LOCK: Final = b"SELECT pg_catalog.pg_advisory_xact_lock(%s::int8)"


def create_tables(session: Session, app_name: str, namespace: str, tables: Sequence[BackendTable]) -> None:
    """Makes the tables that aren't there, and the schema; looks without a lock first."""
    schema = names.schema_name(app_name, namespace)
    there = {name for (name,) in session.execute(_FIND_TABLES, (schema,)).fetchall()}
    missing = [table for table in tables if names.table_name(table) not in there]
    for at in range(0, len(missing), _MOST_TABLES):
        with session.transaction():
            session.execute(_LOCK, (names.lock_number(schema),))
            _create_schema(session, schema, (app_name, namespace))
            for table in missing[at : at + _MOST_TABLES]:
                _create_table(session, schema, table)


def drop_namespace(session: Session, app_name: str, namespace: str) -> None:
    """Drops the schema and all in it: in one transaction, unless there are hundreds of tables."""
    schema = names.schema_name(app_name, namespace)
    there = [name for (name,) in session.execute(_FIND_TABLES, (schema,)).fetchall()]
    for at in range(0, len(there) - _MOST_TABLES, _MOST_TABLES):
        some = [Identifier(schema, name) for name in there[at : at + _MOST_TABLES]]
        with session.transaction():
            session.execute(_LOCK, (names.lock_number(schema),))
            session.command(SQL("DROP TABLE IF EXISTS {}").format(SQL(", ").join(some)))
    with session.transaction():
        session.execute(_LOCK, (names.lock_number(schema),))
        session.command(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


def list_namespaces(session: Session) -> list[tuple[str, str]]:
    """All pairs of app name and namespace that have a schema, sorted."""
    pairs = []
    for schema, comment in session.execute(_FIND_NAMESPACES, (names.SCHEMA_PREFIX,)).fetchall():
        try:
            app_name, namespace = json.loads(comment or "")
            ours = names.schema_name(app_name, namespace) == schema
        except (ValueError, TypeError):
            continue  # a schema of someone else, or one that an administrator has just made
        if ours:
            pairs.append((app_name, namespace))
    return sorted(pairs)


def estimate_rows(session: Session, schema: str, table: BackendTable) -> int | None:
    """The number of rows that the server last counted or guessed, -1 before it has; None: no such table."""
    found = session.execute(_ESTIMATE, (schema, names.table_name(table))).fetchone()
    return None if found is None else round(found[0])


def _create_schema(session: Session, schema: str, true_names: tuple[str, str]) -> None:
    # IF NOT EXISTS alone would want the right to make schemas even where there is one.
    if session.execute(_FIND_SCHEMA, (schema,)).fetchone() is None:
        session.command(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
        session.command(
            SQL("COMMENT ON SCHEMA {} IS {}").format(Identifier(schema), Literal(json.dumps(true_names)))
        )


def _create_table(session: Session, schema: str, table: BackendTable) -> None:
    session.command(TableStatements(schema, table).definition)
    name = Identifier(schema, names.table_name(table))
    session.command(SQL("COMMENT ON TABLE {} IS {}").format(name, Literal(json.dumps(table.name))))
