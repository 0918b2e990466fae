"""Tables go into a file and come back; what is not whole is refused."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer import tools
from kvlayer.tools.blocks import pack_rows, unpack_rows
from tools.contents import fill, many, rows_of, wait_until

Memory = Callable[[], kvlayer.Client]


class Pipe(io.RawIOBase):
    """A stream that can be read once, and gives a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), 700)
        part, self._rest = self._rest[:size], self._rest[size:]
        buffer[: len(part)] = part
        return len(part)


class Trickle(io.RawIOBase):
    """A stream that takes a few bytes of each write."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += bytes(data[:1000])
        return min(len(data), 1000)


def dumped(client: kvlayer.Client, *tables: str) -> bytes:
    file = io.BytesIO()
    tools.dump(client, file, tables or None)
    return file.getvalue()


@pytest.fixture
def small(memory: Memory) -> bytes:
    """A dump of two small tables."""
    client = memory()
    client.setup_namespace({"a": (str,), "b": (int,)}, {"b": kvlayer.COUNTER})
    client.put("a", (("x",), b"one"), (("y",), b"two"))
    client.put("b", ((1,), 10))
    return dumped(client)


def test_everything_comes_back(memory: Memory) -> None:
    source, target = memory(), memory()
    fill(source)
    loaded = tools.load(target, io.BytesIO(dumped(source)))
    assert target.tables() == source.tables()
    assert rows_of(target) == rows_of(source)
    assert [(table.table, table.rows) for table in loaded] == [
        (name, len(rows)) for name, rows in rows_of(source).items()
    ]
    assert not any(info.incomplete for info in target.tables())


def test_through_pipes(memory: Memory) -> None:
    source, target = memory(), memory()
    fill(source)
    trickle = Trickle()
    tools.dump(source, cast(BinaryIO, trickle))
    assert trickle.content == dumped(source)
    tools.load(target, cast(BinaryIO, Pipe(trickle.content)))
    assert rows_of(target) == rows_of(source)


def test_tables_are_chosen(memory: Memory) -> None:
    source, target = memory(), memory()
    fill(source)
    file = dumped(source, "ids", "sums", "texts", "ids")
    assert [table.table for table in tools.inspect_dump(io.BytesIO(file))] == ["ids", "sums", "texts"]
    for form in (io.BytesIO(file), cast(BinaryIO, Pipe(file))):
        tools.load(target, form, ["sums"], overwrite=True)
        assert rows_of(target) == {"sums": rows_of(source)["sums"]}
    with pytest.raises(kvlayer.NoSuchTable, match="'nowhere'"):
        dumped(source, "nowhere")
    with pytest.raises(tools.TransferError, match="'counts'"):
        tools.load(memory(), io.BytesIO(file), ["ids", "counts"])
    with pytest.raises(tools.TransferError, match="'counts'"):
        tools.load(memory(), cast(BinaryIO, Pipe(file)), ["ids", "counts"])


def test_a_namespace_without_tables(memory: Memory) -> None:
    assert tools.inspect_dump(io.BytesIO(dumped(memory()))) == []
    assert tools.load(memory(), io.BytesIO(dumped(memory()))) == []


def test_inspect_tells_types_and_totals(small: bytes) -> None:
    assert tools.inspect_dump(io.BytesIO(small)) == [
        tools.DumpedTable("a", (str,), bytes, 2, 8),
        tools.DumpedTable("b", (int,), kvlayer.COUNTER, 1, 10),
    ]


def test_a_dump_in_the_middle_of_a_file(small: bytes, memory: Memory) -> None:
    file = io.BytesIO(b"before" + small)
    file.seek(6)
    target = memory()
    tools.load(target, file)
    assert list(target.scan("a")) == [(("x",), b"one"), (("y",), b"two")]


@pytest.mark.parametrize("whole", [True, False], ids=["file", "pipe"])
def test_cut_at_every_byte(small: bytes, memory: Memory, whole: bool) -> None:
    """From a file nothing is written; from a pipe no table looks complete that isn't."""
    source = memory()
    tools.load(source, io.BytesIO(small))
    for length in range(len(small)):
        target = memory()
        file: Any = io.BytesIO(small[:length]) if whole else Pipe(small[:length])
        with pytest.raises(tools.BrokenDump) as caught:
            tools.load(target, file)
        assert caught.value.offset <= length
        assert_nothing_looks_complete(target, source, whole)


