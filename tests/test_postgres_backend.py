"""The postgres backend on a real server, called as the client calls it: with bytes."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvlayer.backends.base import PAGE_BYTES, BackendTable
from kvlayer.backends.postgres import PostgresBackend, names, sessions
from kvlayer.backends.postgres.sessions import Session
from kvlayer.errors import BadKey, NoSuchTable, StorageError
from servers.postgres import PASSWORD, PostgresServer, shared_server

Opener = Callable[..., PostgresBackend]

PLAIN = BackendTable("plain", incarnation="1")
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
ACCUMULATOR = BackendTable("accumulator", kind="accumulator", incarnation="1")
TABLES = [PLAIN, COUNTER, ACCUMULATOR]


@pytest.fixture(scope="module")
def server() -> PostgresServer:
    return shared_server()


@pytest.fixture(scope="module")
def opened(server: PostgresServer) -> Iterator[Opener]:
    """Opens backends, and drops their namespaces after the tests of this module."""
    backends: list[PostgresBackend] = []

    def open_backend(app_name: str | None = None, namespace: str = "ns", **options: Any) -> PostgresBackend:
        config = {key: value for key, value in server.config.items() if key != "storage_type"}
        made = PostgresBackend(
            PostgresBackend.Options(**{**config, **options}), app_name or uuid4().hex, namespace
        )
        backends.append(made)
        return made

    yield open_backend
    for backend in backends:
        if not backend._pool._closed:
            with closing(backend):
                backend.drop_namespace()


@pytest.fixture(scope="module")
def filled(opened: Opener) -> PostgresBackend:
    backend = opened()
    backend.create_tables(TABLES)
    return backend


@pytest.fixture
def backend(filled: PostgresBackend) -> PostgresBackend:
    """One with three empty tables."""
    for table in TABLES:
        filled.delete_range(table, b"", None)
    return filled


def sql_name(backend: PostgresBackend, table: BackendTable) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(backend._schema, names.table_name(table))


def pages(
    backend: PostgresBackend, table: BackendTable = PLAIN, **ends: Any
) -> list[list[tuple[bytes, bytes]]]:
    given = {"start": b"", "stop": None, "reverse": False, "limit": None, **ends}
    return list(backend.scan(table, **given))


class TestLongValues:
    """A page holds `PAGE_BYTES` of values, whatever their sizes."""

    SHARE = PAGE_BYTES // 1000

    def test_get_answers_as_many_as_fit(self, backend: PostgresBackend) -> None:
        big = bytes(PAGE_BYTES // 4)
        keys = [b"%d" % number for number in range(10)]
        backend.put(PLAIN, [(key, key + big) for key in keys])
        asked = [b"missing", *keys[::-1], *keys]
        answers: list[bytes | None] = []
        calls = 0
        while len(answers) < len(asked):
            part = backend.get(PLAIN, asked[len(answers) :])
            assert 0 < sum(len(value or b"") for value in part) <= PAGE_BYTES
            answers += part
            calls += 1
        assert answers == [None if key == b"missing" else key + big for key in asked]
        assert calls == 7

    @pytest.mark.parametrize("reverse", [False, True])
    def test_pages_of_a_scan(self, backend: PostgresBackend, reverse: bool) -> None:
        sizes = [0, 1, self.SHARE, self.SHARE + 1, PAGE_BYTES // 3, PAGE_BYTES // 3, PAGE_BYTES // 3, 5]
        sizes += [PAGE_BYTES, PAGE_BYTES + 1, 7, PAGE_BYTES // 2]
        rows = [(b"%02d" % number, bytes(size)) for number, size in enumerate(sizes)]
        for row in rows:
            backend.put(PLAIN, [row])
        found = pages(backend, reverse=reverse)
        assert [row for page in found for row in page] == rows[:: -1 if reverse else 1]
        assert all(sum(len(value) for _, value in page) <= PAGE_BYTES for page in found if len(page) > 1)
        assert len(found) <= 6
        limited = [row for page in pages(backend, reverse=reverse, limit=7) for row in page]
        assert limited == rows[:: -1 if reverse else 1][:7]

    def test_rows_deleted_between_the_two_statements(
        self, backend: PostgresBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A row that goes while its value is on its way is left out; a page of such rows is no end."""
        big = bytes(2 * self.SHARE)
        backend.put(PLAIN, [(b"%04d" % number, big) for number in range(1001)])
        statements = backend._sql(PLAIN)
        gone = psycopg.sql.SQL(
            "WITH gone AS (DELETE FROM {t} WHERE k < %b)"
            " SELECT k, octet_length(v) FROM {t} WHERE k = ANY(%b) AND k >= %b"
        ).format(t=sql_name(backend, PLAIN))
        execute = Session.execute

        def deleting(session: Session, statement: bytes, parameters: Any = ()) -> Any:
            if statement == statements.sizes:
                return execute(session, gone.as_bytes(None), (first, *parameters, first))
            return execute(session, statement, parameters)

        monkeypatch.setattr(Session, "execute", deleting)
        first = b"1000"
        assert pages(backend) == [[(b"1000", big)]]
        backend.put(PLAIN, [(b"a", big), (b"b", b"small")])
        first = b"b"
        assert backend.get(PLAIN, [b"b", b"a", *(b"%d" % n for n in range(998))])[:2] == [b"small", None]

    def test_a_put_of_many_statements_is_one_transaction(self, backend: PostgresBackend) -> None:
        rows = [(b"%06d" % number, bytes(1000)) for number in range(45_000)]
        backend.put(PLAIN, rows[::-1])
        assert sum(map(len, pages(backend))) == 45_000
        backend.delete(PLAIN, [key for key, _ in rows])
        assert pages(backend) == []
        with pytest.raises(BadKey, match="too long"):  # which the client would have found before
            backend.put(PLAIN, [*rows, (b"9" + random.randbytes(3000), b"")])
        assert pages(backend) == []


