"""A Redis server that refuses, hangs, or is not there: one clear line each, and nothing half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

import kvlayer
from servers.process import free_port
from servers.redis import RedisServer

PASSWORD = "sesame"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("--enable-protected-configs", "yes", password=PASSWORD) as server:
        yield server


@contextmanager
def client(config: dict[str, Any], **more: Any) -> Iterator[kvlayer.Client]:
    merged = {**config, "app_name": "app", "namespace": "faults", "retry_seconds": 0, **more}
    with kvlayer.client(merged) as kvl:
        yield kvl


def ping(config: dict[str, Any], **more: Any) -> None:
    with client(config, **more) as kvl:
        kvl.ping()


@contextmanager
def table(server: RedisServer, **more: Any) -> Iterator[kvlayer.Table]:
    with client(server.config, **more) as kvl:
        kvl.setup_namespace({"t": (str,), "n": (str,)}, {"n": kvlayer.COUNTER})
        yield kvl.table("t")
        kvl.delete_namespace()


@contextmanager
def setting(server: RedisServer, name: str, value: str) -> Iterator[None]:
    before = server.command("CONFIG", "GET", name)
    server.command("CONFIG", "SET", name, value)
    yield
    server.command("CONFIG", "SET", name, before[1] if isinstance(before, list) else before[name])


@contextmanager
def refused(kind: type[Exception], *words: str, retryable: bool | None = None) -> Iterator[None]:
    """Expects one line with these words, and none of what was sent or is secret."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message
    assert PASSWORD not in message
    assert "precious" not in message
    assert getattr(caught.value, "retryable", None) is retryable


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "wrong"}, ("user name or password",)),
        ({"username": "nobody"}, ("user name or password",)),
        ({"redis_db_num": 99}, ("redis_db_num",)),
        ({"driver": {"client_nane": "x"}}, ("driver", "client_nane")),
        ({"cluster": True}, ("cluster",)),
        ({"cluster": True, "driver": {"health_check_interval": 1}}, ("driver", "health_check_interval")),
    ],
)
def test_a_wrong_configuration(server: RedisServer, wrong: dict[str, Any], words: tuple[str, ...]) -> None:
    with refused(kvlayer.ConfigurationError, *words):
        ping(server.config, **wrong)


def test_several_addresses_of_servers_that_are_no_cluster(server: RedisServer) -> None:
    addresses = [server.address, f"localhost:{server.port}"]
    with refused(kvlayer.ConfigurationError, "sentinel_service", "cluster"):
        ping(server.config, storage_addresses=addresses)


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "no-such-host.invalid:6379", "unix:///no/such/socket"])
def test_a_server_that_is_not_there_is_reported_at_once(server: RedisServer, address: str) -> None:
    address = address.format(free_port())
    with refused(kvlayer.StorageError, address, "can't be reached", retryable=True):
        ping(server.config, storage_addresses=[address], retry_seconds=600)


def test_sentinels_that_are_none(server: RedisServer) -> None:
    with refused(kvlayer.StorageError, "'main' of the Sentinels", retryable=False):
        ping(server.config, sentinel_service="main")


def test_a_server_that_hangs_is_given_up(server: RedisServer) -> None:
    with table(server, timeout=0.3) as rows:
        rows[("a",)] = b"before"
        server.process.pause()
        try:
            with refused(kvlayer.StorageError, "get of table 't'", server.address, "in time", retryable=True):
                list(rows.get(("a",)))
            with refused(kvlayer.StorageError, "put of table 't'", "not known", retryable=True):
                rows.put((("a",), b"precious"))
            with refused(kvlayer.StorageError, "connecting", server.address, retryable=True):
                ping(server.config, timeout=0.3)
        finally:
            server.process.resume()
        assert rows[("a",)] in (b"before", b"precious")