@pytest.mark.parametrize("whole", [True, False], ids=["file", "pipe"])
def test_changed_at_every_byte(small: bytes, memory: Memory, whole: bool) -> None:
    source = memory()
    tools.load(source, io.BytesIO(small))
    for place in range(len(small)):
        changed = bytearray(small)
        changed[place] ^= 1 << place % 8
        target = memory()
        file: Any = io.BytesIO(changed) if whole else Pipe(bytes(changed))
        with pytest.raises(tools.BrokenDump) as caught:
            tools.load(target, file)
        assert caught.value.offset <= place
        assert_nothing_looks_complete(target, source, whole)


def assert_nothing_looks_complete(target: kvlayer.Client, source: kvlayer.Client, nothing: bool) -> None:
    if nothing:
        assert target.tables() == []
    for info in target.tables():
        assert info.incomplete or list(target.scan(info.name)) == list(source.scan(info.name))


def test_blocks_that_are_missing_doubled_or_swapped(memory: Memory) -> None:
    client = memory()
    many(client, 4000)
    whole = dumped(client)
    starts = block_starts(whole)
    head, *blocks = [whole[a:b] for a, b in zip([0, *starts], [*starts, len(whole)], strict=True)]
    for number in range(len(blocks)):
        for changed in (
            blocks[:number] + blocks[number + 1 :],
            blocks[: number + 1] + blocks[number:],
            blocks[:number] + blocks[number : number + 2][::-1] + blocks[number + 2 :],
        ):
            if changed != blocks:
                with pytest.raises(tools.BrokenDump):
                    tools.inspect_dump(io.BytesIO(head + b"".join(changed)))


def block_starts(dump: bytes) -> list[int]:
    starts, place = [], 8
    while place < len(dump):
        starts.append(place)
        place += 13 + int.from_bytes(dump[place + 1 : place + 5], "big")
    assert place == len(dump)
    return starts


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"SQLite format 3\0" * 10,
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b'{"key": ["a"], "value": "b"}\n',
    ],
)
def test_foreign_files(memory: Memory, content: bytes) -> None:
    target = memory()
    with pytest.raises(tools.BrokenDump, match="no dump"):
        tools.load(target, io.BytesIO(content))
    assert target.tables() == []


def test_bytes_behind_the_end(small: bytes, memory: Memory) -> None:
    with pytest.raises(tools.BrokenDump, match=f"byte {len(small)}: the file goes on"):
        tools.load(memory(), io.BytesIO(small + b"\0"))


def test_a_full_table_is_refused(small: bytes, memory: Memory) -> None:
    target = memory()
    target.setup_namespace({"b": (int,)}, {"b": kvlayer.COUNTER})
    target.put("b", ((7,), 7))
    for form in (io.BytesIO(small), cast(BinaryIO, Pipe(small))):
        with pytest.raises(tools.TransferError, match="table 'b' .* holds rows"):
            tools.load(target, form, ["b"])
    assert list(target.scan("b")) == [((7,), 7)]
    tools.load(target, io.BytesIO(small), overwrite=True)
    assert list(target.scan("b")) == [((1,), 10)]


def test_another_schema_is_refused_before_anything_is_written(small: bytes, memory: Memory) -> None:
    for key_types, value_type in (((int, int), kvlayer.COUNTER), ((int,), int)):
        target = memory()
        target.setup_namespace({"b": key_types}, {"b": value_type})
        with pytest.raises(kvlayer.SchemaMismatch, match=r"table 'b' has keys of .*, not keys of \(int\)"):
            tools.load(target, io.BytesIO(small), overwrite=True)
        assert [info.name for info in target.tables()] == ["b"]


def test_a_broken_file_overwrites_nothing(small: bytes, memory: Memory) -> None:
    target = memory()
    tools.load(target, io.BytesIO(small))
    before = rows_of(target)
    with pytest.raises(tools.BrokenDump):
        tools.load(target, io.BytesIO(small[:-1]), overwrite=True)
    assert rows_of(target) == before


def test_an_incomplete_table_is_not_dumped(small: bytes, memory: Memory) -> None:
    client = memory()
    with pytest.raises(tools.BrokenDump):
        tools.load(client, cast(BinaryIO, Pipe(small[:-40])))
    incomplete = [info.name for info in client.tables() if info.incomplete]
    assert incomplete == ["b"]
    with pytest.raises(tools.TransferError, match="'b' .* is incomplete: a load of it has not ended"):
        dumped(client)
    with pytest.raises(tools.TransferError, match="overwrite it to begin anew"):
        tools.load(client, io.BytesIO(small), ["b"])
    assert dumped(client, "a")
    tools.accept_incomplete(client, "b")
    assert dumped(client, "a", "b")


