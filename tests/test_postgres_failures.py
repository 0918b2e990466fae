"""The postgres backend when the server is away, slow, full of others, or not what was expected."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from kvlayer.backends.base import BackendTable
from kvlayer.backends.postgres import PostgresBackend, connections, names, poolers
from kvlayer.backends.postgres.sessions import Session
from kvlayer.errors import BadKey, NoSuchTable, StorageClosed, StorageError
from servers.postgres import PASSWORD, PostgresServer
from servers.process import free_port

PLAIN = BackendTable("plain", incarnation="1")
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
ACCUMULATOR = BackendTable("accumulator", kind="accumulator", incarnation="1")
TABLES = [PLAIN, COUNTER, ACCUMULATOR]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that is stopped and started by these tests."""
    with PostgresServer({"deadlock_timeout": "100ms"}) as server:
        yield server


def connect(server: PostgresServer, **options: Any) -> PostgresBackend:
    config = {key: value for key, value in server.config.items() if key != "storage_type"}
    return PostgresBackend(PostgresBackend.Options(**{**config, **options}), "failures", "ns")


@contextmanager
def opened(server: PostgresServer, **options: Any) -> Iterator[PostgresBackend]:
    """A backend with three empty tables."""
    with closing(connect(server, **options)) as backend:
        backend.create_tables(TABLES)
        for table in TABLES:
            backend.clear(table)
        yield backend


def keys(backend: PostgresBackend) -> list[bytes]:
    return [key for page in backend.scan_keys(PLAIN, b"", None, reverse=False, limit=None) for key in page]


