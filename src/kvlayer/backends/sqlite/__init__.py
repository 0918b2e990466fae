"""One durable file: tables in an SQLite database, by the `sqlite3` module of Python's own library.

- `backend`: the operations of `kvlayer.backends.base.Backend`
- `statements`: the SQL of one table, and reading by the page
- `registry`: which SQL table holds which kvlayer table
- `connections`: a pool of connections for threads, and what happens to it at a fork
- `database`: opening a file, refusing one that isn't kvlayer's
- `failures`: SQLite's errors as kvlayer's

docs/backends/sqlite.md is for users.
"""

from kvlayer.backends.sqlite.backend import SQLiteBackend

__all__ = ["SQLiteBackend"]
