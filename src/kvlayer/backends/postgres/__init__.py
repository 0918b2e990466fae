"""Tables of a PostgreSQL database, by the driver `psycopg`.

- `backend`: the operations of `kvlayer.backends.base.Backend`
- `options`: what a configuration may say, and the driver's connection settings made of it
- `sessions`: one connection, its statements, and how long their answers are waited for
- `poolers`: opening sessions, also through a pooler such as PgBouncer
- `connections`: a pool of them for threads
- `statements`: the SQL of one table
- `pages`: reading rows so that an answer stays small whatever the size of the values
- `schema`: making and dropping tables and namespaces
- `names`: the names of kvlayer's tables and namespaces as SQL identifiers
- `failures`: what a failed statement has done, and PostgreSQL's errors as kvlayer's

docs/backends/postgres.md is for users.
"""

from kvlayer.backends.postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
