"""A copy that stopped half way says so in the table, and goes on where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kvlayer
from kvlayer import catalog, tools
from kvlayer.backends.base import Row
from kvlayer.tools import copy_state
from kvlayer.tools.raw import RawTable
from tools.contents import many, rows_of, wait_until

Memory = Callable[[], kvlayer.Client]
Files = Callable[[str], kvlayer.Client]

pytestmark = pytest.mark.usefixtures("small_ranges")


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


def stop_copy(source: kvlayer.Client, target: kvlayer.Client, pages: int, **options: Any) -> None:
    """A copy that fails when it has written so many pages."""
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, pages)
        with pytest.raises(Stopped):
            tools.copy(source, target, **options)


def count_written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each page that is written from now on."""
    put = RawTable.put
    written: list[int] = []

    def put_and_count(self: RawTable, rows: list[Row]) -> None:
        written.append(len(rows))
        put(self, rows)

    monkeypatch.setattr(RawTable, "put", put_and_count)
    return written


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
    stop_copy(source, target, 1)
    many(source, 10, "a")
    tools.copy(source, target, resume=True, verify=True)


def test_resuming_from_another_source(memory: Memory) -> None:
    source, target = memory(), memory()
    many(source, 2500)
    stop_copy(source, target, 1)
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
    stop_copy(source, target, 4)
    target.clear_table("many")
    tools.copy(source, target, resume=True, verify=True)


def test_resuming_when_the_source_has_changed(memory: Memory) -> None:
    """What changed behind the copy's back is found by comparing."""
    source, target = memory(), memory()
    many(source, 6000)
    stop_copy(source, target, 3, jobs=1)
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
    stop_copy(source, target, 1)
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
    stop_copy(source, target, 1)
    target.setup_namespace({"many": (int,)})
    assert 0 < len(list(target.scan("many"))) < 2500
    (info,) = target.tables()
    assert "a copy of it from local" in repr(info)
    assert info == target.table("many").info


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


def test_without_compare_and_put(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = memory(), memory()
    many(source, 5000)
    backend = target._connected()
    present = backend.capabilities
    fields = {name: getattr(present, name) for name in type(present).__slots__}
    weaker = type(present)(**{**fields, "compare_and_put": False})
    monkeypatch.setattr(backend, "capabilities", weaker, raising=False)
    monkeypatch.setattr(backend, "compare_and_put", None)
    stop_copy(source, target, 2)
    with pytest.raises(tools.TransferError, match="is incomplete"):
        tools.copy(source, target)
    tools.copy(source, target, resume=True, verify=True)
