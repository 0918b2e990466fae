"""Tables go from store to store."""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import kvlayer
from kvlayer import catalog, tools
from kvlayer.tools import copying
from tools.contents import fill, many, rows_of

Memory = Callable[[], kvlayer.Client]
Files = Callable[[str], kvlayer.Client]

pytestmark = pytest.mark.usefixtures("small_ranges")


def test_errors_pickle() -> None:
    differing = tools.Differing("differs", tools.Comparison([], []))
    for error in (tools.TransferError("x"), tools.BrokenDump("broken", 17), differing):
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("jobs", [1, 4])
def test_everything_is_copied(memory: Memory, jobs: int) -> None:
    source, target = memory(), memory()
    fill(source)
    before = threading.enumerate()
    copied = tools.copy(source, target, jobs=jobs, verify=True)
    assert target.tables() == source.tables()
    assert rows_of(target) == rows_of(source)
    assert [(table.table, table.rows) for table in copied] == [
        (name, len(rows)) for name, rows in rows_of(source).items()
    ]
    assert not any(info.incomplete for info in target.tables())
    assert set(threading.enumerate()) <= set(before)


def test_from_store_to_store(memory: Memory, sqlite_file: Files, servers: dict[str, kvlayer.Client]) -> None:
    """Once around: memory, file, Redis, PostgreSQL, memory."""
    first, last = memory(), memory()
    fill(first)
    many(first, 5000)
    stores = [first, sqlite_file("around"), servers["redis"], servers["postgres"], last]
    for source, target in pairwise(stores):
        tools.copy(source, target, verify=True)
    assert rows_of(last) == rows_of(first)
    assert last.tables() == first.tables()


def test_from_one_namespace_to_another_of_one_file(tmp_path: Path) -> None:
    config = {"storage_type": "sqlite", "filename": str(tmp_path / "one.db")}
    with (
        kvlayer.client(config, app_name="a", namespace="b") as source,
        kvlayer.client(config, app_name="a", namespace="c") as target,
    ):
        many(source, 3000)
        tools.copy(source, target, verify=True)


def test_both_the_same_store(memory: Memory, sqlite_file: Files, tmp_path: Path) -> None:
    source = sqlite_file("one")
    many(source, 10)
    (tmp_path / "link.db").symlink_to(tmp_path / "one.db")
    with pytest.raises(tools.TransferError, match="the same"):
        tools.copy(source, sqlite_file("link"), overwrite=True)
    with pytest.raises(tools.TransferError, match="the same"):
        tools.verify(source, sqlite_file("one"))
    assert len(list(source.scan("many"))) == 10
    assert [info.incomplete for info in source.tables()] == [None]
    rows = [
        key
        for page in source._connected().scan_keys(catalog.CATALOG, b"", None, reverse=False, limit=None)
        for key in page
    ]
    assert rows == [b"many"]


def test_a_full_table_is_refused(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 10)
    source.setup_namespace({"other": (str,)})
    many(target, 3)
    for resume in (False, True):
        with pytest.raises(tools.TransferError, match="'many' .* holds rows"):
            tools.copy(source, target, resume=resume)
    assert [info.name for info in target.tables()] == ["many"]
    tools.copy(source, target, overwrite=True, verify=True)


def test_another_schema_is_refused_before_anything_is_written(memory: Memory) -> None:
    source, target = memory(), memory()
    fill(source)
    target.setup_namespace({"texts": (str, str)})
    for overwrite in (False, True):
        with pytest.raises(
            kvlayer.SchemaMismatch, match=r"keys of \(str, str\) .* not keys of \(str, bytes\)"
        ):
            tools.copy(source, target, overwrite=overwrite)
    assert [info.name for info in target.tables()] == ["texts"]


def test_misuse(memory: Memory) -> None:
    source, target = memory(), memory()
    with pytest.raises(kvlayer.ProgrammerError):
        tools.copy(source, target, jobs=0)
    with pytest.raises(kvlayer.ProgrammerError):
        tools.copy(source, target, resume=True, overwrite=True)
    with pytest.raises(kvlayer.NoSuchTable, match="'nowhere'"):
        tools.copy(source, target, ["nowhere"])
    assert tools.copy(source, target) == []


def test_a_row_that_does_not_fit(sqlite_file: Files, servers: dict[str, kvlayer.Client]) -> None:
    source, target = sqlite_file("long"), servers["redis"]
    source.setup_namespace({"long": (str,)})
    source.put("long", (("k" * 20_000,), b""), (("a",), b""))
    with pytest.raises(kvlayer.BadKey, match="table 'long': the key of row .* has 20000 bytes"):
        tools.copy(source, target, ["long"])
    assert [info.name for info in target.tables() if info.incomplete] == ["long"]


def test_large_values(sqlite_file: Files, memory: Memory) -> None:
    """A value larger than a page goes by itself."""
    source, target = memory(), sqlite_file("large")
    source.setup_namespace({"large": (int,)})
    for number in range(3):
        source.put("large", ((number,), random.randbytes(2**10) * 2**14 + b"%d" % number))
    tools.copy(source, target, verify=True)


def test_progress(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "INTERVAL", 0)
    source, target = memory(), memory()
    many(source, 5000)
    seen: list[tools.Progress] = []
    threads = set()

    def see(report: tools.Progress) -> None:
        seen.append(report)
        threads.add(threading.get_ident())

    (done,) = tools.copy(source, target, progress=see)
    assert [report.rows for report in seen] == sorted(report.rows for report in seen)
    assert seen[-1] == tools.Progress("many", 5000, done.bytes, 5000)
    assert threads == {threading.get_ident()}
