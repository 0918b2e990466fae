"""Tables go from store to store; what stopped half way says so, and goes on where it stopped."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer import catalog, tools
from kvlayer.backends.base import Row
from kvlayer.tools import copy_state, copying
from kvlayer.tools.raw import RawTable
from kvlayer.tools.splitting import split
from tools.contents import fill, many, rows_of, wait_until

Memory = Callable[[], kvlayer.Client]
Files = Callable[[str], kvlayer.Client]


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are enough for several ranges."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_A_RANGE", 10)


class Stopped(Exception):
    """What the tests stop a copy with."""


def stop_after(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Lets the writing of a later page fail."""
    put = RawTable.put
    lock = threading.Lock()
    left = pages

    def put_or_stop(self: RawTable, rows: list[Row]) -> None:
        nonlocal left
        with lock:
            if left == 0:
                raise Stopped
            left -= 1
        put(self, rows)

    monkeypatch.setattr(RawTable, "put", put_or_stop)


def count_written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each page that is written from now on."""
    put = RawTable.put
    written: list[int] = []

    def put_and_count(self: RawTable, rows: list[Row]) -> None:
        written.append(len(rows))
        put(self, rows)

    monkeypatch.setattr(RawTable, "put", put_and_count)
    return written


def test_errors_pickle() -> None:
    differing = tools.Differing("differs", tools.Comparison([], []))
    for error in (tools.TransferError("x"), tools.BrokenDump("broken", 17), differing):
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("jobs", [1, 4])
def test_everything_is_copied(memory: Memory, jobs: int) -> None:
    source, target = memory(), memory()
    fill(source)
    copied = tools.copy(source, target, jobs=jobs, verify=True)
    assert target.tables() == source.tables()
    assert rows_of(target) == rows_of(source)
    assert [(table.table, table.rows) for table in copied] == [
        (name, len(rows)) for name, rows in rows_of(source).items()
    ]
    assert not any(info.incomplete for info in target.tables())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kvlayer-")]


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


@pytest.mark.parametrize("pages", [0, 1, 3, 9])
@pytest.mark.parametrize("save_interval", [0.0, 1000.0])
def test_an_interrupted_copy_goes_on(memory: Memory, pages: int, save_interval: float) -> None:
    source, target = memory(), memory()
    many(source, 8000, "first")
    many(source, 4500, "second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy_state, "SAVE_INTERVAL", save_interval)
        stop_after(patch, pages)
        with pytest.raises(Stopped):
            tools.copy(source, target, jobs=3)
    reasons = {info.name: info.incomplete or "" for info in target.tables()}
    assert set(reasons) == {"first", "second"}
    assert all(
        reason.startswith("a copy of it from local (app name 'kvlayer'") for reason in reasons.values()
    )
    with pytest.raises(tools.TransferError, match="is incomplete"):
        tools.copy(source, target)
    with pytest.raises(tools.TransferError, match="is incomplete"):
        tools.copy(target, memory())

    with pytest.MonkeyPatch.context() as patch:
        written = count_written(patch)
        copied = tools.copy(source, target, resume=True, verify=True)
    before = 12500 - sum(written)
    assert before == pages * 1000 or pages > 3  # the last page of a range is smaller
    assert before >= pages * 300
    assert [(table.table, table.rows) for table in copied] == [("first", 8000), ("second", 4500)]
    assert not any(info.incomplete for info in target.tables())


def test_a_resumed_copy_starts_tables_that_are_new(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 2500, "b")
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    many(source, 10, "a")
    tools.copy(source, target, resume=True, verify=True)


def test_resuming_from_another_source(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 2500)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    other = memory()
    many(other, 2500)
    with pytest.raises(tools.TransferError, match="not by a copy from this table"):
        tools.copy(other, target, resume=True)
    source.delete_namespace()
    many(source, 100)
    with pytest.raises(tools.TransferError, match="not by a copy from this table"):
        tools.copy(source, target, resume=True)
    tools.copy(source, target, overwrite=True, verify=True)


def test_resuming_when_the_target_was_cleared(memory: Memory) -> None:
    """Rows that are no more there are copied again."""
    source, target = memory(), memory()
    many(source, 6000)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    target.clear_table("many")
    tools.copy(source, target, resume=True, verify=True)


def test_resuming_when_the_source_has_changed(memory: Memory) -> None:
    """What changed behind the copy's back is found by comparing."""
    source, target = memory(), memory()
    many(source, 6000)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Stopped):
            tools.copy(source, target, jobs=1)
    source.put("many", ((0,), b"changed"), ((-1,), b"new"), ((5999,), b"changed, still to come"))
    source.delete("many", (1,))
    with pytest.raises(tools.Differing, match="3 of 6001 keys differ") as caught:
        tools.copy(source, target, resume=True, verify=True)
    assert caught.value.comparison.differences == [
        tools.Difference("many", (-1,), "missing"),
        tools.Difference("many", (0,), "different"),
        tools.Difference("many", (1,), "unexpected"),
    ]
    assert not any(info.incomplete for info in target.tables())


