"""Apache Accumulo for tests and benchmarks: the servers of its own MiniAccumuloCluster, from Maven Central."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kvlayer.backends.accumulo import jars
from servers.process import ServerProcess, free_port, temporary_folder

INSTANCE: Final = "kvlayer-test"
PASSWORD: Final = "sesame-7531"
"""Of the superuser, `root`."""

# Made by list_jars.py of accumulo-minicluster, log4j-slf4j2-impl, and metrics-core, without which ZooKeeper
# ends at once.
_JARS: Final = Path(__file__).with_name("accumulo.jars")

PROMPT_RECOVERY: Final = {"instance.zookeeper.timeout": "6s", "manager.recovery.delay": "1s"}
"""Properties of a cluster that misses a killed tablet server, and recovers its tablets, in seconds."""

_READY: Final = b"Successfully started"

# Hadoop's usual local file system keeps in memory what Accumulo asks it to sync.
_CORE_SITE: Final = """\
<configuration>
  <property><name>fs.file.impl</name><value>org.apache.hadoop.fs.RawLocalFileSystem</value></property>
</configuration>
"""


class AccumuloServer:
    """A cluster: ZooKeeper, a manager, a garbage collector and tablet servers."""

    def __init__(
        self, tablet_servers: int = 1, properties: Mapping[str, str] | None = None, *, heap: str = "768M"
    ) -> None:
        """Starts it and waits until it answers, 15 s or, on a busy machine, a minute.

        `properties` are Accumulo's own, `heap` is that of a tablet server. For tests that kill a tablet server `PROMPT_RECOVERY` is wise.
        """
        self.folder = temporary_folder()
        self._zookeeper_port = free_port()
        self._replacements: list[ServerProcess] = []
        self._killed: list[tuple[list[str], list[str]]] = []
        self.process = ServerProcess(
            self._command(tablet_servers, properties or {}, heap), folder=self.folder
        )
        self.process.wait_until(lambda: _READY in self.process.log.read_bytes(), patience=180)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port of ZooKeeper."""
        return f"127.0.0.1:{self._zookeeper_port}"

    @property
    def properties_file(self) -> Path:
        """A client properties file, as Accumulo's own tools use it."""
        return self.folder / "cluster" / "conf" / "accumulo-client.properties"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a kvlayer client."""
        return {
            "storage_type": "accumulo",
            "storage_addresses": [self.address],
            "instance_name": INSTANCE,
            "username": "root",
            "password": PASSWORD,
        }

    def tablet_servers(self) -> list[int]:
        """The process ids of the tablet servers that run."""
        groups = {self.process.pid, *(server.pid for server in self._replacements)}
        return [pid for pid in _processes_of(groups) if "-Dproc=TabletServer" in _words(pid, "cmdline")]

    def kill_tablet_server(self) -> None:
        """Ends one tablet server at once, as a power cut would. The cluster doesn't replace it."""
        pid = self.tablet_servers()[0]
        self._killed.append((_words(pid, "cmdline"), _words(pid, "environ")))
        os.kill(pid, signal.SIGKILL)

    def start_tablet_server(self) -> None:
        """Starts a tablet server in place of a killed one, and does not wait for it."""
        command, environment = self._killed.pop()
        self._replacements.append(ServerProcess(["env", "-i", *environment, *command], folder=self.folder))

    def stop(self) -> None:
        """Ends all servers at once and removes their files. Twice is fine."""
        for server in [*self._replacements, self.process]:
            server.kill()  # the cluster's own way to stop leaves ZooKeeper running
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self, tablet_servers: int, properties: Mapping[str, str], heap: str) -> list[str | Path]:
        (self.folder / "core-site.xml").write_text(_CORE_SITE)
        (self.folder / "tmp").mkdir()
        settings = {
            "directory": self.folder / "cluster",
            "instanceName": INSTANCE,
            "rootPassword": PASSWORD,
            "numTServers": tablet_servers,
            "zooKeeperPort": self._zookeeper_port,
            "zooKeeperStartupTime": 120_000,
            "shutdownPort": 0,
            "defaultMemory": "128M",
            "tserverMemory": heap,
            "site.rpc.bind.addr": "127.0.0.1",
            **{f"site.{name}": value for name, value in properties.items()},
        }
        file = self.folder / "mini.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        # So short a life is worth neither an optimizing compiler, nor a collector with threads, nor ZooKeeper's
        # data on the disk.
        cheap = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dzookeeper.forceSync=no"
        options = f"JAVA_TOOL_OPTIONS={cheap} -Djava.io.tmpdir={self.folder}/tmp"
        class_path = ":".join(str(path) for path in [self.folder, *jars.fetch(_JARS.read_text())])
        guarded: list[str | Path] = [sys.executable, Path(__file__).with_name("guarded.py")]
        java = ["env", options, "java", "-Xmx64m", "-cp", class_path]
        return [*guarded, *java, "org.apache.accumulo.minicluster.MiniAccumuloRunner", "-p", file]


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A cluster that is there already, for tests that don't harm it."""

    properties_file: Path
    """A client properties file, as Accumulo's own tools use it."""

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a kvlayer client."""
        return {"storage_type": "accumulo", "client_properties": str(self.properties_file)}


@cache
def shared_server() -> AccumuloServer | RunningCluster:
    """One for all tests of this process that don't harm it; it ends with the process.

    The environment variable KVLAYER_TEST_ACCUMULO names the client properties file of another to use.
    """
    running = os.environ.get("KVLAYER_TEST_ACCUMULO")
    return RunningCluster(Path(running).resolve()) if running else AccumuloServer()


def _processes_of(groups: set[int]) -> list[int]:
    """The ids of the processes in these process groups."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            group = os.getpgid(int(folder.name))
        except ProcessLookupError:  # ended meanwhile
            continue
        if group in groups:
            found.append(int(folder.name))
    return found


def _words(pid: int, file: str) -> list[str]:
    return Path(f"/proc/{pid}/{file}").read_text().rstrip("\0").split("\0")
