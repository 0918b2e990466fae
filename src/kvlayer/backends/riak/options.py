"""The options of storage type riak, and what URLs and addresses say."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import SplitResult

import msgspec

from kvlayer.backends.riak.wire import Address, messages
from kvlayer.backends.riak.wire.pool import DEFAULT_PORT
from kvlayer.errors import ConfigurationError

_SYMBOLS: Final = {
    "one": messages.ONE,
    "quorum": messages.QUORUM,
    "all": messages.ALL,
    "default": messages.DEFAULT,
}

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]

Quorum: TypeAlias = Annotated[int, msgspec.Meta(ge=0)] | str
"""A number of replicas, or `one`, `quorum`, `all` or `default`."""


class NodeAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node, as kvlayer 0.5 wrote it."""

    host: str
    pb_port: _Port = DEFAULT_PORT
    http_port: int | None = None
    """Of no use here: ignored, with a warning."""


class RiakOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of storage type riak. Raises ValueError for what can't be."""

    storage_addresses: list[str | NodeAddress] | str
    """`host`, `host:port` or `{host: …, pb_port: …}` of nodes of the cluster; the port defaults to 8087."""

    bucket_type: str | None = None
    """The bucket type of all tables; without one, Riak's own default type."""

    counter_bucket_type: str | None = None
    """A bucket type with `datatype` `counter`; without one, COUNTER tables can't be incremented."""

    n_val: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Replicas of each row. Without it, as the bucket type says; with it, set on each table's bucket
    when the table is made."""

    r: Quorum | None = None
    """Replicas that must answer a read."""
    pr: Quorum | None = None
    """The same, of those nodes that are to hold the row."""
    w: Quorum | None = None
    """Replicas that must acknowledge a write."""
    pw: Quorum | None = None
    """The same, of those nodes that are to hold the row."""
    dw: Quorum | None = None
    """Replicas that must have handed a write to their storage."""

    scan_limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    """Most rows of one page of a scan."""

    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    """Most connections of one client, to all nodes together; a batch spreads over them."""

    connect_timeout: _Seconds = 5.0
    """Seconds to wait for a connection to one node."""

    timeout: _Seconds = 30.0
    """Seconds that a node may be silent before the connection is given up, and the time in which the
    nodes are to answer."""

    retry_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    """For how long reads, and writes that may be done twice, are repeated."""

    def __post_init__(self) -> None:
        if not self.addresses():
            raise ValueError("storage_addresses must name at least one node")
        for name in ("r", "pr", "w", "pw", "dw"):
            value = getattr(self, name)
            if isinstance(value, str) and value not in _SYMBOLS:
                raise ValueError(f"{name}: a number of replicas, or one of {', '.join(_SYMBOLS)}")
        for name in ("bucket_type", "counter_bucket_type"):
            if getattr(self, name) == "":
                raise ValueError(f"{name}: a bucket type has a name")
        if self.counter_bucket_type is not None and self.counter_bucket_type == self.bucket_type:
            raise ValueError("counter_bucket_type: a type for counters can't be that of the other tables")
        if not isinstance(self.storage_addresses, str) and any(
            isinstance(given, NodeAddress) and given.http_port is not None for given in self.storage_addresses
        ):
            warnings.warn("riak: http_port is ignored: kvlayer speaks to pb_port alone", stacklevel=2)

    @property
    def node_milliseconds(self) -> int:
        """What the nodes are told of `timeout`: a little less, so that their own error still arrives."""
        return max(1, int(self.timeout * 900))

    def addresses(self) -> list[Address]:
        """Where the nodes are. Raises ValueError for what is no address."""
        given = self.storage_addresses
        return [_address(one) for one in ([given] if isinstance(given, str) else given)]

    def quorums(self, *names: str) -> dict[str, int]:
        """Those of r, pr, w, pw and dw that are set, as Riak's numbers."""
        values = {name: getattr(self, name) for name in names}
        return {
            name: _SYMBOLS[value] if isinstance(value, str) else value
            for name, value in values.items()
            if value is not None
        }


def options_from_url(url: SplitResult) -> dict[str, Any]:
    """Configuration keys of `riak://host:8087,host2`. Raises ConfigurationError for any other URL."""
    if not url.netloc or "@" in url.netloc or url.path.strip("/") or url.fragment:
        raise ConfigurationError(
            "the URL of a Riak cluster names its nodes and nothing else: riak://host:8087,host2:8087"
        )
    return {"storage_addresses": url.netloc.split(",")}


def _address(given: str | NodeAddress) -> Address:
    if isinstance(given, NodeAddress):
        host, port = given.host, given.pb_port
    else:
        host, colon, number = given.rpartition(":")
        if not colon or given.endswith("]"):
            host, number = given, str(DEFAULT_PORT)
        port = int(number) if number.isascii() and number.isdigit() else 0
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or not 0 < port < 65536 or set(host) & set("/@[] \t\r\n"):
        raise ValueError("storage_addresses: an address is host, host:port, or {host: ..., pb_port: ...}")
    return Address(host, port)
