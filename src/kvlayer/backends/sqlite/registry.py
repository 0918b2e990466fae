"""The table of tables: which SQL table holds which kvlayer table.

SQL names know no upper and lower case and SQLite reserves some; kvlayer's may be anything. So a table
is called `kv_` and a number that is never given twice: whoever holds an outdated number finds no
table, never another one. Nothing from outside becomes part of an SQL text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from kvlayer.backends.base import BackendTable


def create(connection: sqlite3.Connection) -> None:
    """Makes the registry, in the transaction of the caller."""
    connection.execute("""
        CREATE TABLE kvlayer_tables (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            app_name TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            incarnation TEXT NOT NULL,
            kind TEXT NOT NULL,
            UNIQUE (app_name, namespace, name, incarnation, kind)
        )""")


def find(connection: sqlite3.Connection, app_name: str, namespace: str, table: BackendTable) -> int | None:
    """The number of a table, None if it isn't there."""
    found = connection.execute(
        "SELECT id FROM kvlayer_tables"
        " WHERE app_name = ? AND namespace = ? AND name = ? AND incarnation = ? AND kind = ?",
        (app_name, namespace, table.name, table.incarnation, table.kind),
    ).fetchone()
    return found[0] if found else None


def add(
    connection: sqlite3.Connection, app_name: str, namespace: str, tables: Sequence[BackendTable]
) -> None:
    """Makes the tables that aren't there, in the transaction of the caller."""
    for table in tables:
        if find(connection, app_name, namespace, table) is None:
            number = connection.execute(
                "INSERT INTO kvlayer_tables (app_name, namespace, name, incarnation, kind)"
                " VALUES (?, ?, ?, ?, ?)",
                (app_name, namespace, table.name, table.incarnation, table.kind),
            ).lastrowid
            connection.execute(f"CREATE TABLE kv_{number} (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)")


def drop(connection: sqlite3.Connection, app_name: str, namespace: str) -> None:
    """Removes all tables of a namespace, in the transaction of the caller."""
    numbers = connection.execute(
        "DELETE FROM kvlayer_tables WHERE app_name = ? AND namespace = ? RETURNING id", (app_name, namespace)
    ).fetchall()
    for (number,) in numbers:
        connection.execute(f"DROP TABLE kv_{number}")


def namespaces(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """All pairs of app name and namespace that hold a table, sorted."""
    return sorted(connection.execute("SELECT DISTINCT app_name, namespace FROM kvlayer_tables"))