def test_an_unreadable_note(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 2500)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    note = catalog.read_note(target._connected(), "many")
    assert note is not None
    catalog.replace_note(target._connected(), "many", {**note, "ranges": [["0", None]]})
    with pytest.raises(tools.TransferError, match="can't be read"):
        tools.copy(source, target, resume=True)
    target._connected().put(catalog.CATALOG, [(b"_kvlayer_note:many", b"\xff")])
    (info,) = target.tables()
    assert info.incomplete == "its note in the catalogue can't be read"
    tools.copy(source, target, overwrite=True, verify=True)


def test_a_table_that_others_use_meanwhile(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 2500)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    target.setup_namespace({"many": (int,)})
    assert 0 < len(list(target.scan("many"))) < 2500
    (info,) = target.tables()
    assert "a copy of it from local" in repr(info)
    assert info == target.table("many").info


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


_COPY = """
import os, signal, sys, time
import kvlayer
from kvlayer import catalog, tools
from kvlayer.tools import copy_state, copying
from kvlayer.tools.raw import RawTable

folder, kill_at = sys.argv[1], int(sys.argv[2])
copying._ROWS_WORTH_A_RANGE = 10
copy_state.SAVE_INTERVAL = 0
steps = 0

def dies(function):
    def step(*arguments, **options):
        global steps
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if kill_at < 0:
            time.sleep(0.1)  # leaves the test time to interrupt
        return function(*arguments, **options)
    return step

RawTable.put = dies(RawTable.put)
RawTable.clear = dies(RawTable.clear)
catalog.add_note = dies(catalog.add_note)
catalog.replace_note = dies(catalog.replace_note)
catalog.remove_notes = dies(catalog.remove_notes)
kvlayer.Client.setup_namespace = dies(kvlayer.Client.setup_namespace)

def client(name):
    config = {"storage_type": "sqlite", "filename": f"{folder}/{name}.db"}
    return kvlayer.client(config, app_name="tools", namespace="test")

with client("source") as source, client("target") as target:
    tools.copy(source, target, jobs=3, **{sys.argv[3]: True})
print(steps)
"""


def run_copy(folder: Path, kill_at: int, how: str = "resume") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _COPY, str(folder), str(kill_at), how],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 5, 6, 7, 8, 12, 16])
def test_killed_anywhere(sqlite_file: Files, tmp_path: Path, kill_at: int) -> None:
    source, target = sqlite_file("source"), sqlite_file("target")
    many(source, 5000, "first")
    many(source, 2000, "second")
    assert run_copy(tmp_path, kill_at).returncode == -signal.SIGKILL
    assert rows_of(target).keys() <= {info.name for info in target.tables() if info.incomplete}
    tools.copy(source, target, resume=True, verify=True)
    assert not any(info.incomplete for info in target.tables())


@pytest.mark.parametrize("kill_at", range(1, 13))
def test_killed_while_overwriting(sqlite_file: Files, tmp_path: Path, kill_at: int) -> None:
    """What was there before is still there and complete, or the table says that it isn't, and goes."""
    source, target = sqlite_file("source"), sqlite_file("target")
    for table in ("first", "second"):
        many(source, 1500, table)
        target.setup_namespace({table: (int,)})
        target.put(table, *(((-number,), b"old") for number in range(1, 100)))
    before = rows_of(target)
    assert run_copy(tmp_path, kill_at, "overwrite").returncode == -signal.SIGKILL
    now = rows_of(target)
    marked = [info.name for info in target.tables() if info.incomplete]
    assert all(now[table] == before[table] for table in now if table not in marked)
    if len(marked) < 2:
        assert now == before
        tools.copy(source, target, overwrite=True, verify=True)
    else:
        tools.copy(source, target, resume=True, verify=True)


