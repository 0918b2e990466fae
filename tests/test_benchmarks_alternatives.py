"""What kvlayer is compared with gives right answers, and what it can't do is left blank."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.alternatives import dicts, measuring, through_kvlayer
from benchmarks.alternatives.contender import Contender, Key, as_text
from benchmarks.alternatives.measuring import Group
from benchmarks.alternatives.rows import ROWS_OF_A_NAME, Rows

from servers.redis import RedisServer

IN_MEMORY = (
    "through_kvlayer.Local",
    "dicts.PlainDict",
    "dicts.SortedDictOfTuples",
    "py_key_value.Memory",
    "opendal.Memory",
)
IN_FILES = (
    "through_kvlayer.SQLiteNormal",
    "through_kvlayer.SQLite",
    "diskcache.DiskCache",
    "sqlitedict.SQLiteDict",
    "shelves.Shelf",
    "row_by_row.SQLite",
    "py_key_value.Disk",
    "opendal.Cacache",
    "opendal.Files",
    "opendal.Persy",
    "opendal.Redb",
    "opendal.Sled",
    "opendal.SQLite",
)
ON_A_SERVER = ("through_kvlayer.Redis", "row_by_row.Redis", "py_key_value.Redis", "opendal.Redis")

SMALL = Rows.make(200, 150)


def contender(name: str, *place: Any) -> Contender:
    """A contender by the name of its module and class; skips where its package isn't installed."""
    module, _, kind = name.partition(".")
    if module in ("diskcache", "sqlitedict", "opendal"):
        pytest.importorskip(module)
    elif module == "py_key_value":
        pytest.importorskip("key_value.aio.stores.disk")
    made: Contender = getattr(importlib.import_module(f"benchmarks.alternatives.{module}"), kind)(*place)
    return made


def quietly(text: str) -> None:
    """Shows no progress."""


class TestRows:
    def test_each_name_has_as_many_rows_as_a_range(self) -> None:
        rows = Rows.make(1234, 500)
        keys = [key for batch in rows.put for key, _ in batch]
        assert rows.count == len(set(keys)) == 1200
        assert all(sum(name == key[0] for key in keys) == ROWS_OF_A_NAME for name in rows.names)
        assert [len(batch) for batch in rows.get] == [500, 500, 200]
        assert {key for batch in rows.get for key in batch} == set(keys)
        assert {key for batch in rows.delete for key in batch} == set(keys)

    def test_rows_that_come_one_by_one_are_others(self) -> None:
        stored = {key for batch in SMALL.put for key, _ in batch}
        assert stored.isdisjoint(key for key, _ in SMALL.single_put)
        assert stored.issuperset(SMALL.single_get)

    def test_text_sorts_as_the_keys_do(self) -> None:
        keys: list[Key] = [
            (name, number) for name in ("a", "ab", "B", "b") for number in (0, 7, 10, 99999999)
        ]
        assert sorted(keys, key=as_text) == sorted(keys)


class TestContenders:
    @pytest.mark.parametrize("name", IN_MEMORY)
    def test_in_memory(self, name: str) -> None:
        with closing(contender(name)) as opened:
            measuring.check(opened, SMALL)

    @pytest.mark.parametrize("name", IN_FILES)
    def test_in_files(self, name: str, tmp_path: Path) -> None:
        with closing(contender(name, str(tmp_path / "rows"))) as opened:
            measuring.check(opened, SMALL)

    @pytest.mark.parametrize("name", ON_A_SERVER)
    def test_on_a_server(self, name: str) -> None:
        with RedisServer() as server:
            place = server.config if name.startswith("through_kvlayer") else server.port
            with closing(contender(name, place)) as opened:
                measuring.check(opened, SMALL)


@contextmanager
def three() -> Iterator[Sequence[Contender]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(made))
            for made in (through_kvlayer.Local(), dicts.PlainDict(), dicts.SortedDictOfTuples())
        ]


class Forgetful(dicts.PlainDict):
    """Loses a row of each batch."""

    name = "forgetful"

    def put(self, rows: list[tuple[Key, bytes]]) -> None:
        super().put([*rows[1:], (rows[0][0], b"")])


class TestMeasuring:
    def test_what_a_contender_cant_do_is_left_out(self) -> None:
        results = measuring.measure(Group("in memory", three), SMALL, 2, quietly)
        assert [(result.store, result.batch_size) for result in results] == [
            ("kvlayer local", 150),
            ("dict", 150),
            ("SortedDict", 150),
            ("kvlayer local", 1),
            ("dict", 1),
            ("SortedDict", 1),
        ]
        kvlayer, plain, in_order, _, one_by_one, _ = results
        assert set(kvlayer.store_us) == {"put", "get", "delete", "increment", "scan", "range"}
        assert set(plain.store_us) == {"put"}
        assert set(in_order.store_us) == {"put", "scan", "range"}
        assert set(one_by_one.store_us) == {"put", "get", "delete"}

    def test_each_is_compared_with_kvlayer_in_every_round(self) -> None:
        kvlayer, _, in_order, *_ = measuring.measure(Group("in memory", three), SMALL, 2, quietly)
        assert kvlayer.ratios == {}
        assert in_order.kvlayer_us == {name: kvlayer.store_us[name] for name in in_order.store_us}
        assert {name: len(ratios) for name, ratios in in_order.ratios.items()} == {
            "put": 2,
            "scan": 2,
            "range": 2,
        }
        assert (in_order.ordered, in_order.version[:2], in_order.durability) == (True, "2.", "in memory")

    def test_wrong_answers_are_an_error(self) -> None:
        with pytest.raises(AssertionError, match="forgetful gives wrong answers: get_each"):
            measuring.check(Forgetful(), SMALL)
