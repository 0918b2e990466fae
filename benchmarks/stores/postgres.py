"""The `postgres` backend against psycopg: one connection, prepared statements, everything in binary.

Both use one server, started for the benchmark with PostgreSQL's own settings, and the same settings of
the session, so that both have the same plans.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg

from benchmarks.harness import WITH_ONE_ROW, Comparison, Contender
from benchmarks.stores.through_kvlayer import ThroughKvlayer
from kvlayer.backends.base import PAGE_ROWS
from kvlayer.backends.postgres import PostgresBackend

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from servers.postgres import PostgresServer  # the tests know how to start one

_MAKE: Final = "CREATE TABLE public.bare (k bytea PRIMARY KEY, v bytea NOT NULL)"
_PUT: Final = """
    INSERT INTO public.bare SELECT * FROM unnest(%b::bytea[], %b::bytea[])
    ON CONFLICT (k) DO UPDATE SET v = excluded.v"""
_GET: Final = "SELECT k, v FROM public.bare WHERE k = ANY(%b)"
_PUT_ONE: Final = "INSERT INTO public.bare VALUES (%b, %b) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
_GET_ONE: Final = "SELECT v FROM public.bare WHERE k = %b"
_SCAN: Final = "SELECT k, v FROM public.bare WHERE k >= %b ORDER BY k LIMIT %b"
_SCAN_KEYS: Final = "SELECT k FROM public.bare WHERE k >= %b ORDER BY k LIMIT %b"
_DELETE: Final = "DELETE FROM public.bare WHERE k = ANY(%b)"


class BarePsycopg(Contender):
    """The driver's cursor, without a check that the connection lives, and without bounds on bytes.

    One row goes by `Connection.execute`, as in programs that keep a connection.
    """

    takes_encoded: ClassVar[bool] = True

    def __init__(self, settings: dict[str, Any]) -> None:
        self._connection = psycopg.connect(autocommit=True, **settings)
        self._cursor = self._connection.cursor(binary=True)
        self._cursor.execute("DROP TABLE IF EXISTS public.bare")
        self._cursor.execute(_MAKE)

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        ordered = sorted(rows)
        parameters = [key for key, _ in ordered], [value for _, value in ordered]
        self._cursor.execute(_PUT, parameters, prepare=True)

    def get(self, keys: list[Any]) -> list[Any]:
        found: dict[bytes, bytes] = dict(self._cursor.execute(_GET, (keys,), prepare=True).fetchall())
        return list(map(found.get, keys))

    def scan(self) -> Iterable[tuple[Any, bytes]]:
        start = b""
        while page := self._cursor.execute(_SCAN, (start, PAGE_ROWS), prepare=True).fetchall():
            yield from page
            start = page[-1][0] + b"\0"

    def scan_keys(self) -> Iterable[Any]:
        start = b""
        while page := self._cursor.execute(_SCAN_KEYS, (start, PAGE_ROWS), prepare=True).fetchall():
            for (key,) in page:
                yield key
            start = page[-1][0] + b"\0"

    def delete(self, keys: list[Any]) -> None:
        self._cursor.execute(_DELETE, (keys,), prepare=True)

    def put_one(self, key: Any, value: bytes) -> None:
        self._connection.execute(_PUT_ONE, (key, value), prepare=True, binary=True)

    def get_one(self, key: Any) -> Any:
        row = self._connection.execute(_GET_ONE, (key,), prepare=True, binary=True).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        self._cursor.execute("DROP TABLE public.bare")
        self._connection.close()


@contextmanager
def _opened() -> Iterator[tuple[Contender, Contender]]:
    with (
        PostgresServer() as server,
        closing(ThroughKvlayer(server.config)) as ours,
        closing(BarePsycopg(_settings(server))) as bare,
    ):
        yield ours, bare


def _settings(server: PostgresServer) -> dict[str, Any]:
    """The connection settings that kvlayer uses, too."""
    config = {key: value for key, value in server.config.items() if key != "storage_type"}
    return PostgresBackend.Options(**config).connection_settings()


@contextmanager
def _served() -> Iterator[dict[str, Any]]:
    with PostgresServer() as server:
        yield server.config


COMPARISON = Comparison(
    store="postgres",
    baseline="psycopg",
    targets={"put": 0.85, "get": 0.7, "scan": 0.6, "put one": 0.8, "get one": 0.8},
    open=_opened,
    operations=WITH_ONE_ROW,
    server=_served,
)