def test_all_connections_in_use(server: RedisServer) -> None:
    with table(server, timeout=0.3, max_connections=1) as rows:
        backend: Any = rows._access._client._connected()
        pool = backend._server._link.client.connection_pool
        connection = pool.get_connection()
        try:
            with refused(kvlayer.StorageError, "get of table", retryable=True):
                list(rows.get(("a",)))
        finally:
            pool.release(connection)
        assert list(rows.get(("a",))) == [(("a",), None)]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_memory_that_is_full(server: RedisServer, size: int) -> None:
    with table(server) as rows:
        rows[("a",)] = b"before"
        with setting(server, "maxmemory", "1mb"):
            with refused(
                kvlayer.StorageError, "maxmemory", "nothing of this call was written", retryable=True
            ):
                rows.put((("a",), b"precious" * (size // 8)), (("b",), b"precious"))
            assert list(rows.scan()) == [(("a",), b"before")]
        rows[("a",)] = b"after"


def test_a_disk_that_is_full(server: RedisServer) -> None:
    with table(server) as rows:
        rows[("a",)] = b"before"
        # A snapshot that can't be written, since its name is too long, stands for one without space.
        with setting(server, "save", "100000 1"), setting(server, "dbfilename", "x" * 300):
            server.command("BGSAVE")
            while server.command("INFO", "persistence")["rdb_bgsave_in_progress"]:
                pass
            with refused(
                kvlayer.StorageError, "can't save", "nothing of this call was written", retryable=True
            ):
                rows.put((("a",), b"precious"))
        server.command("SAVE")
        assert rows[("a",)] == b"before"


def test_replicas_that_are_missing(server: RedisServer) -> None:
    with table(server) as rows, setting(server, "min-replicas-to-write", "1"):
        with refused(kvlayer.StorageError, "min-replicas-to-write", retryable=True):
            rows.put((("a",), b"precious"))
        with refused(kvlayer.StorageError, "min-replicas-to-write", retryable=True):
            rows._access._client.increment("n", (("a",), 1))
        assert list(rows.scan()) == []


def test_a_replica(server: RedisServer) -> None:
    with (
        RedisServer("--replicaof", "127.0.0.1", str(server.port), password=PASSWORD) as replica,
        client(replica.config) as kvl,
    ):
        assert kvl.ping()["role"] == "slave"
        with refused(kvlayer.StorageError, "is a replica", replica.address, retryable=True):
            kvl.setup_namespace({"t": (str,)})


def test_a_user_who_may_only_read(server: RedisServer) -> None:
    server.command(
        "ACL", "SETUSER", "reader", "on", f">{PASSWORD}", "~*", "+@read", "+@scripting", "+info", "+ping"
    )
    with table(server) as rows:
        rows[("a",)] = b"before"
        with client(server.config, username="reader") as kvl:
            assert list(kvl.scan("t")) == [(("a",), b"before")]
            with refused(kvlayer.StorageError, "access control list", retryable=False):
                kvl.put("t", (("a",), b"precious"))
            with refused(kvlayer.StorageError, "access control list", retryable=False):
                kvl.put("t", (("a",), b"precious" * 10**6))
            with refused(kvlayer.StorageError, "access control list", retryable=False):
                kvl.delete("t", ("a",))
        assert list(rows.scan()) == [(("a",), b"before")]


def test_a_foreign_value_under_a_name_of_ours(server: RedisServer) -> None:
    with table(server) as rows:
        rows[("a",)] = b""
        values = next(key for key in server.command("KEYS", "*/t}*:values"))
        server.command("SET", values, "foreign")
        with refused(kvlayer.StorageError, "another program", retryable=False):
            rows.put((("a",), b"precious"))


def test_a_script_that_does_not_end(server: RedisServer) -> None:
    with table(server) as rows, setting(server, "busy-reply-threshold", "50"):

        def loop() -> None:
            with pytest.raises(redis.ResponseError, match="killed"):
                server.command("EVAL", "while true do end", 0)

        def is_busy() -> bool:
            try:
                return not server.command("PING")
            except redis.ResponseError as error:
                return "BUSY" in str(error)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            while not is_busy():
                pass
            with refused(kvlayer.StorageError, "busy", retryable=True):
                list(rows.get(("a",)))
            with refused(kvlayer.StorageError, "busy", "nothing", retryable=True):
                rows._access._client.increment("n", (("a",), 1))
        finally:
            server.command("SCRIPT", "KILL")
            thread.join()
        assert list(rows.get(("a",))) == [(("a",), None)]


def test_a_transaction_beyond_the_server_s_limit(server: RedisServer) -> None:
    with setting(server, "client-query-buffer-limit", "20mb"), table(server) as rows:
        rows[("a",)] = b"before"
        with refused(kvlayer.StorageError, "client-query-buffer-limit", "put_many", retryable=False):
            rows.put(*(((f"{n}",), b"precious" * 1000) for n in range(10_000)))
        assert list(rows.scan_keys()) == [("a",)]
        assert rows.put_many(((f"{n}",), b"x" * 8000) for n in range(1000)) == 1000