class TestKeys:
    def test_the_longest_key_declared_is_the_longest_one_possible(self, backend: PostgresBackend) -> None:
        longest = backend.capabilities.max_key_bytes
        assert longest is not None
        keys = [random.randbytes(longest) for _ in range(200)]  # nothing in them can be compressed
        backend.put(PLAIN, [(key, key) for key in keys])
        assert [row[0] for page in pages(backend) for row in page] == sorted(keys)
        with pytest.raises(BadKey):
            backend.put(PLAIN, [(random.randbytes(longest + 1), b"")])


class TestNumbers:
    def test_sql_sees_numbers(self, backend: PostgresBackend, server: PostgresServer) -> None:
        backend.put(COUNTER, [(b"a", b"-5"), (b"b", b"%d" % 10**40)])
        backend.put(ACCUMULATOR, [(b"a", b"0.1"), (b"b", b"1e+22")])
        with server.connect() as connection:
            for table, total in ((COUNTER, 10**40 - 5), (ACCUMULATOR, 1e22 + 0.1)):
                text = psycopg.sql.SQL("SELECT sum(v) FROM {}").format(sql_name(backend, table))
                row = connection.execute(text).fetchone()
                assert row is not None
                assert row[0] == total

    def test_ints_are_exact_up_to_their_limit(self, backend: PostgresBackend) -> None:
        most = 10**4300 - 1
        for number in (0, -1, 2**63, -(2**200), most, -most):
            backend.put(COUNTER, [(b"a", b"%d" % number)])
            assert backend.get(COUNTER, [b"a"]) == [b"%d" % number]
            assert backend.increment(COUNTER, [(b"a", 0)]) == [number]
        assert backend.increment(COUNTER, [(b"a", 2 * most)]) == [most]  # a delta of 4301 digits

    @pytest.mark.parametrize("exponent", [0, 4301, 140_000])
    def test_beyond_the_limit_nothing_is_added(self, backend: PostgresBackend, exponent: int) -> None:
        most = b"%d" % (10**4300 - 1)
        backend.put(COUNTER, [(b"a", b"1"), (b"m", most), (b"z", b"1")])
        with pytest.raises(BadKey, match="digits"):
            backend.increment(COUNTER, [(b"z", 1), (b"m", 10**exponent), (b"a", 1), (b"new", 1)])
        assert backend.get(COUNTER, [b"a", b"m", b"z", b"new"]) == [b"1", most, b"1", None]

    @given(
        stored=st.none() | st.floats(),
        deltas=st.lists(st.floats() | st.sampled_from([0.0, -0.0, 1.7976931348623157e308, 5e-324])),
    )
    @settings(max_examples=60, deadline=None)
    def test_floats_add_as_pythons(
        self, filled: PostgresBackend, stored: float | None, deltas: list[float]
    ) -> None:
        filled.delete(ACCUMULATOR, [b"a"])
        total: float = 0
        if stored is not None:
            total = stored
            filled.put(ACCUMULATOR, [(b"a", repr(stored).encode())])
        for delta in deltas:
            total += delta
            (answer,) = filled.increment(ACCUMULATOR, [(b"a", delta)])
            assert repr(answer) == repr(total)
            assert filled.get(ACCUMULATOR, [b"a"]) == [repr(total).encode()]
            if not math.isnan(total):
                assert struct.pack("d", answer) == struct.pack("d", total)

    @pytest.mark.parametrize("text", [b"0.0", b"-0.0", b"nan", b"inf", b"-inf", b"0.1", b"5e-324"])
    def test_floats_compare_as_they_are_stored(self, backend: PostgresBackend, text: bytes) -> None:
        others = [b"0.0", b"-0.0", b"nan", b"inf"]
        backend.put(ACCUMULATOR, [(b"a", text)])
        for other in others:
            assert backend.compare_and_put(ACCUMULATOR, b"a", other, text) is (other == text)
        assert backend.compare_and_put(ACCUMULATOR, b"a", text, b"1.5")
        assert backend.increment(ACCUMULATOR, [(b"i", math.inf)]) == [math.inf]
        assert math.isnan(backend.increment(ACCUMULATOR, [(b"i", -math.inf)])[0])
        assert backend.compare_and_put(ACCUMULATOR, b"i", b"nan", None)
        assert backend.get(ACCUMULATOR, [b"a", b"i"]) == [b"1.5", None]

    def test_counters_compare(self, backend: PostgresBackend) -> None:
        assert backend.compare_and_put(COUNTER, b"a", None, b"7")
        assert not backend.compare_and_put(COUNTER, b"a", None, b"8")
        assert not backend.compare_and_put(COUNTER, b"a", b"8", b"9")
        assert backend.compare_and_put(COUNTER, b"a", b"7", b"%d" % 10**30)
        assert backend.compare_and_put(COUNTER, b"a", b"%d" % 10**30, None)
        assert backend.compare_and_put(COUNTER, b"a", None, None)


