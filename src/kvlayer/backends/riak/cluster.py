"""A cluster and what its bucket types can do, found out when a client connects."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from kvlayer.backends.retry import repeating
from kvlayer.backends.riak.layout import NAMESPACES
from kvlayer.backends.riak.options import RiakOptions
from kvlayer.backends.riak.requests import Requests
from kvlayer.backends.riak.wire import Refused, RiakClient, RiakError, messages
from kvlayer.errors import ConfigurationError

_COUNTER: Final = b"counter"


class Facts(NamedTuple):
    """What the bucket types say."""

    allow_mult: bool
    """Whether siblings are kept."""
    read_your_writes: bool
    """Whether a write waits for all replicas, any one of which a scan may read."""


class _StillStarting(Exception):
    """A node that answers, but not with what was asked for."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


class Cluster:
    """The connections of one client."""

    def __init__(self, options: RiakOptions) -> None:
        self._options = options
        self._client = RiakClient(
            options.addresses(),
            max_connections=options.max_connections,
            connect_timeout=options.connect_timeout,
            timeout=options.timeout,
        )
        self.requests = Requests(self._client, options.retry_seconds)

    def facts(self) -> Facts:
        """Raises ConfigurationError for bucket types that don't fit; StorageError if no node answers."""
        plain = self._properties("bucket_type", self._options.bucket_type)
        types = [plain]
        if plain.datatype:
            raise ConfigurationError(
                "riak: bucket_type is one for Riak's data types; it must be one for plain objects"
            )
        if self._options.counter_bucket_type is not None:
            types.append(self._properties("counter_bucket_type", self._options.counter_bucket_type))
            if types[1].datatype != _COUNTER:
                raise ConfigurationError("riak: counter_bucket_type must be a type with datatype counter")
        for props in types:
            self._check_quorums(props)
        return Facts(plain.allow_mult, all(self._writes_everywhere(props) for props in types))

    def ping(self) -> dict[str, Any]:
        """What a node says of itself and of the bucket type."""
        info = self.requests.call("ping", messages.SERVER_INFO)
        props = self._properties("bucket_type", self._options.bucket_type)
        return {
            "node": info.node.decode("utf-8", "replace"),
            "version": info.server_version.decode("utf-8", "replace"),
            "n_val": self._replicas(props),
            "allow_mult": props.allow_mult,
        }

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def _properties(self, option: str, bucket_type: str | None) -> Any:
        typed = {} if bucket_type is None else {"type": bucket_type.encode()}
        request = messages.GET_BUCKET.request(bucket=NAMESPACES, **typed)

        def ask() -> Any:
            try:
                return self._client.call(messages.GET_BUCKET, request).props
            except Refused as error:
                if error.may_pass:
                    raise _StillStarting(error) from error
                raise ConfigurationError(
                    f"riak: {option}: the cluster has no such bucket type, or it was not activated:"
                    f" riak admin bucket-type activate NAME ({error})"
                ) from error
            except RiakError as error:
                raise self.requests.explain(error, "connecting") from error

        try:
            return repeating(ask, on=(_StillStarting,), within=self._options.retry_seconds)
        except _StillStarting as starting:
            raise self.requests.explain(starting.refused, "connecting") from starting.refused

    def _replicas(self, props: Any) -> int:
        replicas: int = self._options.n_val or props.n_val
        return replicas

    def _check_quorums(self, props: Any) -> None:
        for name, value in self._options.quorums("r", "pr", "w", "pw", "dw").items():
            if value < messages.DEFAULT and value > self._replicas(props):
                raise ConfigurationError(
                    f"riak: {name}: {value} replicas are more than the {self._replicas(props)} there are"
                )

    def _writes_everywhere(self, props: Any) -> bool:
        chosen = self._options.quorums("pw").get("pw", messages.DEFAULT)
        wanted = props.pw if chosen == messages.DEFAULT else chosen
        return bool(wanted in (messages.ALL, self._replicas(props)))