def test_killed_again_and_again(sqlite_file: Files, tmp_path: Path) -> None:
    """At each run a few steps later, before and behind writing and recording; then to the end."""
    source, target = sqlite_file("source"), sqlite_file("target")
    many(source, 7000, "first")
    many(source, 3000, "second")
    complete = rows_of(source)
    for kill_at in range(1, 60):
        done = run_copy(tmp_path, kill_at)
        incomplete = {info.name for info in target.tables() if info.incomplete}
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        for name in rows_of(target):
            assert name in incomplete
    assert done.returncode == 0
    assert kill_at > 4
    assert rows_of(target) == complete
    assert incomplete == set()


def has_rows(client: kvlayer.Client) -> bool:
    try:
        return any(client.scan_keys("many", limit=1))
    except kvlayer.NoSuchTable:  # not yet
        return False


def test_ctrl_c(sqlite_file: Files, tmp_path: Path) -> None:
    source, target = sqlite_file("source"), sqlite_file("target")
    many(source, 50_000)
    with subprocess.Popen(
        [sys.executable, "-c", _COPY, str(tmp_path), "-1", "resume"], stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: has_rows(target))
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert "KeyboardInterrupt" in process.stderr.read()
        assert process.wait(20)
    (info,) = target.tables()
    assert info.incomplete
    note: Any = catalog.read_note(target._connected(), "many")
    recorded = sum(rows for *_, rows, _ in note["ranges"])
    assert recorded == tools.count(target, "many") > 0
    tools.copy(source, target, resume=True, verify=True)


@given(
    keys=st.sets(st.binary(max_size=12), max_size=60),
    pieces=st.integers(1, 12),
    reverse=st.booleans(),
)
def test_ranges_are_the_whole_table(keys: set[bytes], pieces: int, reverse: bool) -> None:
    with kvlayer.client("local://", namespace="splitting") as client:
        client.setup_namespace({"t": (bytes,)})
        client.put_many("t", (((key,), b"") for key in keys))
        with pytest.MonkeyPatch.context() as patch:
            if not reverse:
                withdraw_reverse(client, patch)
            ranges = split(RawTable(client, "t"), pieces)
        assert 1 <= len(ranges) <= pieces
        assert ranges[0][0] == b""
        assert ranges[-1][1] is None
        assert all(stop == start for (_, stop), (start, _) in pairwise(ranges))
        assert all(start < stop for start, stop in ranges if stop is not None)
        if len(ranges) > 1:
            table = RawTable(client, "t")
            assert all(table.first_key(start, stop) is not None for start, stop in ranges)
        client.delete_namespace()


@pytest.mark.parametrize("reverse", [True, False])
def test_ranges_hold_about_as_many_rows(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    client = memory()
    client.setup_namespace({"t": (str, int)})
    client.put_many("t", ((("the same long beginning", number), b"") for number in range(100_000, 116_000)))
    if not reverse:
        withdraw_reverse(client, monkeypatch)
    table = RawTable(client, "t")
    sizes = [sum(map(len, table.keys(start, stop))) for start, stop in split(table, 16)]
    assert len(sizes) == 16
    assert max(sizes) < 2500


def withdraw_reverse(client: kvlayer.Client, patch: pytest.MonkeyPatch) -> None:
    """Makes the store one that can't scan backwards."""
    backend = client._connected()
    present = backend.capabilities
    fields = {name: getattr(present, name) for name in type(present).__slots__}
    patch.setattr(backend, "capabilities", type(present)(**{**fields, "reverse": False}), raising=False)
    scan_keys = backend.scan_keys

    def forwards(*arguments: Any, reverse: bool, limit: int | None) -> Any:
        assert not reverse
        return scan_keys(*arguments, reverse=reverse, limit=limit)

    patch.setattr(backend, "scan_keys", forwards)


def test_without_compare_and_put(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = memory(), memory()
    many(source, 5000)
    backend = target._connected()
    present = backend.capabilities
    fields = {name: getattr(present, name) for name in type(present).__slots__}
    weaker = type(present)(**{**fields, "compare_and_put": False})
    monkeypatch.setattr(backend, "capabilities", weaker, raising=False)
    monkeypatch.setattr(backend, "compare_and_put", None)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Stopped):
            tools.copy(source, target)
    with pytest.raises(tools.TransferError, match="is incomplete"):
        tools.copy(source, target)
    tools.copy(source, target, resume=True, verify=True)
