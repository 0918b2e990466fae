"""Batches that a Redis server takes in while they are being encoded, and the bytes of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis._parsers.encoders import Encoder
from redis.connection import PythonRespSerializer

import kvlayer
from kvlayer.backends.base import PAGE_BYTES, PAGE_ROWS, PART_ROWS, BackendTable, Row
from kvlayer.backends.redis import RedisBackend
from kvlayer.backends.redis.options import RedisOptions
from kvlayer.backends.redis.packing import Packer
from kvlayer.errors import BadKey, NoSuchTable
from servers.redis import RedisServer

TABLE = BackendTable("t", "plain", "1")
LARGE = b"x" * 10_000
KEYS = [b"%04d" % number for number in range(PAGE_ROWS)]
ROWS = [(key, b"value of " + key) for key in KEYS]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def opened(server: RedisServer) -> Iterator[RedisBackend]:
    """A backend with an empty table, which has one connection."""
    server.command("FLUSHALL")
    options = RedisOptions(storage_addresses=[server.address], max_connections=1)
    opened = RedisBackend(options, "app", "streaming")
    opened.create_tables([TABLE])
    yield opened
    opened.close()


def in_parts(items: list[Any], event: Callable[[], object] = lambda: None) -> Iterator[list[Any]]:
    """The items in parts, and an event when all but the last part have been taken."""
    for first in range(0, len(items), PART_ROWS):
        if first + PART_ROWS >= len(items):
            event()
        yield items[first : first + PART_ROWS]


def rows_of(backend: RedisBackend, table: BackendTable = TABLE) -> list[Row]:
    return [row for page in backend.scan(table, b"", None, reverse=False, limit=None) for row in page]


def refuse() -> None:
    raise BadKey("the last part holds a bad row")


def test_parts_make_one_batch(opened: RedisBackend) -> None:
    opened.put_in_parts(TABLE, in_parts(ROWS[::-1]))
    assert rows_of(opened) == ROWS
    wanted = [*KEYS[::-7], b"missing", KEYS[3], KEYS[3]]
    expected = [*(b"value of " + key for key in wanted[:-3]), None, *2 * [ROWS[3][1]]]
    assert opened.get_in_parts(TABLE, iter([wanted[:10], wanted[10:]])) == expected


def test_of_equal_keys_the_last_one_wins(opened: RedisBackend) -> None:
    opened.put_in_parts(
        TABLE, iter([[(b"a", b"1"), (b"b", b"1")], [(b"a", b"2")], [(b"b", b"3"), (b"a", b"3")]])
    )
    assert rows_of(opened) == [(b"a", b"3"), (b"b", b"3")]


def test_no_parts_are_no_rows(opened: RedisBackend) -> None:
    opened.put_in_parts(TABLE, iter([]))
    assert opened.get_in_parts(TABLE, iter([])) == []
    assert rows_of(opened) == []


def test_a_part_that_is_refused_ends_the_whole_batch(opened: RedisBackend) -> None:
    opened.put(TABLE, ROWS[:1])
    with pytest.raises(BadKey, match="the last part"):
        opened.put_in_parts(TABLE, in_parts(ROWS, refuse))
    assert rows_of(opened) == ROWS[:1]
    with pytest.raises(BadKey, match="the last part"):
        opened.get_in_parts(TABLE, in_parts(KEYS, refuse))
    assert opened.get(TABLE, KEYS[:2]) == [ROWS[0][1], None]


def test_a_connection_that_breaks_between_two_parts(server: RedisServer, opened: RedisBackend) -> None:
    """The call is repeated with the parts that it has taken, and takes the others."""

    def lose_connection() -> None:
        assert server.command("CLIENT", "KILL", "TYPE", "normal") > 0

    opened.put_in_parts(TABLE, in_parts(ROWS, lose_connection))
    assert rows_of(opened) == ROWS
    assert opened.get_in_parts(TABLE, in_parts(KEYS, lose_connection)) == [value for _, value in ROWS]


def test_a_table_that_gets_a_large_row_between_two_parts(server: RedisServer, opened: RedisBackend) -> None:
    options = RedisOptions(storage_addresses=[server.address])
    other = RedisBackend(options, "app", "streaming")
    opened.put_in_parts(TABLE, in_parts(ROWS, lambda: other.put(TABLE, [(b"large", LARGE)])))
    assert rows_of(other) == [*ROWS, (b"large", LARGE)]
    other.close()


@pytest.mark.parametrize("operation", ["put_in_parts", "get_in_parts"])
def test_a_table_that_is_dropped_between_two_parts(
    server: RedisServer, opened: RedisBackend, operation: str
) -> None:
    other = RedisBackend(RedisOptions(storage_addresses=[server.address]), "app", "streaming")
    items: list[Any] = ROWS if operation == "put_in_parts" else KEYS
    with pytest.raises(NoSuchTable, match="'t'"):
        getattr(opened, operation)(TABLE, in_parts(items, other.drop_namespace))
    other.close()
    assert server.command("KEYS", "*:values") == server.command("KEYS", "*:keys") == []


def test_a_table_that_is_not_there(opened: RedisBackend) -> None:
    missing = BackendTable("missing", "plain", "1")
    for call in (
        lambda: opened.put_in_parts(missing, in_parts(ROWS)),
        lambda: opened.get_in_parts(missing, in_parts(KEYS)),
    ):
        with pytest.raises(NoSuchTable, match="'missing'"):
            call()


def test_answers_stay_bounded_when_large_rows_came_in_parts(
    server: RedisServer, opened: RedisBackend
) -> None:
    value = b"x" * (PAGE_BYTES // 100)
    opened.put_in_parts(TABLE, in_parts([(key, value if key > KEYS[800] else b"") for key in KEYS]))
    reader = RedisBackend(RedisOptions(storage_addresses=[server.address]), "app", "streaming")
    found = reader.get_in_parts(TABLE, in_parts(KEYS[::-1]))
    assert len(found) == 101
    assert sum(len(one or b"") for one in found) <= PAGE_BYTES + len(value)
    reader.close()


def test_a_part_longer_than_a_command(opened: RedisBackend) -> None:
    part = [(b"%d" % number, b"x" * (PAGE_BYTES // 3)) for number in range(5)]
    opened.put_in_parts(TABLE, iter([part, ROWS[:1]]))
    assert rows_of(opened) == sorted([*part, *ROWS[:1]])


@pytest.mark.parametrize("scripts", [True, False])
def test_a_client_validates_all_parts_before_anything_is_written(server: RedisServer, scripts: bool) -> None:
    server.command("FLUSHALL")
    server.command("ACL", "SETUSER", "user", "on", ">x", "~*", "+@all", *[] if scripts else ["-@scripting"])
    config = {**server.config, "username": "user", "password": "x", "app_name": "app", "namespace": "n"}
    good: list[tuple[Any, Any]] = [((number,), b"%d" % number) for number in range(5 * PART_ROWS)]
    with kvlayer.client(config) as kvl:
        kvl.setup_namespace({"t": (int,)})
        bad: Any
        for bad in [(("a",), b""), ((7,), "text"), ((7,), None), ((7, 7), b""), 7, ()]:
            with pytest.raises(BadKey):
                kvl.put("t", *good, bad)
        with pytest.raises(BadKey):
            kvl.get("t", *(key for key, _ in good), ("a",))
        assert list(kvl.scan("t")) == []
        kvl.put("t", *good, *good[::-2], ((3,), b"last"))
        good[3] = ((3,), b"last")
        assert list(kvl.get("t", *(key for key, _ in good))) == good


@given(st.lists(st.one_of(st.binary(), st.text(), st.integers(), st.floats(allow_nan=False)), max_size=50))
def test_commands_are_packed_as_the_driver_does(words: list[Any]) -> None:
    driver = PythonRespSerializer(6000, Encoder("utf-8", "surrogatepass", False).encode)
    for name in ("GET", b"GET", "CONFIG GET"):
        assert b"".join(Packer.pack(name, *words)) == b"".join(driver.pack(name, *words))


def test_long_words_are_sent_as_they_are() -> None:
    driver = PythonRespSerializer(6000, Encoder("utf-8", "surrogatepass", False).encode)
    long, longer = b"a" * 65_536, b"b" * 1_000_000
    commands: list[list[Any]] = [
        [long],
        [b"", longer],
        [long, b"x", longer, longer],
        [b"a" * 65_535, 7, long, ""],
    ]
    for words in commands:
        packed = Packer.pack("HSET", *words)
        assert b"".join(packed) == b"".join(driver.pack("HSET", *words))
        alone = [piece for piece in packed if piece is long or piece is longer]
        assert alone == [word for word in words if word in (long, longer)]


@pytest.mark.parametrize("word", [None, True, [b"a"], object()])
def test_what_is_no_part_of_a_command(word: object) -> None:
    with pytest.raises(redis.DataError, match=type(word).__name__):
        Packer.pack("SET", b"key", word)
