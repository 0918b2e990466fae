"""The options of storage type accumulo, and what they are as properties of Accumulo's client."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import SplitResult

import msgspec

from kvlayer.errors import ConfigurationError

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
_Bytes = Annotated[int, msgspec.Meta(ge=2**20, le=2**40)]

_ADDRESS: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:,/@\[\]]+)(?::(?P<port>\d{1,5}))?(?:/[^\s,@]*)?", re.ASCII
)

SHARE_OF_DRIVER: Final = 0.9
"""Of a timeout, what the driver is told, so that it can still say why."""

# The names of kvlayer 0.5, the option that each stands for, and what its unit is divided by.
_OF_KVLAYER_0_5: Final = {
    "accumulo_max_memory": ("max_memory", 1),
    "accumulo_latency_ms": ("max_latency", 1000),
    "accumulo_timeout_ms": ("timeout", 1000),
    "accumulo_threads": ("threads", 1),
}


class BatchWriterOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rows are sent. What is left out is as the client properties file says, or by Accumulo's default."""

    max_memory: _Bytes | None = None
    """Bytes of rows that a writer of a table made with `compare_and_put: false` holds before it sends."""

    max_latency: _Seconds | None = None
    """Seconds after which such a writer sends what it holds; `put` itself never waits for that."""

    threads: _Count | None = None
    """Threads of a writer: servers that are written to at once."""

    timeout: _Seconds | None = None
    """Seconds after which a write that no server takes fails; without it, `timeout` of the store."""


class AccumuloOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of storage type accumulo. Raises ValueError for what can't be or contradicts itself."""

    storage_addresses: list[str] | str = []
    """`host:port` or `host` of the ZooKeeper servers; the last may end in `/path`, a chroot."""

    instance_name: str | None = None
    """The name that the Accumulo instance has in ZooKeeper."""

    username: str | None = None

    password: str | None = None

    client_properties: str | None = None
    """An `accumulo-client.properties` as Accumulo's own tools use; the other options win over it."""

    batch_writer: BatchWriterOptions = BatchWriterOptions()

    scan_batch_size: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    """Most rows of one page of a scan."""

    read_threads: _Count | None = None
    """Servers that a `get` of many keys asks at once."""

    connect_timeout: _Seconds = 30.0
    """Seconds that connecting may take, once the Java virtual machine runs."""

    timeout: _Seconds = 60.0
    """Seconds that reading a page, or writing a batch, may take."""

    admin_timeout: _Seconds = 300.0
    """Seconds that making a table, dropping one, or removing many rows may take."""

    classpath: list[str] | str | None = None
    """Jars, or folders of jars, of Accumulo's client; for machines that can't fetch them."""

    jvm_options: list[str] | str = []
    """Arguments of the Java virtual machine, which the first client of a process starts."""

    accumulo_max_memory: _Bytes | None = None
    """As kvlayer 0.5 named `batch_writer.max_memory`."""
    accumulo_latency_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """As kvlayer 0.5 named `batch_writer.max_latency`, in milliseconds."""
    accumulo_timeout_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """As kvlayer 0.5 named `batch_writer.timeout`, in milliseconds."""
    accumulo_threads: _Count | None = None
    """As kvlayer 0.5 named `batch_writer.threads`."""

    def __post_init__(self) -> None:
        for address in self.addresses():
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found["port"] or 2181) < 65536:
                raise ValueError("storage_addresses: the address of a ZooKeeper server is host:port or host")
        if self.client_properties is None:
            for name in ("storage_addresses", "instance_name", "username", "password"):
                if not getattr(self, name):
                    raise ValueError(f"{name} is missing, and there is no client_properties that has it")
        for old, (new, _) in _OF_KVLAYER_0_5.items():
            if getattr(self, old) is not None and getattr(self.batch_writer, new) is not None:
                raise ValueError(f"{old} and batch_writer.{new} say the same: give one of them")

    def __repr__(self) -> str:
        return (
            f"AccumuloOptions(storage_addresses={self.addresses()!r}, instance_name={self.instance_name!r})"
        )

    def addresses(self) -> list[str]:
        """`storage_addresses` as a list."""
        given = self.storage_addresses
        return given.split(",") if isinstance(given, str) else given

    def to_properties(self) -> dict[str, str]:
        """The properties of Accumulo's client that these options set, the password among them.

        https://accumulo.apache.org/docs/2.x/configuration/client-properties
        """
        writer = self._batch_writer()
        driver_timeout = self.write_timeout() * SHARE_OF_DRIVER
        properties = {
            "instance.name": self.instance_name,
            "instance.zookeepers": ",".join(self.addresses()) or None,
            "auth.type": None if self.password is None else "password",
            "auth.principal": self.username,
            "auth.token": self.password,
            "batch.writer.memory.max": writer["max_memory"],
            "batch.writer.latency.max": _milliseconds(writer["max_latency"]),
            "batch.writer.threads.max": writer["threads"],
            "batch.writer.timeout.max": _milliseconds(driver_timeout),
            "conditional.writer.threads.max": writer["threads"],
            "conditional.writer.timeout.max": _milliseconds(driver_timeout),
            "batch.scanner.num.query.threads": self.read_threads,
        }
        return {name: str(value) for name, value in properties.items() if value not in (None, "")}

    def write_timeout(self) -> float:
        """Seconds that writing a batch may take."""
        timeout = self._batch_writer()["timeout"]
        return self.timeout if timeout is None else timeout

    def _batch_writer(self) -> dict[str, Any]:
        """The options of the writer, under whichever name they were given."""
        options = msgspec.structs.asdict(self.batch_writer)
        for old, (new, unit) in _OF_KVLAYER_0_5.items():
            value = getattr(self, old)
            if value is not None:
                options[new] = value if unit == 1 else value / unit
        return options


def options_from_url(url: SplitResult) -> dict[str, Any]:
    """Configuration keys of `accumulo://user:password@zookeeper:2181,zookeeper2/instance`.

    Raises ConfigurationError for any other URL.
    """
    from urllib.parse import unquote

    login, _, servers = url.netloc.rpartition("@")
    instance = url.path.removeprefix("/")
    if not servers or not instance or "/" in instance or url.fragment:
        raise ConfigurationError(
            "the URL of an Accumulo instance is like accumulo://user:password@zookeeper:2181/instance"
        )
    user, _, password = login.partition(":")
    given = {
        "storage_addresses": servers.split(","),
        "instance_name": unquote(instance),
        "username": unquote(user),
        "password": unquote(password),
    }
    return {key: value for key, value in given.items() if value}


def _milliseconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{max(1, round(seconds * 1000))}ms"
