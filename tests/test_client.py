"""What a client does between its tables and its backend, where only a certain moment shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pytest

import kvlayer
from kvlayer import backends
from kvlayer.backends.base import PART_ROWS, BackendTable, Row
from kvlayer.backends.local import LocalBackend
from kvlayer.catalog import CATALOG


class DroppedMeanwhile(LocalBackend):
    """Another client drops the namespace after the tables were entered and before they are made."""

    drops = 0

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        if CATALOG not in tables and type(self).drops > 0:
            type(self).drops -= 1
            self.drop_namespace()
        super().create_tables(tables)


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[kvlayer.Client]:
    monkeypatch.setitem(backends._targets, "dropped", f"{__name__}:DroppedMeanwhile")
    with kvlayer.client({"storage_type": "dropped", "app_name": "test_client"}) as kvl:
        yield kvl
        kvl.delete_namespace()


@pytest.mark.parametrize("drops", [0, 1, 3])
def test_a_namespace_dropped_while_it_is_set_up(dropped: kvlayer.Client, drops: int) -> None:
    """What is written afterwards is where others look (S14)."""
    DroppedMeanwhile.drops = drops
    dropped.setup_namespace({"t": (str,)})
    dropped.put("t", (("k",), b"v"))
    with kvlayer.client("local://", app_name="test_client") as other:
        assert dict(other.get("t", ("k",))) == {("k",): b"v"}


def test_a_namespace_that_is_dropped_for_ever(dropped: kvlayer.Client) -> None:
    DroppedMeanwhile.drops = 1000
    with pytest.raises(kvlayer.StorageError, match="kept being dropped") as caught:
        dropped.setup_namespace({"t": (str,)})
    assert caught.value.retryable
    DroppedMeanwhile.drops = 0


calls: list[list[int]] = []
"""Of each batch that one of the next two backends was given, the lengths of its parts."""


class InOnePiece(LocalBackend):
    """Takes batches as most backends do."""

    def put(self, table: BackendTable, rows: list[Row]) -> None:
        super().put(table, rows)
        calls.append([len(rows)])

    def get(self, table: BackendTable, keys: list[bytes]) -> list[bytes | None]:
        calls.append([len(keys)])
        return super().get(table, keys)


class InParts(InOnePiece):
    """Takes parts of batches."""

    takes_parts = True

    def put_in_parts(self, table: BackendTable, parts: Iterator[list[Row]]) -> None:
        taken = list(parts)
        LocalBackend.put(self, table, list(dict(chain.from_iterable(taken)).items()))
        calls.append(list(map(len, taken)))

    def get_in_parts(self, table: BackendTable, parts: Iterator[list[bytes]]) -> list[bytes | None]:
        taken = list(parts)
        calls.append(list(map(len, taken)))
        return LocalBackend.get(self, table, list(chain.from_iterable(taken)))


@pytest.fixture(params=[InOnePiece, InParts])
def numbers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[kvlayer.Table]:
    """A table with 2500 rows."""
    monkeypatch.setitem(backends._targets, "watched", f"{__name__}:{request.param.__name__}")
    with kvlayer.client({"storage_type": "watched", "app_name": "test_client"}) as kvl:
        kvl.setup_namespace({"t": (int,)})
        kvl.put("t", *(((number,), b"%d" % number) for number in range(2500)))
        calls.clear()
        yield kvl.table("t")
        kvl.delete_namespace()


class Odd(int):
    """Counts by its value."""


def test_a_get_fetches_a_page_when_it_is_called_and_others_when_they_are_needed(
    numbers: kvlayer.Table,
) -> None:
    answers = numbers.get(*((number,) for number in range(2499, -1, -1)))
    assert [next(answers) for _ in range(1000)] == [((n,), b"%d" % n) for n in range(2499, 1499, -1)]
    assert list(map(sum, calls)) == [1000]
    assert list(answers) == [((n,), b"%d" % n) for n in range(1499, -1, -1)]
    assert list(map(sum, calls)) == [1000, 1000, 500]


def test_only_a_backend_that_wants_parts_gets_them(numbers: kvlayer.Table) -> None:
    pairs = [((number,), b"new") for number in range(PART_ROWS + 1)]
    numbers.put(*pairs[:PART_ROWS])
    assert list(numbers.get(*(key for key, _ in pairs[:PART_ROWS]))) == pairs[:PART_ROWS]
    numbers.put(*pairs[::-1])
    assert list(numbers.get(*(key for key, _ in pairs)))
    in_parts = [[PART_ROWS, 1]] if numbers._access._client._connected().takes_parts else [[PART_ROWS + 1]]
    assert calls == 2 * [[PART_ROWS]] + 2 * in_parts


def test_of_equal_keys_in_different_parts_the_last_one_wins(numbers: kvlayer.Table) -> None:
    numbers.put(*(((number,), b"new") for number in range(PART_ROWS)), ((0,), b"last"))
    assert list(numbers.get((0,), (1,))) == [((0,), b"last"), ((1,), b"new")]


@pytest.mark.parametrize("count", [PART_ROWS - 1, PART_ROWS, 999, 1000, 2499])
def test_all_keys_are_checked_when_get_is_called(numbers: kvlayer.Table, count: int) -> None:
    with pytest.raises(kvlayer.BadKey):
        numbers.get(*((number,) for number in range(count)), ("a",))


@pytest.mark.parametrize("place", [0, PART_ROWS - 1, PART_ROWS, 999, 1000, 1999])
def test_keys_come_back_plain_wherever_they_are(numbers: kvlayer.Table, place: int) -> None:
    keys = [(number,) for number in range(2000)]
    answers = list(numbers.get(*keys[:place], (Odd(place),), *keys[place + 1 :]))
    assert answers == [((number,), b"%d" % number) for number in range(2000)]
    assert {type(key[0]) for key, _ in answers} == {int}
