"""PostgreSQL as operators run it: behind a pooler, with TLS, with a standby that takes over."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from psycopg.sql import SQL, Identifier

import kvlayer
from kvlayer.backends.postgres.names import table_name
from servers.pgbouncer import pgbouncer
from servers.postgres import PASSWORD, PostgresServer, StandbyServer, shared_server

POOLERS = {
    "transaction": {"pool_mode": "transaction"},
    "session": {"pool_mode": "session"},
    "ignoring": {"pool_mode": "transaction", "ignore_startup_parameters": "options"},
}

SCHEMA: dict[str, tuple[type, ...]] = {"t": (str, int), "n": (str,), "f": (str,)}
VALUE_TYPES = {"n": kvlayer.COUNTER, "f": kvlayer.ACCUMULATOR}


@contextmanager
def opened(config: dict[str, Any], namespace: str = "topologies", **more: Any) -> Iterator[kvlayer.Client]:
    """A client with a namespace of three tables, which is removed in the end."""
    with kvlayer.client({**config, **more}, app_name="app", namespace=namespace) as kvl:
        kvl.setup_namespace(SCHEMA, VALUE_TYPES)
        yield kvl
        kvl.delete_namespace()


def use(kvl: kvlayer.Client) -> None:
    """All operations, with more rows than a page or a statement takes."""
    rows = [(("a", number), b"%d" % number) for number in range(2500)]
    kvl.put("t", *rows)
    kvl.put("t", (("b", 1), b"one"))
    assert list(kvl.get("t", ("b", 1), ("a", 7), ("z", 0))) == [
        (("b", 1), b"one"),
        (("a", 7), b"7"),
        (("z", 0), None),
    ]
    assert list(kvl.get("t", ("b", 1))) == [(("b", 1), b"one")]
    assert list(kvl.scan("t", (("a",), ("a",)))) == rows
    assert [key[1] for key in kvl.scan_keys("t", (("a",), ("a",)), reverse=True, limit=1500)] == [
        *range(2499, 999, -1)
    ]
    kvl.put("t", *((("long", number), bytes(100_000)) for number in range(20)))
    assert sum(len(value) for _, value in kvl.scan("t", (("long",), ("long",)))) == 2_000_000
    assert kvl.compare_and_put("t", ("c", 1), None, b"1")
    assert not kvl.compare_and_put("t", ("c", 1), b"2", b"3")
    assert kvl.compare_and_put("t", ("c", 1), b"1", None)
    assert kvl.increment("n", (("a",), 2**70), (("b",), 1)) == [2**70, 1]
    assert kvl.increment("f", (("a",), 0.1), (("b",), 0.2)) == [0.1, 0.2]
    kvl.delete("t", ("b", 1), ("a", 7))
    kvl.delete_range("t", (("a", 1000), ("a",)))
    assert sum(1 for _ in kvl.scan_keys("t", (("a",), ("a",)))) == 999
    kvl.clear_table("t")
    assert list(kvl.scan("t")) == []


@pytest.fixture(scope="module", params=POOLERS)
def mode(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


@pytest.fixture(scope="module")
def pooled(mode: str) -> Iterator[dict[str, Any]]:
    server = shared_server()
    with pgbouncer(server, **POOLERS[mode]) as address:
        yield {**server.config, "storage_addresses": [address]}


class TestPoolers:
    def test_all_operations(self, pooled: dict[str, Any]) -> None:
        with opened(pooled) as kvl:
            use(kvl)
            assert kvl.ping()["pooled"]
            assert ("app", "topologies") in kvl.namespaces()

    def test_the_server_itself_is_no_pooler(self) -> None:
        with opened(shared_server().config) as kvl:
            facts = kvl.ping()
            assert not facts["pooled"]
            assert (facts["statement_timeout"], facts["lock_timeout"]) == ("1min", "20s")

    def test_clients_that_share_connections(self, mode: str, pooled: dict[str, Any]) -> None:
        """Each client has tables of its own, so statements under one name would meet the wrong ones."""
        clients = 3 if mode == "session" else 6
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with opened(pooled, f"shared {number}", min_connections=0, max_connections=1) as kvl:
                    for turn in range(30):
                        kvl.put("t", (("one", turn), b"%d" % number))
                        kvl.put("t", *((("many", row), b"%d" % number) for row in range(5)))
                        assert kvl.increment("n", (("a",), number)) == [number * (turn + 1)]
                        assert kvl.increment("f", (("a",), 0.5)) == [0.5 * (turn + 1)]
                        assert {value for _, value in kvl.scan("t")} == {b"%d" % number}
                        assert sum(1 for _ in kvl.scan_keys("t")) == turn + 6
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, clients + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_settings_are_in_force(self, pooled: dict[str, Any]) -> None:
        """Those of options, and those of the user, which win; and no other client's."""
        mine = r"-c lock_timeout=7s --work-mem=4321kB -c DateStyle=German,\ DMY"
        with (
            opened(pooled, statement_timeout=5, driver={"options": mine}) as first,
            kvlayer.client(pooled, app_name="app", namespace="ns") as second,
        ):
            for _ in range(3):
                assert (first.ping()["statement_timeout"], first.ping()["lock_timeout"]) == ("5s", "7s")
                assert (second.ping()["statement_timeout"], second.ping()["lock_timeout"]) == ("1min", "20s")
            query = "SELECT current_setting('work_mem'), current_setting('DateStyle')"
            pool = cast("Any", first._connected())._pool
            session = pool.take()
            found = [session.execute(query.encode()).fetchone()]
            with session.transaction():
                found.append(session.execute(query.encode()).fetchone())
            found.append(tuple(session.ask(query.encode(), ()).get_value(0, at).decode() for at in range(2)))
            pool.give_back(session)
            assert found == [("4321kB", "German, DMY")] * 3

    def test_locks_are_waited_for_no_longer_than_asked(self, pooled: dict[str, Any]) -> None:
        with opened(pooled, lock_timeout=0.05) as kvl, shared_server().connect() as other:
            kvl.put("t", (("a", 1), b"1"))
            backend, definition = (
                cast("Any", kvl._connected()),
                cast("Any", kvl.table("t")._access._definition),
            )
            name = Identifier(backend._schema, table_name(definition.stored))
            other.execute("BEGIN")
            other.execute(SQL("LOCK TABLE {}").format(name))
            operations: list[Callable[[], Any]] = [
                lambda: kvl.put("t", (("a", 1), b"2")),
                lambda: kvl.put("t", (("a", 1), b"2"), (("a", 2), b"2")),
                lambda: list(kvl.scan("t")),
                lambda: kvl.clear_table("t"),
            ]
            for operation in operations:
                with pytest.raises(kvlayer.StorageError, match="lock_timeout"):
                    operation()
            other.execute("ROLLBACK")
            assert list(kvl.scan("t")) == [(("a", 1), b"1")]

    def test_statements_are_prepared_if_the_user_says_so(self, mode: str, pooled: dict[str, Any]) -> None:
        """A session of the pooler keeps their names; shared ones of this PgBouncer would not."""
        prepare = mode == "session"
        with opened(pooled, prepared_statements=prepare, max_connections=1) as kvl:
            use(kvl)
            assert cast("Any", kvl._connected())._pool._idle[0]._prepare is prepare

    def test_statements_that_a_pooler_mixes_up(self) -> None:
        """What this PgBouncer does where the user wants prepared statements and shared connections."""
        server = shared_server()
        with pgbouncer(server, **POOLERS["transaction"], default_pool_size="1") as address:
            config = {**server.config, "storage_addresses": [address], "prepared_statements": True}
            with (
                opened(config),
                kvlayer.client(config, app_name="app", namespace="other") as second,
                pytest.raises(kvlayer.StorageError, match="prepared_statements, which must be off") as raised,
            ):
                second.ping()
            assert not raised.value.retryable

    def test_writers_in_opposite_order_do_not_deadlock(self) -> None:
        """Rows are locked in the order of their keys by a setting of the session, too."""
        rows = range(300)
        with (
            PostgresServer({"deadlock_timeout": "50ms"}) as server,
            pgbouncer(server, pool_mode="transaction") as address,
            opened({**server.config, "storage_addresses": [address]}) as kvl,
            server.connect() as admin,
        ):

            def work(number: int) -> None:
                ordered = rows[:: 1 if number % 2 else -1]
                for turn in range(15):
                    kvl.put("t", *((("a", row), b"") for row in ordered))
                    if turn % 3 == number:
                        kvl.delete("t", *(("a", row) for row in ordered))
                        kvl.delete_range("t", (("a", 100), ("a", 200)))

            threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(1.1)  # sessions report once a second
            count = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'kvlayer'"
            assert admin.execute(count).fetchone() == (0,)

    def test_a_server_that_is_restarted_behind_the_pooler(self) -> None:
        with (
            PostgresServer() as server,
            pgbouncer(server, **POOLERS["transaction"]) as address,
            opened({**server.config, "storage_addresses": [address]}) as kvl,
        ):
            kvl.put("t", *((("a", number), b"") for number in range(2500)))
            keys = kvl.scan_keys("t")
            found = [next(keys)[1] for _ in range(1200)]
            server.crash()
            server.start()
            kvl.put("t", (("b", 0), b""))
            assert found + [number for name, number in keys if name == "a"] == [*range(2500)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    _authority(folder, "authority")
    _authority(folder, "stranger")
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key"]
    _openssl(folder, *request, "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "authority.crt", "-CAkey", "authority.key"]
    _openssl(folder, *sign, "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.crt")
    return folder


@pytest.fixture(scope="module")
def tls_server(authority: Path) -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        for name in ("server.key", "server.crt"):
            copy = server.folder / name
            copy.write_bytes((authority / name).read_bytes())
            copy.chmod(0o600)
            server.own(copy)
        with server.connect() as admin:
            admin.execute(f"ALTER SYSTEM SET ssl_cert_file = '{server.folder}/server.crt'".encode())
            admin.execute(f"ALTER SYSTEM SET ssl_key_file = '{server.folder}/server.key'".encode())
            admin.execute("ALTER SYSTEM SET ssl = on")
        server.stop()
        server.start()
        yield server


class TestEncryption:
    def config(self, server: PostgresServer, host: str = "localhost", **more: Any) -> dict[str, Any]:
        where = f"host={host} hostaddr=127.0.0.1 port={server.port}"
        return {**server.config, "storage_addresses": [where], **more}

    @pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
    def test_a_connection_that_is_encrypted(
        self, tls_server: PostgresServer, authority: Path, sslmode: str
    ) -> None:
        driver = {} if sslmode == "require" else {"sslrootcert": str(authority / "authority.crt")}
        with opened(self.config(tls_server, sslmode=sslmode, driver=driver)) as kvl:
            use(kvl)
            query = (
                "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                " WHERE application_name = 'kvlayer'"
            )
            with tls_server.connect() as admin:
                assert admin.execute(query).fetchone() == (True,)

    @pytest.mark.parametrize(
        ("root", "host", "said"),
        [
            ("stranger.crt", "localhost", "certificate verify failed"),
            (
                "authority.crt",
                "elsewhere",
                'certificate for "localhost" does not match host name "elsewhere"',
            ),
            ("nowhere.crt", "localhost", "certificate file .*nowhere.crt.* does not exist"),
        ],
    )
    def test_a_server_that_can_not_be_trusted(
        self, tls_server: PostgresServer, authority: Path, root: str, host: str, said: str
    ) -> None:
        driver = {"sslrootcert": str(authority / root)}
        with (
            kvlayer.client(
                self.config(tls_server, host, sslmode="verify-full", driver=driver),
                app_name="app",
                namespace="ns",
            ) as kvl,
            pytest.raises(kvlayer.StorageError, match=f"connect at {host}:.*{said}") as raised,
        ):
            kvl.ping()
        assert "\n" not in str(raised.value)
        assert PASSWORD not in str(raised.value)
        assert not raised.value.retryable


class TestStandbys:
    def test_the_standby_takes_over(self) -> None:
        """The primary is killed and its synchronous standby promoted, while a client writes, counts and scans:
        each goes on, and nothing that was acknowledged is lost."""
        with PostgresServer() as primary, StandbyServer(primary) as standby:
            with primary.connect() as admin:
                admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                admin.execute("SELECT pg_reload_conf()")
            standby.wait_for("sync")
            addresses = [primary.address, standby.address]
            with opened({**primary.config, "storage_addresses": addresses}, retry_seconds=120) as kvl:
                kvl.put("t", *((("a", number), b"") for number in range(2500)))
                assert kvl.ping()["standby"] is False
                keys = kvl.scan_keys("t", (("a",), ("a",)))
                seen = [next(keys)[1] for _ in range(1200)]
                writer = _Writer(kvl)
                with writer:
                    writer.wait_for(20)
                    primary.crash()
                    standby.promote()
                    writer.wait_for(20)
                assert seen + [number for _, number in keys] == [*range(2500)]
                written = {number for _, number in kvl.scan_keys("t", (("w",), ("w",)))}
                assert written >= writer.acknowledged
                ((_, total),) = kvl.get("n", ("count",))
                assert writer.counted <= total <= writer.counted + writer.doubtful
                assert list(kvl.get("t", ("a", 7))) == [(("a", 7), b"")]
                use(kvl)

    def test_a_standby_alone_is_read_only(self) -> None:
        with PostgresServer() as primary, StandbyServer(primary) as standby, opened(primary.config) as kvl:
            kvl.put("t", (("a", 1), b"1"))
            standby.wait_for("async")
            standby.catch_up()
            config = {**standby.config, "retry_seconds": 0}
            with kvlayer.client(config, app_name="app", namespace="topologies") as reader:
                assert reader.ping()["standby"] is True
                assert list(reader.get("t", ("a", 1))) == [(("a", 1), b"1")]
                with pytest.raises(kvlayer.StorageError, match="only reads.*Nothing of this call"):
                    reader.put("t", (("a", 2), b"2"))


class _Writer:
    """A thread that puts and counts until it is told to stop."""

    def __init__(self, kvl: kvlayer.Client) -> None:
        self.acknowledged: set[int] = set()
        self.counted = self.doubtful = 0
        self._kvl = kvl
        self._stop = threading.Event()
        self._progress = threading.Condition()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self._failure is None

    def wait_for(self, more: int) -> None:
        """Returns when so many more puts were acknowledged, or the thread has failed."""
        with self._progress:
            target = len(self.acknowledged) + more
            done = self._progress.wait_for(lambda: len(self.acknowledged) >= target or self._failure, 240)
        assert done, "the writer hangs"

    def _write(self) -> None:
        try:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                self._kvl.put("t", (("w", number), b""))
                with self._progress:
                    self.acknowledged.add(number)
                    self._progress.notify_all()
                try:
                    self._kvl.increment("n", (("count",), 1))
                    self.counted += 1
                except kvlayer.StorageError as error:
                    assert "All or nothing" in str(error)
                    self.doubtful += 1
        except BaseException as error:
            with self._progress:
                self._failure = error
                self._progress.notify_all()


def _authority(folder: Path, name: str) -> None:
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    _openssl(folder, *request, "-keyout", f"{name}.key", "-out", f"{name}.crt")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
