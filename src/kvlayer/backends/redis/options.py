"""The options of storage type redis, and what URLs and addresses say."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote

import msgspec

from kvlayer.errors import ConfigurationError

DEFAULT_PORT: Final = 6379

# What this backend sets itself, and why a user's value would break it.
_RESERVED_FOR_BACKEND: Final = frozenset(
    {
        "command_packer", "connection_class", "connection_pool", "connection_pool_class", "db",
        "decode_responses", "encoding", "host", "max_connections", "password", "port", "protocol", "retry",
        "retry_on_error", "retry_on_timeout", "single_connection_client", "socket_connect_timeout",
        "socket_timeout", "ssl", "startup_nodes", "timeout", "unix_socket_path", "username",
    }
)  # fmt: skip

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]


class Address(NamedTuple):
    """Where a server listens: a host and a port, or the path of a Unix socket."""

    host: str
    port: int
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RedisOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of storage type redis. Raises ValueError for what contradicts itself."""

    storage_addresses: list[str] | str
    """`host:port`, `host` or `unix:///path`. Several: nodes of a cluster, or Sentinels."""

    redis_db_num: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The number of the database; a cluster has only 0."""

    username: str | None = None
    """The user of Redis's access control lists."""

    password: str | None = None

    tls: bool = False
    """Encrypts connections and checks the server's certificate; the `ssl_…` keys of `driver` say how."""

    sentinel_service: str | None = None
    """The name under which the Sentinels at `storage_addresses` know the primary."""

    cluster: bool | None = None
    """Whether the server is a node of a cluster. By default the server is asked."""

    connect_timeout: _Seconds = 5.0
    """Seconds to wait for a connection."""

    timeout: _Seconds = 15.0
    """Seconds to wait for an answer, for a batch to be sent, or for a free connection of the pool."""

    retry_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    """For how long reads, and writes that may be done twice, are repeated when a connection breaks."""

    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 64
    """Most connections of one client to one server; a thread uses one at a time."""

    driver: dict[str, Any] = {}
    """Further arguments of redis.Redis, such as `ssl_ca_certs`, `client_name`, `socket_keepalive`."""

    def __post_init__(self) -> None:
        addresses = self.addresses()
        if not addresses:
            raise ValueError("storage_addresses must name at least one host:port")
        if any(address.path is not None for address in addresses):
            if len(addresses) > 1 or self.sentinel_service is not None or self.cluster:
                raise ValueError("storage_addresses: a Unix socket stands for one server alone")
            if self.tls:
                raise ValueError("tls: a Unix socket is not encrypted")
        if self.cluster and self.sentinel_service is not None:
            raise ValueError("sentinel_service: a cluster has no Sentinels; give this or cluster")
        if self.cluster and self.redis_db_num:
            raise ValueError("redis_db_num: a cluster has only database 0")
        for key in self.driver:
            if key in _RESERVED_FOR_BACKEND:
                raise ValueError(f"driver: {key!r} is set by kvlayer; see the options beside driver")

    def __repr__(self) -> str:
        return "RedisOptions(...)"  # addresses and driver options may hold secrets too

    def addresses(self) -> list[Address]:
        """Where the servers are. Raises ValueError for what is no address."""
        given = self.storage_addresses
        return [_address(text) for text in ([given] if isinstance(given, str) else given)]


def options_from_url(url: SplitResult) -> dict[str, Any]:
    """Configuration keys of `redis://user:password@host:port/db`, `rediss://` (TLS) and `unix:///path`.

    Several hosts are separated by commas. Raises ConfigurationError for any other URL.
    """
    credentials, _, hosts = url.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    found: dict[str, Any] = {}
    if url.fragment:
        raise ConfigurationError("a # in the URL of a Redis server is written %23")
    if username:
        found["username"] = unquote(username)
    if password:
        found["password"] = unquote(password)
    if url.scheme == "unix":
        if hosts or not url.path.strip("/"):
            raise ConfigurationError("the URL of a Unix socket is like unix:///run/redis.sock")
        return {"storage_addresses": [f"unix://{unquote(url.path)}"], **found}
    if not hosts:
        raise ConfigurationError("the URL of a Redis server names a host: redis://host:6379/0")
    found["storage_addresses"] = hosts.split(",")
    database = url.path.strip("/")
    if database:
        if not (database.isascii() and database.isdigit()):
            raise ConfigurationError("the path of a Redis URL is a database number: redis://host:6379/0")
        found["redis_db_num"] = int(database)
    if url.scheme == "rediss":
        found["tls"] = True
    return found


def _address(text: str) -> Address:
    if text.startswith("unix://"):
        return Address("", 0, text.removeprefix("unix://"))
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_PORT)
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not host or not 0 < number < 65536 or set(host) & set("/@[] \t\r\n"):
        raise ValueError("storage_addresses: an address is host:port, or unix:///path")
    return Address(host, number)
