"""What the redis store keeps on a server, how it measures answers, and what it declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kvlayer
from kvlayer.backends.base import PAGE_BYTES, BackendTable
from kvlayer.backends.redis import RedisBackend
from kvlayer.backends.redis.layout import Layout, entry, namespace_of_entry, table_of_entry
from kvlayer.backends.redis.options import RedisOptions
from servers.redis import RedisServer

NAMES = ['a"; DROP TABLE x; --', "{}*?[", "\U0001f4a9" * 200, "a}b{c", "a/b:c", "%7B", "\x00", " "]
LARGE = b"x" * (PAGE_BYTES // 4)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendonly", "yes") as server:
        yield server


@pytest.fixture
def empty(server: RedisServer) -> RedisServer:
    server.command("FLUSHALL")
    return server


def client(server: RedisServer, **more: Any) -> kvlayer.Client:
    return kvlayer.client({**server.config, "app_name": "app", "namespace": "storage", **more})


def backend(server: RedisServer, **more: Any) -> RedisBackend:
    options = RedisOptions(storage_addresses=[server.address], **more)
    return RedisBackend(options, "app", "storage")


@pytest.fixture
def opened(empty: RedisServer) -> Iterator[RedisBackend]:
    opened = backend(empty)
    yield opened
    opened.close()


@pytest.fixture
def limited(empty: RedisServer) -> Iterator[RedisBackend]:
    """A backend whose user may run no scripts."""
    empty.command("ACL", "SETUSER", "limited", "on", ">x", "~*", "+@all", "-@scripting")
    opened = backend(empty, username="limited", password="x")
    yield opened
    opened.close()


def test_all_keys_of_a_table_have_one_hash_tag() -> None:
    for app_name, namespace, name in zip(NAMES, reversed(NAMES), NAMES[3:] + NAMES[:3], strict=True):
        layout = Layout(app_name, namespace)
        for incarnation in ("", "0f"):
            keys = layout.table_keys(BackendTable(name, "plain", incarnation))
            tags = {key[key.index(b"{") : key.index(b"}") + 1] for key in keys}
            assert len(tags) == 1
            assert all(key.count(b"{") == key.count(b"}") == 1 for key in keys)


def test_names_are_found_again_and_no_two_share_a_key() -> None:
    tables = [BackendTable(name, "counter", number) for name in NAMES for number in ("", "1")]
    keys = set()
    for app_name in NAMES:
        for namespace in NAMES:
            layout = Layout(app_name, namespace)
            assert namespace_of_entry(layout.namespace) == (app_name, namespace)
            keys |= {layout.tables, layout.dropping, *(key for t in tables for key in layout.table_keys(t))}
    assert len(keys) == len(NAMES) ** 2 * (2 + 3 * len(tables))
    assert [table_of_entry(entry(table)) for table in tables] == tables


def test_rows_can_be_read_with_the_server_s_own_tools(empty: RedisServer) -> None:
    with client(empty) as kvl:
        kvl.setup_namespace({"t": (str,), "n": (str,)}, {"n": kvlayer.COUNTER})
        kvl.put("t", (("b",), b"2"), (("a",), b"1"))
        kvl.increment("n", (("visits",), 42))
        (values,) = empty.command("KEYS", "kvlayer:{app/storage/t}:*:values")
        (keys,) = empty.command("KEYS", "kvlayer:{app/storage/t}:*:keys")
        (counters,) = empty.command("KEYS", "kvlayer:{app/storage/n}:*:values")
        assert empty.command("HGET", values, "b") == "2"
        assert empty.command("ZRANGE", keys, 0, -1) == ["a", "b"]
        assert empty.command("HGET", counters, "visits") == "42"


def test_both_structures_hold_the_same_rows_whatever_is_done(empty: RedisServer) -> None:
    with client(empty) as kvl:
        kvl.setup_namespace(
            {"t": (int,), "n": (int,), "f": (int,)}, {"n": kvlayer.COUNTER, "f": kvlayer.ACCUMULATOR}
        )
        kvl.put("t", *(((number,), b"x") for number in range(5000)))
        kvl.put("t", ((1,), LARGE), ((6000,), LARGE))
        kvl.delete("t", (2,), (7000,))
        kvl.delete_range("t", ((10,), (2500,)))
        kvl.compare_and_put("t", (3,), b"x", None)
        kvl.compare_and_put("t", (8000,), None, b"new")
        kvl.compare_and_put("t", (8001,), b"not there", b"new")
        kvl.increment("n", ((1,), 1), ((2,), 10**20))
        kvl.increment("f", ((1,), 0.5))
        held = {}
        for name in ("t", "n", "f"):
            (values,) = empty.command("KEYS", f"kvlayer:{{app/storage/{name}}}:*:values")
            (keys,) = empty.command("KEYS", f"kvlayer:{{app/storage/{name}}}:*:keys")
            held[name] = (empty.command("HLEN", values), empty.command("ZCARD", keys))
        assert held == {"t": (2509, 2509), "n": (2, 2), "f": (1, 1)}
        kvl.clear_table("t")
        assert empty.command("EXISTS", values.replace("/f}", "/t}"), keys.replace("/f}", "/t}")) == 0


def test_a_dropped_namespace_leaves_only_what_expires(empty: RedisServer) -> None:
    with client(empty) as kvl:
        kvl.setup_namespace(dict.fromkeys(NAMES, (str,)))
        for name in NAMES:
            kvl.put(name, (("a",), b"1"))
        kvl.delete_namespace()
        left = empty.command("KEYS", "*")
        assert len(left) == len(NAMES)
        assert all(key.endswith(":state") and 0 < empty.command("TTL", key) <= 600 for key in left)


def test_a_drop_that_was_interrupted_is_ended_by_the_next(empty: RedisServer, opened: RedisBackend) -> None:
    table = BackendTable("t", "plain", "1")
    opened.create_tables([table])
    opened.put(table, [(b"a", b"1")])
    layout = Layout("app", "storage")
    empty.command("SMOVE", layout.tables, layout.dropping, entry(table))
    assert opened.list_namespaces() == []  # no table is there any more for anybody new
    opened.drop_namespace()
    assert empty.command("KEYS", "*") == [layout.table_keys(table).state.decode()]
    with pytest.raises(kvlayer.NoSuchTable):
        opened.put(table, [(b"a", b"1")])


def test_who_is_late_does_not_make_a_dropped_table_again(opened: RedisBackend) -> None:
    table = BackendTable("t", "plain", "1")
    opened.create_tables([table])
    opened.drop_namespace()
    with pytest.raises(kvlayer.NoSuchTable, match="'t'"):
        opened.create_tables([table])
    opened.create_tables([BackendTable("t", "plain", "2")])


@pytest.mark.parametrize("size", [1, PAGE_BYTES])
def test_nothing_is_written_to_a_table_that_is_not_there(
    empty: RedisServer, opened: RedisBackend, limited: RedisBackend, size: int
) -> None:
    table = BackendTable("t", "counter", "1")
    for one in (opened, limited):
        for operation in (
            lambda one=one: one.put(table, [(b"a", b"x" * size)]),
            lambda one=one: one.get(table, [b"a"]),
            lambda one=one: one.get(table, [b"a", b"b"]),
            lambda one=one: one.delete(table, [b"a"]),
            lambda one=one: list(one.scan(table, b"", None, reverse=False, limit=None)),
            lambda one=one: list(one.scan_keys(table, b"", None, reverse=True, limit=None)),
            lambda one=one: one.delete_range(table, b"", None),
            lambda one=one: one.clear(table),
            lambda one=one: one.estimate_rows(table),
        ):
            with pytest.raises(kvlayer.NoSuchTable):
                operation()
    for write in (
        lambda: opened.increment(table, [(b"a", 1)]),
        lambda: opened.increment(table, [(b"a", 10**20)]),
        lambda: opened.compare_and_put(table, b"a", None, b"x" * size),
    ):
        with pytest.raises(kvlayer.NoSuchTable):
            write()
    assert empty.command("DBSIZE") == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_answers_are_bounded_in_bytes(opened: RedisBackend, limited: RedisBackend, scripts: bool) -> None:
    one = opened if scripts else limited
    table = BackendTable("t")
    one.create_tables([table])
    one.put(table, [(b"%04d" % number, LARGE if number % 100 == 0 else b"small") for number in range(1000)])
    keys = [b"%04d" % number for number in range(1000)]
    for reverse in (False, True):
        pages = list(one.scan(table, b"", None, reverse=reverse, limit=None))
        assert [key for page in pages for key, _ in page] == sorted(keys, reverse=reverse)
        assert max(sum(len(value) for _, value in page) for page in pages) <= PAGE_BYTES + len(LARGE)
    found = one.get(table, keys)
    assert 0 < sum(len(value or b"") for value in found) <= PAGE_BYTES + len(LARGE)
    assert found == [LARGE if number % 100 == 0 else b"small" for number in range(len(found))]


def test_a_client_that_knew_a_table_as_small_learns_that_it_is_not(
    empty: RedisServer, opened: RedisBackend
) -> None:
    table = BackendTable("t")
    opened.create_tables([table])
    opened.put(table, [(b"a", b"1"), (b"b", b"2")])
    assert opened.get(table, [b"a", b"b"]) == [b"1", b"2"]
    other = backend(empty)
    other.put(table, [(b"%d" % number, LARGE) for number in range(8)])
    other.close()
    keys = [b"%d" % number for number in range(8)]
    assert len(opened.get(table, keys)) == 8  # the one answer that may be too large
    assert len(opened.get(table, keys)) == 4


def test_a_client_knows_of_large_values_that_it_wrote(opened: RedisBackend) -> None:
    table = BackendTable("t")
    opened.create_tables([table])
    keys = [b"%d" % number for number in range(8)]
    assert opened.get(table, keys) == [None] * 8
    opened.put(table, [(key, LARGE) for key in keys])
    assert len(opened.get(table, keys)) == 4


def test_a_cleared_table_is_a_small_one_again(empty: RedisServer, opened: RedisBackend) -> None:
    table = BackendTable("t")
    opened.create_tables([table])
    opened.put(table, [(b"a", LARGE)])
    state = Layout("app", "storage").table_keys(table).state
    assert empty.command("GET", state) == "large"
    opened.clear(table)
    assert empty.command("GET", state) == "made"


def test_a_value_of_many_megabytes(opened: RedisBackend) -> None:
    table = BackendTable("t")
    opened.create_tables([table])
    value = bytes(range(256)) * (64 * 2**20 // 256)
    opened.put(table, [(b"a", value), (b"b", b"2")])
    assert opened.get(table, [b"a", b"b"]) == [value]
    assert opened.compare_and_put(table, b"b", b"2", value)
    assert opened.get(table, [b"b"]) == [value]
    assert [len(page) for page in opened.scan(table, b"", None, reverse=False, limit=None)] == [1, 1]


def test_many_rows_in_one_call(opened: RedisBackend) -> None:
    table = BackendTable("t")
    opened.create_tables([table])
    rows = [(b"%06d" % number, b"x") for number in range(60_000)]
    opened.put(table, rows)
    assert opened.estimate_rows(table) == 60_000
    assert [row for page in opened.scan(table, b"", None, reverse=False, limit=None) for row in page] == rows
    opened.delete(table, [key for key, _ in rows])
    assert opened.estimate_rows(table) == 0


def test_a_server_that_forgot_the_scripts_gets_them_again(empty: RedisServer) -> None:
    with client(empty) as kvl:
        kvl.setup_namespace({"n": (str,)}, {"n": kvlayer.COUNTER})
        assert kvl.increment("n", (("a",), 1)) == [1]
        empty.command("SCRIPT", "FLUSH")
        assert kvl.increment("n", (("a",), 1)) == [2]
        assert list(kvl.scan("n")) == [(("a",), 2)]


def test_what_a_server_without_scripts_lacks(limited: RedisBackend) -> None:
    table = BackendTable("t", "counter")
    limited.create_tables([table])
    capabilities = limited.capabilities
    declared = (capabilities.compare_and_put, capabilities.atomic_increment, capabilities.accumulate)
    assert not any(declared)
    assert capabilities.atomic_put
    for operation in (
        lambda: limited.increment(table, [(b"a", 1)]),
        lambda: limited.compare_and_put(table, b"a", None, b"1"),
    ):
        with pytest.raises(kvlayer.NotSupported, match="scripts"):
            operation()


@pytest.mark.parametrize(
    ("settings", "durable"),
    [
        ({"appendonly": "yes"}, True),
        ({"appendonly": "no"}, False),
        ({"appendonly": "yes", "maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, False),
        ({"appendonly": "yes", "maxmemory": "100mb", "maxmemory-policy": "volatile-lru"}, True),
    ],
)
def test_durability_is_declared_as_the_server_has_it(settings: dict[str, str], durable: bool) -> None:
    with RedisServer(*(word for name, value in settings.items() for word in (f"--{name}", value))) as server:
        opened = backend(server)
        assert opened.capabilities.durable is durable
        assert opened.ping()["append_only"] is (settings["appendonly"] == "yes")
        opened.close()


def test_a_server_that_tells_nothing_of_itself(empty: RedisServer) -> None:
    empty.command("ACL", "SETUSER", "discreet", "on", ">x", "~*", "+@all", "-info", "-config")
    opened = backend(empty, username="discreet", password="x")
    assert not opened.capabilities.durable
    assert opened.capabilities.compare_and_put
    assert opened.ping() == {"address": empty.address, "scripts": True}
    opened.close()


def test_a_user_with_the_rights_that_the_documentation_names(empty: RedisServer) -> None:
    text = (Path(__file__).parent.parent / "docs/backends/redis.md").read_text()
    (rights,) = re.findall(r"`(~kvlayer:\* .*?)`", text)
    empty.command("ACL", "SETUSER", "app", "on", ">x", *rights.split())
    with client(empty, username="app", password="x") as kvl:
        kvl.setup_namespace(
            {"t": (int,), "n": (str,), "f": (str,)}, {"n": kvlayer.COUNTER, "f": kvlayer.ACCUMULATOR}
        )
        kvl.put("t", *(((number,), b"x") for number in range(1500)))
        kvl.put("t", ((1500,), LARGE))
        kvl.delete("t", (0,))
        kvl.delete_range("t", ((1,), (1,)))
        assert len(list(kvl.get("t", *((number,) for number in range(2, 1501))))) == 1499
        assert len(list(kvl.scan("t", reverse=True))) == len(list(kvl.scan_keys("t"))) == 1499
        assert kvl.compare_and_put("t", (2,), b"x", b"y")
        assert kvl.increment("n", (("a",), 1)) == [1]
        assert kvl.increment("f", (("a",), 0.5)) == [0.5]
        kvl.clear_table("t")
        assert kvl.capabilities.durable
        assert kvl._connected().list_namespaces() == [("app", "storage")]
        kvl.delete_namespace()


def test_sums_on_both_sides_of_what_a_script_adds(empty: RedisServer) -> None:
    edge = 10**15
    with client(empty) as kvl:
        kvl.setup_namespace({"n": (str,)}, {"n": kvlayer.COUNTER})
        total = 0
        for delta in (
            edge - 1,
            1,
            -1,
            -1,
            edge,
            edge - 1,
            -3 * edge,
            2**53,
            1,
            -(2**53),
            7,
            -(10**40),
            10**40,
        ):
            total += delta
            assert kvl.increment("n", (("a",), delta), (("b",), 1))[0] == total
            assert list(kvl.get("n", ("a",))) == [(("a",), total)]


def test_what_is_no_number_is_not_added_to(empty: RedisServer) -> None:
    with client(empty) as kvl:
        kvl.setup_namespace({"n": (str,)}, {"n": kvlayer.COUNTER})
        kvl.put("n", (("a",), 1), (("b",), 1))
        (values,) = empty.command("KEYS", "*/n}*:values")
        for text in ("", "0x10", "1.5", "1e3", "nan"):
            empty.command("HSET", values, "a", text)
            with pytest.raises(kvlayer.SerializationError):
                kvl.increment("n", (("b",), 1), (("a",), 1))
        assert list(kvl.get("n", ("b",))) == [(("b",), 1)]


def test_namespaces_are_listed(empty: RedisServer) -> None:
    pairs = sorted((app_name, namespace) for app_name in NAMES[:3] for namespace in NAMES[3:6])
    clients = [client(empty, app_name=app_name, namespace=namespace) for app_name, namespace in pairs]
    for kvl in clients:
        kvl.setup_namespace({"t": (str,)})
    assert clients[0]._connected().list_namespaces() == pairs
    clients.pop().delete_namespace()
    assert clients[0]._connected().list_namespaces() == pairs[:-1]
    for kvl in clients:
        kvl.close()


def test_the_log_is_loaded_after_a_crash_in_the_middle_of_a_batch() -> None:
    """A server that dies while it writes a batch to its log leaves none of it."""
    with RedisServer("--appendonly", "yes") as server:
        with client(server) as kvl:
            kvl.setup_namespace({"t": (int,)})
            kvl.put("t", *(((number,), b"x" * 100) for number in range(100)))
            kvl.put("t", *(((number,), b"y" * 100) for number in range(1000)))
        server.kill()
        (log,) = (server.folder / "appendonlydir").glob("*.incr.aof")
        log.write_bytes(log.read_bytes()[:-20_000])
        server.start()
        with client(server) as kvl:
            rows = list(kvl.scan("t"))
            assert len(rows) == 100
            assert {value for _, value in rows} == {b"x" * 100}
