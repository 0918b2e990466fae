"""From options to the driver's client: of one server, of the primary that Sentinel names, or of a cluster."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.cluster import REDIS_ALLOWED_KEYS, ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from kvlayer.backends.redis.options import Address, RedisOptions
from kvlayer.backends.redis.packing import Packer
from kvlayer.errors import ConfigurationError

_HEALTH_CHECK_SECONDS: Final = 30
_READ_BYTES: Final = 262_144  # at a time; the driver's 65,536 make a value of 1 MiB twice as dear
_OF_SENTINEL: Final = frozenset({"sentinel_kwargs", "min_other_sentinels", "force_master_ip"})


class Link(NamedTuple):
    """The driver's client, and what is to be closed with it."""

    client: Any
    """A redis.Redis or a RedisCluster, which share only part of their types."""
    others: Sequence[redis.Redis] = ()

    def close(self) -> None:
        """Closes all connections, those in use as well."""
        pool = getattr(self.client, "connection_pool", None)
        if pool is not None:
            pool.disconnect()
        self.client.close()
        for other in self.others:
            other.close()


class _Client(redis.Redis):
    """The driver's client without what it does around each command to repeat and to measure it: that takes
    half as long as all else that it does for a command of one row. It is set never to repeat, and
    kvlayer has statistics of its own."""

    def execute_command(self, *words: Any, **options: Any) -> Any:
        pool = self.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_command(*words)
            return self.parse_response(connection, words[0], **options)  # type: ignore[no-untyped-call]
        except redis.ResponseError:
            raise  # an answer like any other
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)


class _SentinelPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """Connections to the primary that Sentinel names, with a bound on their number."""


def connect(options: RedisOptions) -> Link:
    """Makes a client. Raises the driver's errors, and ConfigurationError for `driver` options that it
    doesn't know."""
    try:
        if options.sentinel_service is not None:
            return _by_sentinel(options, options.sentinel_service)
        if _is_cluster(options):
            return Link(_cluster(options))
        return Link(_single(options, options.addresses()[0]))
    except TypeError as error:
        # The driver's message names the option; an error of a value is another type.
        raise ConfigurationError(f"redis: driver: {str(error).rpartition('() ')[2]}") from None


def _is_cluster(options: RedisOptions) -> bool:
    if options.cluster is not None:
        return options.cluster
    addresses = options.addresses()
    for position, address in enumerate(addresses):
        client = _single(options, address)
        try:
            is_cluster = bool(client.info("cluster").get("cluster_enabled"))
        except redis.exceptions.NoPermissionError:
            is_cluster = False
        except (redis.ConnectionError, redis.TimeoutError):
            if position == len(addresses) - 1:
                raise
            continue
        finally:
            Link(client).close()
        if len(addresses) > 1 and not is_cluster:
            raise ConfigurationError(
                "redis: storage_addresses: several make sense for a cluster, which this server is no node of,"
                " and for Sentinels, with sentinel_service"
            )
        return is_cluster
    raise AssertionError("options have at least one address")


def _arguments(options: RedisOptions) -> dict[str, Any]:
    """What all connections are made with."""
    return {
        "health_check_interval": _HEALTH_CHECK_SECONDS,
        "socket_read_size": _READ_BYTES,
        **{key: value for key, value in options.driver.items() if key not in _OF_SENTINEL},
        "username": options.username,
        "password": options.password,
        "socket_connect_timeout": options.connect_timeout,
        "socket_timeout": options.timeout,
        "decode_responses": False,
        # With version 3 the driver doesn't notice at once that an idle connection has been closed.
        "protocol": 2,
        # The driver would repeat what must not be done twice.
        "retry": Retry(NoBackoff(), 0),
    }


def _pool_arguments(options: RedisOptions) -> dict[str, Any]:
    return {
        **_arguments(options),
        "db": options.redis_db_num,
        "command_packer": Packer(),  # a cluster's connections don't take one
        "max_connections": options.max_connections,
        "timeout": options.timeout,
    }


def _single(options: RedisOptions, address: Address) -> redis.Redis:
    kind: type[redis.UnixDomainSocketConnection] | type[redis.Connection] = redis.Connection
    place: dict[str, Any] = {"host": address.host, "port": address.port}
    if address.path is not None:
        kind, place = redis.UnixDomainSocketConnection, {"path": address.path}
    elif options.tls:
        kind = redis.SSLConnection
    return _Client(
        connection_pool=redis.BlockingConnectionPool(
            connection_class=kind, **place, **_pool_arguments(options)
        )
    )


def _by_sentinel(options: RedisOptions, service: str) -> Link:
    given = options.driver.get("sentinel_kwargs", {})
    tls = {key: value for key, value in options.driver.items() if key.startswith("ssl_")}
    of_sentinels = {
        "socket_connect_timeout": options.connect_timeout,
        "socket_timeout": options.connect_timeout,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        **({"ssl": True, **tls} if options.tls else {}),
        **given,
    }
    sentinel = Sentinel(
        [(address.host, address.port) for address in options.addresses()],
        sentinel_kwargs=of_sentinels,
        **{
            key: value
            for key, value in options.driver.items()
            if key in _OF_SENTINEL and key != "sentinel_kwargs"
        },
    )
    client = sentinel.master_for(
        service,
        redis_class=_Client,
        connection_pool_class=_SentinelPool,
        ssl=options.tls,
        **_pool_arguments(options),
    )
    return Link(client, sentinel.sentinels)


def _cluster(options: RedisOptions) -> RedisCluster:
    known = {*REDIS_ALLOWED_KEYS, *inspect.signature(RedisCluster).parameters}
    for key in options.driver:
        if key not in known:  # the driver would ignore it
            raise ConfigurationError(f"redis: driver: unexpected keyword argument {key!r} for a cluster")
    first, *rest = options.addresses()
    arguments = _arguments(options)
    del arguments["health_check_interval"]
    return RedisCluster(
        # Only for a URL does the driver use the class of pools that it is given.
        url=f"{'rediss' if options.tls else 'redis'}://{first}",
        startup_nodes=[ClusterNode(address.host, address.port) for address in rest],
        connection_pool_class=redis.BlockingConnectionPool,
        max_connections=options.max_connections,
        timeout=options.timeout,
        **arguments,
    )
