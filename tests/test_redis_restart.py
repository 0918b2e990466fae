"""A Redis server that goes away and comes back: what is repeated, what is not, and that nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest

import kvlayer
from servers.process import free_port
from servers.proxy import LossyProxy
from servers.redis import RedisServer

ROWS = 5000

T = TypeVar("T")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def client(server: RedisServer, **more: Any) -> kvlayer.Client:
    kvl = kvlayer.client({**server.config, "app_name": "app", "namespace": "restart", **more})
    kvl.setup_namespace(
        {"t": (int,), "n": (str,), "f": (str,)}, {"n": kvlayer.COUNTER, "f": kvlayer.ACCUMULATOR}
    )
    return kvl


def through(proxy: LossyProxy, server: RedisServer) -> kvlayer.Client:
    return client(server, storage_addresses=[f"127.0.0.1:{proxy.port}"])


@pytest.fixture
def kvl(server: RedisServer) -> Iterator[kvlayer.Client]:
    with client(server) as kvl:
        yield kvl


def fill(kvl: kvlayer.Client) -> None:
    kvl.put_many("t", (((number,), b"%d" % number) for number in range(ROWS)))


def numbers(rows: Iterator[tuple[tuple[int], bytes]]) -> list[int]:
    return [number for (number,), _ in rows]


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def while_it_is_down(server: RedisServer, operation: Callable[[], T]) -> T:
    """What an operation gives that begins after the server has ended and before it is back."""
    server.kill()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(operation)
        time.sleep(0.3)
        server.start()
        return answer.result()


def test_a_connection_that_broke_while_idle_is_replaced(server: RedisServer, kvl: kvlayer.Client) -> None:
    fill(kvl)
    restart(server)
    assert kvl.increment("n", (("a",), 1)) == [1]
    restart(server)
    assert kvl.compare_and_put("t", (0,), b"0", b"zero")
    restart(server)
    assert list(kvl.get("t", (0,), (1,))) == [((0,), b"zero"), ((1,), b"1")]


def test_what_may_be_done_twice_waits_for_the_server(server: RedisServer, kvl: kvlayer.Client) -> None:
    fill(kvl)
    operations: list[Callable[[], Any]] = [
        lambda: kvl.put("t", ((0,), b"zero")),
        lambda: list(kvl.get("t", (0,), (1,))),
        lambda: list(kvl.scan("t", limit=3)),
        lambda: kvl.delete("t", (1,)),
        lambda: kvl.delete_range("t", ((2,), (3,))),
        lambda: kvl.clear_table("n"),
        lambda: kvl.tables(),
        lambda: kvl.ping(),
    ]
    for operation in operations:
        while_it_is_down(server, operation)
    assert list(kvl.scan("t", ((), (4,)))) == [((0,), b"zero"), ((4,), b"4")]


def test_what_was_not_sent_may_be_repeated(server: RedisServer, kvl: kvlayer.Client) -> None:
    for expected in (1, 2):
        assert while_it_is_down(server, lambda: kvl.increment("n", (("a",), 1))) == [expected]


def test_a_replica_that_becomes_the_primary(server: RedisServer, kvl: kvlayer.Client) -> None:
    """Until it is, it takes no writes, and has surely done nothing of those that it refused."""
    server.command("REPLICAOF", "127.0.0.1", free_port())
    with ThreadPoolExecutor(2) as threads:
        put = threads.submit(kvl.put, "t", ((0,), b"zero"))
        count = threads.submit(kvl.increment, "n", (("a",), 1))
        time.sleep(0.3)
        server.command("REPLICAOF", "NO", "ONE")
        put.result()
        assert count.result() == [1]
    assert list(kvl.scan("t")) == [((0,), b"zero")]


def test_a_scan_goes_on_behind_its_last_key(server: RedisServer, kvl: kvlayer.Client) -> None:
    fill(kvl)
    for reverse in (False, True):
        rows = kvl.scan("t", reverse=reverse)
        seen = [next(rows)[0][0] for _ in range(1500)]
        seen += while_it_is_down(server, partial(numbers, rows))
        assert seen == sorted(range(ROWS), reverse=reverse)


def test_without_retries_the_first_failure_is_raised(server: RedisServer) -> None:
    with client(server, retry_seconds=0) as kvl:
        server.kill()
        with pytest.raises(kvlayer.StorageError, match=rf"put of table 't' at {server.address}") as error:
            kvl.put("t", ((0,), b"zero"))
        assert error.value.retryable
        with pytest.raises(kvlayer.StorageError, match="nothing of this call was written"):
            kvl.increment("n", (("a",), 1))
        server.start()
        kvl.put("t", ((0,), b"zero"))


def test_retries_end(server: RedisServer) -> None:
    with client(server, retry_seconds=0.5) as kvl:
        server.kill()
        with pytest.raises(kvlayer.StorageError, match="can't be reached"):
            kvl.put("t", ((0,), b"zero"))


@pytest.mark.parametrize(("table", "number"), [("n", int), ("f", float)])
def test_what_may_have_been_done_is_not_repeated(
    server: RedisServer, table: str, number: type[int] | type[float]
) -> None:
    """The server does it, but the connection breaks before the answer."""
    with LossyProxy(server.port) as proxy, through(proxy, server) as kvl:
        assert kvl.increment(table, (("a",), 1)) == [1]
        proxy.lose_answer(b"EVALSHA")
        with pytest.raises(kvlayer.StorageError, match="not known whether this call was written") as error:
            kvl.increment(table, (("a",), 1))
        assert error.value.retryable
        assert list(kvl.get(table, ("a",))) == [(("a",), 2)]
        proxy.lose_answer(b"EVALSHA")
        with pytest.raises(kvlayer.StorageError, match="not known whether this call was written"):
            kvl.compare_and_put(table, ("a",), number(2), number(3))
        assert list(kvl.get(table, ("a",))) == [(("a",), 3)]


def test_what_may_be_done_twice_is_repeated(server: RedisServer) -> None:
    with LossyProxy(server.port) as proxy, through(proxy, server) as kvl:
        for value in (b"1", b"x" * 2_000_000):
            proxy.lose_answer(b"EVALSHA" if len(value) == 1 else b"EXEC")
            kvl.put("t", ((0,), value))
            assert list(kvl.get("t", (0,))) == [((0,), value)]
        proxy.lose_answer(b"HDEL")
        kvl.delete("t", (0,))
        assert list(kvl.scan("t")) == []


def test_a_server_restarted_under_load_loses_nothing(server: RedisServer, kvl: kvlayer.Client) -> None:
    """Four writers, two of them of counters, and a scanner, over three restarts."""
    fill(kvl)
    ended = threading.Event()

    def put(writer: int) -> int:
        done = 0
        with client(server) as own:
            while not ended.is_set():
                own.put("t", *(((ROWS + 100_000 * writer + 10 * done + n,), b"x") for n in range(10)))
                done += 1
        return done

    def increment(writer: int) -> tuple[int, int]:
        done = unknown = 0
        with client(server) as own:
            while not ended.is_set():
                try:
                    own.increment("n", (("a",), 1), (("b",), 1))
                    done += 1
                except kvlayer.StorageError as error:
                    assert error.retryable
                    unknown += "not known" in str(error)
        return done, unknown

    def scan() -> int:
        done = 0
        with client(server) as own:
            while not ended.is_set():
                kept = [key[0] for key in own.scan_keys("t", ((), (ROWS - 1,)))]
                assert kept == list(range(ROWS))
                done += 1
        return done

    with ThreadPoolExecutor(5) as threads:
        puts = [threads.submit(put, number) for number in (1, 2)]
        increments = [threads.submit(increment, number) for number in (1, 2)]
        scans = threads.submit(scan)
        for _ in range(3):
            time.sleep(0.4)
            restart(server)
        time.sleep(0.4)
        ended.set()
        for number, future in enumerate(puts, start=1):
            first, batches = ROWS + 100_000 * number, future.result()
            rows = [key[0] for key in kvl.scan_keys("t", ((first,), (first + 99_999,)))]
            assert rows == list(range(first, first + 10 * batches))
        counted = [future.result() for future in increments]
        at_least = sum(done for done, _ in counted)
        values = [value for _, value in kvl.get("n", ("a",), ("b",))]
        assert values[0] == values[1]
        assert at_least <= values[0] <= at_least + sum(unknown for _, unknown in counted)
        assert scans.result() > 0