class TestNames:
    ODD = [
        'a"; DROP TABLE x; --',
        "{}*?[",
        "\N{PILE OF POO}" * 200,
        "%s %b %%",
        "\0",
        "A",
        "a",
        "1",
        "_",
        "ö",
    ]

    def test_odd_names_are_all_different(self, opened: Opener) -> None:
        tables = [BackendTable(name, incarnation=str(number)) for name in self.ODD for number in range(2)]
        backends = {
            (one, two): opened(one, two, max_connections=1, min_connections=0)
            for one in self.ODD
            for two in self.ODD[:2]
        }
        for pair, backend in backends.items():
            backend.create_tables(tables)
            for table in tables:
                backend.put(table, [(b"k", repr((pair, table)).encode())])
        for pair, backend in backends.items():
            for table in tables:
                assert backend.get(table, [b"k"]) == [repr((pair, table)).encode()]
        assert backends.keys() <= set(next(iter(backends.values())).list_namespaces())
        for backend in backends.values():
            backend.drop_namespace()
            backend.close()

    def test_names_can_be_read_and_are_no_longer_than_postgresql_allows(self) -> None:
        assert names.schema_name("my-App", "Main").startswith("kvlayer_my_app_main_")
        assert names.table_name(PLAIN).startswith("plain_")
        for odd in self.ODD:
            for name in (names.schema_name(odd, odd), names.table_name(BackendTable(odd))):
                assert len(name.encode()) <= 63
                assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")

    def test_names_are_part_of_the_format(self) -> None:
        """Another version must find the tables of this one."""
        assert names.schema_name("app", "ns") == "kvlayer_app_ns_65oizlj3bsfkhib7nnx5pdu6qq"
        assert names.table_name(PLAIN) == "plain_b4b73acaszw3zuhm2sxzm5rw4q"

    def test_schemas_of_others_are_no_namespaces(
        self, backend: PostgresBackend, server: PostgresServer
    ) -> None:
        with server.connect() as connection:
            for comment in ("NULL", "'x'", "'{}'", "'[1, 2]'", """'["a", "b"]'"""):
                connection.execute("CREATE SCHEMA kvlayer_mine")
                connection.execute(f"COMMENT ON SCHEMA kvlayer_mine IS {comment}".encode())
                found = backend.list_namespaces()
                connection.execute("DROP SCHEMA kvlayer_mine")
                assert (backend._app_name, "ns") in found
                assert ("a", "b") not in found


