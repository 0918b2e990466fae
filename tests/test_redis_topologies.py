"""Ways to reach a Redis server: a Unix socket, TLS, the primary that Sentinel names, a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kvlayer
from servers.process import free_port
from servers.redis import RedisServer, cluster, replicated, wait_for_copy


def use(config: Any, **more: Any) -> dict[str, Any]:
    """Writes and reads; what ping says."""
    if isinstance(config, dict):
        config = {**config, **more, "app_name": "app", "namespace": "topologies"}
    with kvlayer.client(config, app_name="app", namespace="topologies") as kvl:
        kvl.setup_namespace({"t": (str, int), "n": (str,)}, {"n": kvlayer.COUNTER})
        kvl.put("t", *((("a", number), b"%d" % number) for number in range(1500)))
        assert [key[1] for key in kvl.scan_keys("t", reverse=True, limit=2)] == [1499, 1498]
        assert kvl.increment("n", (("a",), 1)) == [1]
        facts = kvl.ping()
        kvl.delete_namespace()
        return facts


def test_unix_socket() -> None:
    with RedisServer() as server:
        use({**server.config, "storage_addresses": [f"unix://{server.socket}"]})
        facts = use(f"unix://{server.socket}")
        assert facts["address"] == f"unix://{server.socket}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


@pytest.fixture(scope="module")
def tls_port(certificate: Path) -> Iterator[int]:
    port = free_port()
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate.with_name("key.pem"))]
    files += ["--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"]
    with RedisServer("--tls-port", str(port), *files):
        yield port


def test_tls_with_a_certificate_that_is_trusted(tls_port: int, certificate: Path) -> None:
    config = {"storage_type": "redis", "storage_addresses": [f"localhost:{tls_port}"], "tls": True}
    use({**config, "driver": {"ssl_ca_certs": str(certificate)}})
    use(f"rediss://localhost:{tls_port}/2?driver={{ssl_ca_certs: {certificate}}}")


def test_tls_with_a_certificate_that_is_not(tls_port: int) -> None:
    with pytest.raises(kvlayer.ConfigurationError, match="certificate"):
        use(f"rediss://localhost:{tls_port}")


def test_tls_with_a_server_of_another_name(tls_port: int, certificate: Path) -> None:
    with pytest.raises(kvlayer.ConfigurationError, match="certificate"):
        use(f"rediss://127.0.0.1:{tls_port}?driver={{ssl_ca_certs: {certificate}}}")


def test_a_fail_over_by_sentinel() -> None:
    """The primary dies; Sentinel makes the replica the new one, while a client goes on."""
    with replicated() as (primary, replica, sentinels):
        config = {
            "storage_type": "redis",
            "storage_addresses": [sentinel.address for sentinel in sentinels],
            "sentinel_service": "main",
            "retry_seconds": 60,
        }
        assert use(config)["role"] == "master"
        with kvlayer.client(config, app_name="app", namespace="failover") as kvl:
            kvl.setup_namespace({"t": (int,), "n": (str,)}, {"n": kvlayer.COUNTER})
            kvl.put("t", *(((number,), b"before") for number in range(2500)))
            assert kvl.increment("n", (("a",), 1)) == [1]
            rows = kvl.scan_keys("t")
            seen = [next(rows)[0] for _ in range(1500)]
            wait_for_copy(primary, replica)
            primary.kill()
            kvl.put("t", ((2500,), b"after"))
            assert seen + [number for (number,) in rows] == list(range(2501))
            assert kvl.increment("n", (("a",), 1)) == [2]
            assert replica.command("ROLE")[0] == "master"
            kvl.delete_namespace()


@pytest.fixture(scope="module")
def servers() -> Iterator[list[RedisServer]]:
    with cluster() as servers:
        yield servers


def test_cluster_it_is_found_out_from_any_node(servers: list[RedisServer]) -> None:
    for server in servers:
        assert use(server.config)["mode"] == "cluster"
    assert use(f"redis://{servers[1].address}")["mode"] == "cluster"


def test_cluster_nodes_that_are_down_at_the_start(servers: list[RedisServer]) -> None:
    addresses = [f"127.0.0.1:{free_port()}", servers[0].address]
    use({**servers[0].config, "storage_addresses": addresses})


def test_cluster_tables_are_spread_over_the_servers(servers: list[RedisServer]) -> None:
    with kvlayer.client(servers[0].config, app_name="app", namespace="spread") as kvl:
        names = [f"table {number}" for number in range(20)]
        kvl.setup_namespace(dict.fromkeys(names, (str,)))
        for name in names:
            kvl.put(name, (("a",), b"1"))
        held = [len(server.command("KEYS", "*:values")) for server in servers]
        assert min(held) > 0
        assert sum(held) == 21  # and the catalogue
        kvl.delete_namespace()
        assert [server.command("KEYS", "*:values") for server in servers] == [[], [], []]


def test_cluster_a_database_number_is_refused(servers: list[RedisServer]) -> None:
    with pytest.raises(kvlayer.ConfigurationError, match="redis_db_num"):
        use(f"redis://{servers[0].address}/1")


def test_cluster_a_table_that_moves_to_another_node(servers: list[RedisServer]) -> None:
    with kvlayer.client(servers[0].config, app_name="app", namespace="moves") as kvl:
        kvl.setup_namespace({"t": (int,), "n": (str,)}, {"n": kvlayer.COUNTER})
        kvl.put("t", *(((number,), b"x") for number in range(2000)))
        keys = kvl._connected()._layout.table_keys(kvl.table("t")._access._definition.stored)  # type: ignore
        slot = servers[0].command("CLUSTER", "KEYSLOT", keys.values)
        rows = kvl.scan_keys("t")
        seen = [next(rows)[0]]
        move(servers, slot)
        seen += [number for (number,) in rows]
        assert seen == list(range(2000))
        kvl.put("t", ((2000,), b"x"))
        assert len(list(kvl.get("t", *(((number,)) for number in range(2001))))) == 2001
        kvl.delete_namespace()


def test_cluster_a_node_that_is_restarted(servers: list[RedisServer]) -> None:
    with kvlayer.client(servers[0].config, app_name="app", namespace="restarts") as kvl:
        kvl.setup_namespace({f"t{number}": (int,) for number in range(8)})
        for server in servers[1:]:
            server.kill()
            server.start()
            for number in range(8):
                kvl.put(f"t{number}", ((1,), b"x"))
                assert list(kvl.scan(f"t{number}")) == [((1,), b"x")]
        kvl.delete_namespace()


def move(servers: list[RedisServer], slot: int) -> None:
    """Moves one slot to the next server, as redis-cli --cluster reshard does."""
    names = [server.command("CLUSTER", "MYID") for server in servers]
    source = next(
        number for number, server in enumerate(servers) if server.command("CLUSTER", "COUNTKEYSINSLOT", slot)
    )
    target = (source + 1) % len(servers)
    servers[target].command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
    servers[source].command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
    while keys := servers[source].command("CLUSTER", "GETKEYSINSLOT", slot, 10):
        servers[source].command("MIGRATE", "127.0.0.1", servers[target].port, "", 0, 5000, "KEYS", *keys)
    for server in (servers[target], servers[source]):
        server.command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
