"""A connected Redis server: what it can do, and repeating what a broken connection interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import redis
from redis.cluster import RedisCluster

from kvlayer.backends.redis.connecting import connect
from kvlayer.backends.redis.failures import (
    DRIVER_ERRORS,
    IN_STEPS,
    NOT_SENT,
    READING,
    WRITING,
    Outcome,
    explain,
    may_pass,
    was_refused,
)
from kvlayer.backends.redis.options import RedisOptions
from kvlayer.backends.retry import repeating
from kvlayer.errors import ConfigurationError, StorageClosed

_Result = TypeVar("_Result")

_OLDEST: Final = (6, 2)  # ZRANGE … BYLEX
_MOST_VALUE_BYTES: Final = 512 * 2**20
_MOST_QUERY_BYTES: Final = 2**30


class _Interrupted(Exception):
    """What may pass by itself. Its cause is the driver's error, its argument the `Outcome`."""


class Facts(NamedTuple):
    """What a server can do; what it keeps to itself is taken to be the worst."""

    keeps: bool
    """It writes all to a log on its disk, and evicts nothing."""
    scripts: bool
    """It runs scripts for this user."""
    max_value_bytes: int
    max_query_bytes: int
    """Most bytes of one transaction."""


class Server:
    """One server, primary or cluster. Its methods raise what `failures.explain` makes of the driver's errors.

    An action gets the driver's client, and `what` says for messages what it does.
    """

    def __init__(self, options: RedisOptions) -> None:
        """Connects; raises ConfigurationError or StorageError where that fails."""
        self._retry_seconds = options.retry_seconds
        self._closed = False
        self.address = ", ".join(map(str, options.addresses()))
        """Where it is, for messages."""
        if options.sentinel_service is not None:
            self.address = f"{options.sentinel_service!r} of the Sentinels {self.address}"
        self._link = self._do_once("connecting", lambda: connect(options))
        try:
            self.facts = self._do_once("connecting", lambda: _facts(self.node()))
        except BaseException:
            self.close()
            raise

    def read(self, what: str, action: Callable[[Any], _Result]) -> _Result:
        """The result of an action that writes nothing, repeated as long as the connection breaks."""
        return self._repeat(what, action, READING)

    def write(self, what: str, action: Callable[[Any], _Result]) -> _Result:
        """The result of a write that may be done twice, repeated as long as the connection breaks."""
        return self._repeat(what, action, WRITING)

    def write_in_steps(self, what: str, action: Callable[[Any], _Result]) -> _Result:
        """As `write`, for what changes one thing after the other."""
        return self._repeat(what, action, IN_STEPS)

    def write_once(self, what: str, action: Callable[[Any], _Result]) -> _Result:
        """The result of a write that must not be done twice: repeated only if it was surely not done."""

        def attempt() -> _Result:
            self._refuse_if_closed()
            outcome = NOT_SENT
            try:
                self._make_sure_of_connection()
                outcome = WRITING
                return action(self._link.client)
            except DRIVER_ERRORS as error:
                if was_refused(error) or (outcome is NOT_SENT and may_pass(error)):
                    raise _Interrupted(outcome) from error
                raise explain(error, self.address, what, outcome) from error

        return self._within_retry_seconds(what, attempt)

    def node(self) -> redis.Redis:
        """A client of one server: of a cluster, of any of its nodes."""
        client = self._link.client
        if isinstance(client, RedisCluster):
            found: redis.Redis = client.get_redis_connection(client.get_primaries()[0])
            return found
        node: redis.Redis = client
        return node

    @property
    def is_cluster(self) -> bool:
        """Whether tables are on several servers."""
        return isinstance(self._link.client, RedisCluster)

    def close(self) -> None:
        """Closes all connections."""
        self._closed = True
        self._link.close()

    def _repeat(self, what: str, action: Callable[[Any], _Result], outcome: Outcome) -> _Result:
        def attempt() -> _Result:
            self._refuse_if_closed()
            try:
                return action(self._link.client)
            except DRIVER_ERRORS as error:
                if may_pass(error):
                    raise _Interrupted(outcome) from error
                raise explain(error, self.address, what, outcome) from error

        return self._within_retry_seconds(what, attempt)

    def _within_retry_seconds(self, what: str, attempt: Callable[[], _Result]) -> _Result:
        try:
            return repeating(attempt, on=(_Interrupted,), within=self._retry_seconds)
        except _Interrupted as interrupted:
            error = interrupted.__cause__
            assert isinstance(error, Exception)
            raise explain(error, self.address, what, interrupted.args[0]) from error

    def _do_once(self, what: str, action: Callable[[], _Result]) -> _Result:
        """For connecting: a server that is starting is waited for, one that isn't there is not."""

        def attempt() -> _Result:
            try:
                return action()
            except DRIVER_ERRORS as error:
                if was_refused(error):
                    raise _Interrupted(READING) from error
                raise explain(error, self.address, what, READING) from error

        return self._within_retry_seconds(what, attempt)

    def _make_sure_of_connection(self) -> None:
        """Lets a connection that broke while it was idle be replaced before something is sent over it."""
        pool = getattr(self._link.client, "connection_pool", None)
        if pool is not None:  # a cluster has one for each node
            connection = pool.get_connection()
            try:
                connection.check_health()
            finally:
                pool.release(connection)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StorageClosed(f"redis: the client of {self.address} was closed")


def _facts(node: redis.Redis) -> Facts:
    node.ping()  # what it refuses below, it refuses this user
    about = information(node)
    version = str(about.get("redis_version", ""))
    if version and tuple(map(int, version.split(".")[:2])) < _OLDEST:
        raise ConfigurationError(f"redis: the server's version is {version}; kvlayer needs 6.2 or later")
    evicts = about.get("maxmemory", 0) and str(about.get("maxmemory_policy", "")).startswith("allkeys")
    return Facts(
        keeps=bool(about.get("aof_enabled")) and not evicts,
        scripts=_permits(node, "EVAL", "return 1", 0),
        max_value_bytes=_setting(node, "proto-max-bulk-len", _MOST_VALUE_BYTES),
        max_query_bytes=_setting(node, "client-query-buffer-limit", _MOST_QUERY_BYTES),
    )


def information(node: redis.Redis) -> dict[str, Any]:
    """What INFO says; nothing where the user may not ask."""
    try:
        return dict(node.info())
    except redis.ResponseError as error:
        if was_refused(error):
            raise
        return {}


def _permits(node: redis.Redis, *command: str | int) -> bool:
    try:
        node.execute_command(*command)
        return True
    except redis.ResponseError as error:
        if was_refused(error):
            raise
        return False


def _setting(node: redis.Redis, name: str, default: int) -> int:
    try:
        return int(node.config_get(name).get(name) or default)
    except redis.ResponseError:  # managed services forbid CONFIG
        return default