class TestTables:
    def test_hundreds_of_tables(self, opened: Opener) -> None:
        """More than a transaction should lock."""
        backend = opened()
        tables = [BackendTable(f"t{number}", incarnation="1") for number in range(450)]
        backend.create_tables(tables)
        backend.put(tables[-1], [(b"a", b"1")])
        backend.drop_namespace()
        with pytest.raises(NoSuchTable):
            backend.get(tables[0], [b"a"])
        assert (backend._app_name, "ns") not in backend.list_namespaces()
        backend.drop_namespace()

    def test_another_incarnation_is_another_table(self, opened: Opener) -> None:
        stale, fresh = opened("incarnations"), opened("incarnations")
        stale.create_tables([PLAIN])
        stale.put(PLAIN, [(b"a", b"1")])
        fresh.drop_namespace()
        again = BackendTable("plain", incarnation="2")
        fresh.create_tables([again])
        operations: list[Callable[[], Any]] = [
            lambda: stale.put(PLAIN, [(b"a", b"1")]),
            lambda: stale.put(PLAIN, [(b"a", b"1"), (b"b", b"1")]),
            lambda: stale.get(PLAIN, [b"a"]),
            lambda: stale.delete(PLAIN, [b"a"]),
            lambda: stale.delete_range(PLAIN, b"", None),
            lambda: list(stale.scan(PLAIN, b"", None, reverse=False, limit=None)),
            lambda: list(stale.scan_keys(PLAIN, b"", None, reverse=False, limit=None)),
            lambda: stale.clear(PLAIN),
            lambda: stale.compare_and_put(PLAIN, b"a", None, b"1"),
            lambda: stale.estimate_rows(PLAIN),
        ]
        for operation in operations:
            with pytest.raises(NoSuchTable, match="'plain'.*'ns'"):
                operation()
        assert fresh.get(again, [b"a"]) == [None]

    def test_estimates(self, backend: PostgresBackend, server: PostgresServer, opened: Opener) -> None:
        fresh = opened()
        fresh.create_tables([PLAIN])
        assert fresh.estimate_rows(PLAIN) is None
        fresh.put(PLAIN, [(b"%d" % number, b"") for number in range(5000)])
        with server.connect() as connection:
            connection.execute(psycopg.sql.SQL("ANALYZE {}").format(sql_name(fresh, PLAIN)))
        assert fresh.estimate_rows(PLAIN) == 5000

    def test_ping(self, backend: PostgresBackend, server: PostgresServer) -> None:
        facts = backend.ping()
        assert facts["where"] == server.address
        assert facts["database"] == "kvlayer"
        assert facts["version"].split(".")[0].isdigit()
        assert (facts["standby"], facts["durable"]) == (False, True)