def test_a_failing_file_ends_the_dump(memory: Memory) -> None:
    class Full(io.RawIOBase):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    client = memory()
    many(client, 5000)
    before = threading.enumerate()
    with pytest.raises(OSError, match="No space left"):
        tools.dump(client, cast(BinaryIO, Full()))
    assert set(threading.enumerate()) <= set(before)


def test_a_row_that_does_not_fit(small: bytes, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    target = memory()
    limits = target.capabilities.__class__
    backend = target._connected()
    fields = {name: getattr(backend.capabilities, name) for name in limits.__slots__}
    monkeypatch.setattr(backend, "capabilities", limits(**{**fields, "max_value_bytes": 2}), raising=False)
    with pytest.raises(kvlayer.BadKey, match=r"table 'a': the value of row \('x',\) has 3 bytes; .* up to 2"):
        tools.load(target, io.BytesIO(small))
    narrow = limits(**{**fields, "counter_range": (-5, 5)})
    monkeypatch.setattr(backend, "capabilities", narrow, raising=False)
    with pytest.raises(kvlayer.BadKey, match=r"a counter holds -5 to 5.*\(row \(1,\)\)"):
        tools.load(target, io.BytesIO(small), ["b"])
    assert [info.name for info in target.tables() if info.incomplete] == ["a", "b"]


def test_progress(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvlayer.tools.reporting.INTERVAL", 0)
    client = memory()
    many(client, 3500)
    seen: list[tools.Progress] = []
    (done,) = tools.dump(client, io.BytesIO(), progress=seen.append)
    assert [report.rows for report in seen] == [1000, 2000, 3000, 3500, 3500]
    assert seen[-1] == tools.Progress("many", done.rows, done.bytes, 3500)


_KILLED = textwrap.dedent(
    """
    import os, signal, sys
    import kvlayer
    from kvlayer import tools
    from kvlayer.tools.raw import RawTable

    filename, dump, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
    put, calls = RawTable.put, 0

    def put_or_die(self, rows):
        global calls
        calls += 1
        if calls * 2 == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, rows)
        if calls * 2 + 1 == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    RawTable.put = put_or_die
    config = {"storage_type": "sqlite", "filename": filename}
    with kvlayer.client(config, app_name="tools", namespace="test") as client, open(dump, "rb") as file:
        tools.load(client, file)
    """
)


@pytest.mark.parametrize("kill_at", [2, 3, 5, 8])
def test_a_killed_load_is_incomplete(
    memory: Memory, sqlite_file: Callable[[str], kvlayer.Client], tmp_path: Path, kill_at: int
) -> None:
    source = memory()
    many(source, 4000, "first")
    many(source, 1500, "second")
    dump = tmp_path / "dump"
    dump.write_bytes(dumped(source))
    arguments = [str(tmp_path / "target.db"), str(dump), str(kill_at)]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    target = sqlite_file("target")
    (info,) = target.tables()
    assert info.name == "first"
    assert info.incomplete == "a load of it has not ended"
    assert len(list(target.scan("first"))) == (kill_at // 2 - 1 + kill_at % 2) * 1000
    with open(dump, "rb") as file:
        tools.load(target, file, overwrite=True)
    assert rows_of(target) == rows_of(source)
    assert not any(info.incomplete for info in target.tables())


def test_ctrl_c_while_the_pipe_is_silent(
    memory: Memory, sqlite_file: Callable[[str], kvlayer.Client], tmp_path: Path
) -> None:
    source = memory()
    many(source, 4000)
    script = _KILLED.replace('open(dump, "rb")', "sys.stdin.buffer").replace(
        "as file:", "as file:\n    print(1, flush=True)"
    )
    arguments = [str(tmp_path / "target.db"), "-", "0"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline()
        process.stdin.write(dumped(source)[:-100])
        process.stdin.flush()
        target = sqlite_file("target")
        wait_until(lambda: bool(target.tables()))
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr
        assert b"KeyboardInterrupt" in process.stderr.read()
        assert process.wait(20)
    assert [info.incomplete for info in target.tables()] == ["a load of it has not ended"]


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=40), min_size=1, max_size=40))
def test_blocks_of_rows_round_trip(rows: dict[bytes, bytes]) -> None:
    in_order = sorted(rows.items())
    assert unpack_rows(pack_rows(in_order)) == in_order


@given(st.binary(max_size=200))
def test_foreign_rows_are_refused_or_read(packed: bytes) -> None:
    try:
        rows = unpack_rows(packed)
    except ValueError:
        return
    assert pack_rows(rows) == packed