class TestNoConnection:
    @pytest.mark.parametrize(
        ("options", "said", "retryable"),
        [
            ({"password": "wrong-secret"}, "password authentication failed", False),
            ({"username": "nobody-here"}, "password authentication failed", False),
            ({"dbname": "nothing"}, 'database "nothing" does not exist', False),
            ({"storage_addresses": ["nowhere.invalid"]}, "resolve host", True),
            ({"sslmode": "require"}, "does not support SSL", True),
        ],
    )
    def test_one_clear_line(
        self, server: PostgresServer, options: dict[str, Any], said: str, retryable: bool
    ) -> None:
        with pytest.raises(StorageError, match=said) as raised:
            connect(server, **options)
        message = str(raised.value)
        assert "\n" not in message
        assert "secret" not in message
        assert PASSWORD not in message
        assert options.get("storage_addresses", [server.address])[0] in message
        assert raised.value.retryable is retryable
        assert isinstance(raised.value.__cause__, psycopg.Error)

    def test_a_closed_port(self, server: PostgresServer) -> None:
        address = f"127.0.0.1:{free_port()}"
        with pytest.raises(
            StorageError, match=f"connect at {address} failed: .*[Cc]onnection refused"
        ) as raised:
            connect(server, storage_addresses=[address])
        assert raised.value.retryable

    def test_the_next_address_is_tried(self, server: PostgresServer) -> None:
        addresses = [f"127.0.0.1:{free_port()}", server.address]
        with opened(server, storage_addresses=addresses) as backend:
            assert keys(backend) == []

    def test_too_many_clients(self, server: PostgresServer) -> None:
        with server.connect() as admin:
            admin.execute(f"CREATE ROLE few LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 1".encode())
            with (
                closing(connect(server, username="few")),
                pytest.raises(StorageError, match="too many") as raised,
            ):
                connect(server, username="few")
            assert raised.value.retryable
            admin.execute("DROP ROLE few")

    def test_after_close(self, server: PostgresServer) -> None:
        with opened(server) as backend:
            pass
        with pytest.raises(StorageClosed):
            backend.get(PLAIN, [b"a"])

    def test_all_connections_in_use(self, server: PostgresServer) -> None:
        with opened(server, max_connections=1, pool_timeout=0.05) as backend:
            session = backend._pool.take()
            with pytest.raises(
                StorageError, match="max_connections were in use.*Nothing of this call"
            ) as raised:
                backend.put(PLAIN, [(b"a", b"1")])
            assert raised.value.retryable
            backend._pool.give_back(session)
            backend.put(PLAIN, [(b"a", b"1")])

    def test_connections_are_kept_and_given_up(
        self, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(server, min_connections=1) as backend:
            pool = backend._pool
            for session in [pool.take() for _ in range(5)]:
                pool.give_back(session)
            assert len(pool._idle) == 5
            monkeypatch.setattr(connections, "_IDLE_SECONDS", 0)
            for _ in range(10):
                keys(backend)
            assert len(pool._idle) == 1


class TestLostConnections:
    def test_those_that_were_idle_are_replaced_unnoticed(self, server: PostgresServer) -> None:
        """Even by what is never repeated."""
        with opened(server, retry_seconds=0) as backend:
            for session in [backend._pool.take() for _ in range(3)]:
                backend._pool.give_back(session)
            server.stop()
            server.start()
            assert backend.increment(COUNTER, [(b"a", 1)]) == [1]
            assert backend.compare_and_put(PLAIN, b"a", None, b"1")

    def test_a_scan_goes_on(self, server: PostgresServer) -> None:
        with opened(server) as backend:
            backend.put(PLAIN, [(b"%05d" % number, b"") for number in range(3500)])
            pages = backend.scan(PLAIN, b"", None, reverse=False, limit=None)
            found = next(pages)
            rest: list[tuple[bytes, bytes]] = []
            reader = threading.Thread(target=lambda: rest.extend(row for page in pages for row in page))
            server.crash()
            reader.start()
            time.sleep(0.3)
            server.start()
            reader.join()
            found += rest
            assert [key for key, _ in found] == [b"%05d" % number for number in range(3500)]

    @pytest.mark.parametrize("again", [True, False])
    def test_an_answer_that_never_came(
        self, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, again: bool
    ) -> None:
        """The server ends the session while a statement waits; writes of rows are repeated, sums are not."""
        with opened(server, retry_seconds=30.0 if again else 0) as backend, server.connect() as admin:
            execute = Session.execute
            lost: list[Any] = []

            def losing(method: Callable[..., Any]) -> Callable[..., Any]:
                def losing_once(session: Session, *arguments: Any) -> Any:
                    answer = method(session, *arguments)
                    if not lost:
                        lost.append(session)
                        pid = execute(session, b"SELECT pg_backend_pid()").fetchone()
                        admin.execute("SELECT pg_terminate_backend(%s, 5000)", pid)
                        execute(session, b"SELECT 1")  # fails, after the statement was done
                    return answer

                return losing_once

            def lose(operation: Callable[[], Any]) -> Any:
                lost.clear()
                with monkeypatch.context() as patched:
                    for method in (Session.execute, Session.ask):
                        patched.setattr(Session, method.__name__, losing(method))
                    return operation()

            put = partial(backend.put, PLAIN, [(b"a", b"1"), (b"b", b"1")])
            add = partial(backend.increment, COUNTER, [(b"a", 1)])
            if again:
                lose(put)
                lose(partial(backend.delete, PLAIN, [b"b"]))
                lose(partial(backend.clear, COUNTER))
                assert lose(partial(backend.get, PLAIN, [b"a", b"b"])) == [b"1", None]
                assert lose(partial(backend.get, PLAIN, [b"a"])) == [b"1"]
                lose(partial(backend.put, PLAIN, [(b"a", b"1")]))
            else:
                with pytest.raises(StorageError, match="All or nothing of this call may") as raised:
                    lose(put)
                assert raised.value.retryable
                with pytest.raises(StorageError, match="connection was lost .*[^.]$") as raised:
                    lose(partial(backend.get, PLAIN, [b"a", b"b"]))
            with pytest.raises(
                StorageError, match=r"increment of table 'counter' at 127.*All or nothing"
            ) as raised:
                lose(add)
            assert raised.value.retryable
            assert backend.get(COUNTER, [b"a"]) == [b"1"]
            with pytest.raises(StorageError, match=r"compare_and_put .*All or nothing"):
                lose(partial(backend.compare_and_put, PLAIN, b"a", b"1", b"2"))

    def test_what_is_known_after_several_attempts(self, server: PostgresServer) -> None:
        """The last attempt found no server, but the first one may have written."""
        with opened(server, retry_seconds=0.5) as backend:
            with server.connect() as other:
                other.execute("BEGIN")
                name = psycopg.sql.SQL("LOCK TABLE {}").format(
                    psycopg.sql.Identifier(backend._schema, _plain())
                )
                other.execute(name)
                errors: list[StorageError] = []

                def put() -> None:
                    with pytest.raises(StorageError) as raised:
                        backend.put(PLAIN, [(b"a", b"1")])
                    errors.append(raised.value)

                writer = threading.Thread(target=put)
                writer.start()
                time.sleep(0.3)
                server.crash()
                writer.join()
                other.close()
            server.start()
            assert "no connection" in str(errors[0])
            assert "All or nothing of this call may have been written" in str(errors[0])
            assert keys(backend) == []

    def test_a_server_restarted_under_load(self, server: PostgresServer) -> None:
        """Nothing acknowledged is lost, counters are exact up to what their errors admit, and the clients
        go on by themselves."""
        acknowledged: list[list[bytes]] = [[] for _ in range(4)]
        sure, unsure = [0] * 4, [0] * 4
        stop = threading.Event()
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                turn = 0
                while not stop.is_set():
                    batch = [b"%d-%06d-%02d" % (number, turn, row) for row in range(20)]
                    backend.put(PLAIN, [(key, bytes(50)) for key in batch])
                    acknowledged[number] += batch
                    try:
                        backend.increment(COUNTER, [(b"hot", 1)])
                        sure[number] += 1
                    except StorageError as error:
                        unsure[number] += "All or nothing" in str(error)
                    turn += 1
            except BaseException as error:
                failures.append(error)

        with opened(server, retry_seconds=60) as backend:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for end in (server.stop, server.crash, server.stop):
                time.sleep(random.uniform(0.2, 0.5))
                end()
                server.start()
            time.sleep(0.3)
            stop.set()
            for thread in threads:
                thread.join()
            assert failures == []
            found = keys(backend)
            assert set(found) >= {key for own in acknowledged for key in own}
            assert len(found) % 20 == 0
            (total,) = backend.get(COUNTER, [b"hot"])
            assert sum(sure) <= int(total or b"0") <= sum(sure) + sum(unsure)


class TestSlowServers:
    def test_a_server_that_hangs(self, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """It takes connections, for the operating system does, and answers nothing."""
        monkeypatch.setattr(poolers, "_GRACE_SECONDS", 0.1)
        with opened(server, statement_timeout=0.2, connect_timeout=2, retry_seconds=0) as backend:
            session = backend._pool.take()
            pid = session.execute(b"SELECT pg_backend_pid()").fetchone()
            backend._pool.give_back(session)
            assert pid is not None
            os.kill(pid[0], signal.SIGSTOP)
            try:
                with pytest.raises(StorageError, match="connection was lost.*All or nothing") as raised:
                    backend.increment(ACCUMULATOR, [(b"a", 1.0)])
                assert raised.value.retryable
            finally:
                os.kill(pid[0], signal.SIGCONT)
            server.process.pause()
            try:
                with pytest.raises(StorageError, match="timeout expired.*Nothing of this call"):
                    backend.put(PLAIN, [(b"a", b"1")])
            finally:
                server.process.resume()
            backend.put(PLAIN, [(b"a", b"1")])

    def test_a_statement_that_takes_too_long(self, server: PostgresServer) -> None:
        with opened(server) as backend:
            backend.put(PLAIN, [(b"%06d" % number, bytes(20)) for number in range(60_000)])
        with closing(connect(server, statement_timeout=0.005)) as backend:
            with pytest.raises(StorageError, match=r"statement_timeout.*Nothing of this call") as raised:
                backend.delete_range(PLAIN, b"", None)
            assert raised.value.retryable
        with closing(connect(server)) as backend:
            assert len(keys(backend)) == 60_000
            backend.delete_range(PLAIN, b"000010", b"060000")
            assert len(keys(backend)) == 10

    def test_locks_that_others_hold(self, server: PostgresServer) -> None:
        with opened(server, lock_timeout=0.05) as backend, server.connect() as other:
            name = psycopg.sql.Identifier(backend._schema, _plain())
            other.execute("BEGIN")
            other.execute(psycopg.sql.SQL("LOCK TABLE {}").format(name))
            for operation in (
                partial(backend.clear, PLAIN),
                partial(backend.put, PLAIN, [(b"a", b"1")]),
                partial(backend.get, PLAIN, [b"a"]),
                backend.drop_namespace,
            ):
                with pytest.raises(StorageError, match="lock_timeout") as raised:
                    operation()
                assert raised.value.retryable
            other.execute("ROLLBACK")
            backend.drop_namespace()


class TestConflicts:
    def test_writers_in_opposite_order_never_deadlock(self, server: PostgresServer) -> None:
        """The server counts deadlocks, so one that was repeated would show."""
        rows = [b"%04d" % number for number in range(300)]
        with opened(server) as backend, server.connect() as admin:
            count = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'kvlayer'"
            before = admin.execute(count).fetchone()

            def work(number: int) -> None:
                ordered = rows[:: 1 if number % 2 else -1]
                for turn in range(15):
                    backend.put(PLAIN, [(key, b"%d" % turn) for key in ordered])
                    backend.increment(COUNTER, [(key, 1) for key in ordered])
                    backend.increment(ACCUMULATOR, [(key, 0.5) for key in ordered])
                    if turn % 5 == number % 5:
                        backend.delete(PLAIN, ordered)
                        backend.delete_range(PLAIN, rows[100], rows[200])

            threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert backend.get(COUNTER, rows) == [b"90"] * 300
            assert backend.get(ACCUMULATOR, rows) == [b"45.0"] * 300
            time.sleep(1.1)  # sessions report once a second
            assert admin.execute(count).fetchone() == before

    def test_what_the_server_undid_is_done_again(self, server: PostgresServer) -> None:
        """A serializable session fails now and then; nothing was done then, so that sums are exact."""
        serializable = {"options": "-c default_transaction_isolation=serializable"}
        with opened(server, driver=serializable) as backend:

            def work() -> None:
                for _ in range(25):
                    backend.increment(COUNTER, [(b"a", 1), (b"b", 2)])
                    backend.increment(ACCUMULATOR, [(b"a", 1.0)])

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert backend.get(COUNTER, [b"a", b"b"]) == [b"100", b"200"]
            assert backend.get(ACCUMULATOR, [b"a"]) == [b"100.0"]

    def test_a_standby_that_becomes_the_primary(self, server: PostgresServer) -> None:
        """A server that only reads has done nothing; when it takes writes again they succeed."""
        with opened(server, retry_seconds=20.0) as backend, server.connect() as admin:
            admin.execute("ALTER DATABASE kvlayer SET default_transaction_read_only = on")
            backend._pool.close_idle()
            assert backend.get(PLAIN, [b"a"]) == [None]
            with (
                closing(connect(server, retry_seconds=0)) as impatient,
                pytest.raises(StorageError, match="only reads.*Nothing of this call") as raised,
            ):
                impatient.put(PLAIN, [(b"a", b"1")])
            assert raised.value.retryable
            reset = "BEGIN; SET LOCAL transaction_read_only = off; ALTER DATABASE kvlayer RESET ALL; COMMIT"
            promotion = threading.Timer(0.3, admin.execute, [reset])
            promotion.start()
            assert backend.increment(COUNTER, [(b"a", 1)]) == [1]
            promotion.join()

    def test_dropping_while_others_work(self, server: PostgresServer) -> None:
        """Each operation works, or finds no table; never another error, and nothing hangs."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def work(number: int) -> None:
            with closing(connect(server)) as backend:
                while not stop.is_set():
                    try:
                        backend.create_tables(TABLES)
                        backend.put(PLAIN, [(b"%d" % key, b"") for key in range(50)])
                        backend.increment(ACCUMULATOR, [(b"a", 1.0)])
                        keys(backend)
                        if number == 0:
                            backend.clear(PLAIN)
                    except NoSuchTable:
                        pass
                    except BaseException as error:
                        failures.append(error)
                        return

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        with closing(connect(server)) as backend:
            for _ in range(25):
                backend.drop_namespace()
                time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []


def test_messages_say_nothing_of_rows(server: PostgresServer) -> None:
    """What the server says of a failing row stays in the cause."""
    with opened(server) as backend:
        backend.put(COUNTER, [(b"key-of-a-customer", b"%d" % (10**4300 - 1))])
        with pytest.raises(BadKey) as raised:
            backend.increment(COUNTER, [(b"key-of-a-customer", 1)])
        assert not re.search("customer|999", str(raised.value))


def _plain() -> str:
    return names.table_name(PLAIN)