class TestOddServers:
    """What a database or a role was set to must not matter."""

    def works(self, backend: PostgresBackend) -> None:
        backend.create_tables(TABLES)
        keys = [b"a", b"B", b"\xc3\xa4", b"\0", b"\xff", b"", b"a b", b"ab", b"A"]
        backend.put(PLAIN, [(key, key) for key in keys])
        assert [row for page in pages(backend) for row in page] == sorted((key, key) for key in keys)
        assert backend.increment(COUNTER, [(b"a", 2**70)]) == [2**70]
        assert backend.increment(ACCUMULATOR, [(b"a", 0.1)]) == [0.1]
        assert backend.compare_and_put(PLAIN, b"a", b"a", b"b")
        assert (backend._app_name, "ns") in backend.list_namespaces()
        backend.clear(PLAIN)
        assert pages(backend) == []
        backend.drop_namespace()

    @pytest.mark.parametrize(
        "database",
        [
            "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
            "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'",
            "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn-true' LOCALE 'C.UTF-8'",
        ],
    )
    def test_encodings_and_collations(self, opened: Opener, server: PostgresServer, database: str) -> None:
        with server.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE odd {database}".encode())
            try:
                backend = opened("äpp \N{SNOWMAN} \\ ' \"", dbname="odd")
                self.works(backend)
                backend.close()
            finally:
                connection.execute("DROP DATABASE odd WITH (FORCE)")

    @pytest.mark.parametrize(
        "setting",
        [
            "search_path = nowhere",
            "standard_conforming_strings = off",
            "client_encoding = 'LATIN1'",
            "bytea_output = 'escape'",
            "extra_float_digits = -5",
            "default_transaction_isolation = 'serializable'",
            "lc_messages = 'C'",
            "quote_all_identifiers = on",
        ],
    )
    def test_settings_of_a_role_without_privileges(
        self, opened: Opener, server: PostgresServer, setting: str
    ) -> None:
        with server.connect() as connection:
            connection.execute(f"CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'".encode())
            try:
                connection.execute("GRANT CREATE ON DATABASE kvlayer TO plain")
                connection.execute(f"ALTER ROLE plain SET {setting}".encode())
                backend = opened("app \\ ' \"", username="plain")
                self.works(backend)
                backend.close()
            finally:
                connection.execute("REVOKE ALL ON DATABASE kvlayer FROM plain")
                connection.execute("DROP ROLE plain")

    def test_without_prepared_statements(self, opened: Opener) -> None:
        self.works(opened(prepared_statements=False))

    def test_more_statements_than_a_session_keeps(
        self, opened: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sessions, "_MOST_PREPARED", 3)
        backend = opened(max_connections=1)
        tables = [BackendTable(f"t{number}", incarnation="1") for number in range(5)]
        backend.create_tables(tables)
        for table in [*tables, *tables]:
            backend.put(table, [(b"a", table.name.encode())])
            assert backend.get(table, [b"a"]) == [table.name.encode()]
        session = backend._pool.take()
        kept = session.execute(b"SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'kvlayer%%'")
        assert kept.fetchone() == (3,)
        backend._pool.give_back(session)

    def test_statements_that_the_server_was_told_to_forget(self, opened: Opener) -> None:
        """As the driver does itself, for example when a session has dropped something."""
        backend = opened(max_connections=1)
        backend.create_tables([PLAIN])
        backend.put(PLAIN, [(b"a", b"1")])
        session = backend._pool.take()
        session.command(psycopg.sql.SQL("DEALLOCATE ALL").format())
        backend._pool.give_back(session)
        backend.put(PLAIN, [(b"a", b"2")])
        assert backend.get(PLAIN, [b"a"]) == [b"2"]

    def test_a_role_that_may_make_no_schemas(self, opened: Opener, server: PostgresServer) -> None:
        with server.connect() as connection:
            connection.execute(f"CREATE ROLE modest LOGIN PASSWORD '{PASSWORD}'".encode())
            backend = opened("modest", username="modest")
            with pytest.raises(
                StorageError, match=f"{server.address}.*may not do so.*permission denied"
            ) as raised:
                backend.create_tables([PLAIN])
            assert not raised.value.retryable
            schema = psycopg.sql.Identifier(backend._schema)
            connection.execute(psycopg.sql.SQL("CREATE SCHEMA {} AUTHORIZATION modest").format(schema))
            backend.create_tables([PLAIN])
            backend.put(PLAIN, [(b"a", b"1")])
            assert backend.get(PLAIN, [b"a"]) == [b"1"]
            backend.drop_namespace()
            backend.close()
            connection.execute("DROP ROLE modest")

    def test_a_server_that_may_forget(self, opened: Opener) -> None:
        """What is acknowledged survives only if the server is set so."""
        assert opened().capabilities.durable
        assert not opened(driver={"options": "-c synchronous_commit=off"}).capabilities.durable


def test_a_service_and_a_password_file(
    opened: Opener, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, passwords = tmp_path / "services", tmp_path / "passwords"
    services.write_text(f"[kv]\nhost=127.0.0.1\nport={server.port}\nuser=admin\ndbname=kvlayer\n")
    passwords.write_text(f"127.0.0.1:{server.port}:*:admin:{PASSWORD}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    driver = {"service": "kv", "passfile": str(passwords)}
    backend = opened(storage_addresses=[], username=None, password=None, dbname=None, driver=driver)
    assert backend.ping()["where"] == "service kv"
    socket = opened(storage_addresses=[f"{server.folder}:{server.port}"])
    assert socket.ping()["database"] == "kvlayer"
