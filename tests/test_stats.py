"""Statistics: how operations add up, and what the log file says of them, whatever the process does."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kvlayer.errors import ConfigurationError
from kvlayer.stats import Operation, Recorder, Statistics, StatsLog, Totals


def written(name: str, table: str = "cities") -> Operation:
    return Operation(name, table, keys=1, values=1, bytes=10, seconds=0.5)


def test_statistics_add_up_by_table_and_operation() -> None:
    statistics = Statistics()
    assert statistics.snapshot() == []
    statistics(written("put"))
    statistics(written("get"))
    statistics(written("put"))
    statistics(Operation("put", "cities", error="StorageError"))
    statistics(written("put", "a"))
    assert statistics.snapshot() == [
        Totals("a", "put", 1, 1, 1, 10, 0.5, 0),
        Totals("cities", "get", 1, 1, 1, 10, 0.5, 0),
        Totals("cities", "put", 3, 2, 2, 20, 1.0, 1),
    ]
    assert statistics.operations == 5


def test_statistics_lose_nothing_under_threads() -> None:
    statistics = Statistics()
    start = threading.Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(2000):
            statistics(written("put"))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot() == [Totals("cities", "put", 16000, 16000, 16000, 160000, 8000.0, 0)]


def test_an_operation_that_ends_while_its_own_thread_counts_is_counted_too() -> None:
    """As when the garbage collector ends a scan in the middle of counting."""

    class Collected(int):
        def __radd__(self, other: int) -> int:
            if not self.done:
                self.done = True
                statistics(written("scan"))
                log(written("scan"))
            return int(self) + other

        done = False

    statistics = Statistics()
    log = StatsLog(os.devnull, statistics, interval_seconds=0)
    statistics(Operation("put", "cities", keys=Collected(1)))
    assert [(one.operation, one.operations) for one in statistics.snapshot()] == [("put", 1), ("scan", 1)]


def log_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def feed(recorder: Recorder, number: int) -> None:
    for _ in range(number):
        recorder(written("put"))


def test_a_json_log_has_a_line_for_each_table_and_operation(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    recorder = Recorder()
    recorder.log(path)
    feed(recorder, 3)
    recorder(written("get", "a\n"))
    assert path.read_bytes() == b""
    recorder.close()
    first, second = log_lines(path)
    assert first.pop("process") == os.getpid()
    assert first.pop("since") <= first.pop("time")
    assert first == {
        "table": "a\n",
        "operation": "get",
        "operations": 1,
        "keys": 1,
        "values": 1,
        "bytes": 10,
        "seconds": 0.5,
        "errors": 0,
    }
    assert (second["table"], second["operation"], second["operations"]) == ("cities", "put", 3)


def test_a_text_log_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "stats.log"
    recorder = Recorder()
    recorder.log(path)
    feed(recorder, 3)
    recorder(written("get", "bad\nname"))
    recorder(Operation("create_tables", "", seconds=0.25, error="StorageError"))
    recorder.close()
    head, *table, last = path.read_text().split("\n")[:-1]
    assert f"process {os.getpid()}, totals since 20" in head
    assert [line.split() for line in table] == [
        ["operation", "operations", "keys", "values", "bytes", "seconds", "errors", "table"],
        ["create_tables", "1", "0", "0", "0", "0.2500", "1"],
        ["get", "1", "1", "1", "10", "0.5000", "0", "'bad\\nname'"],
        ["put", "3", "3", "3", "30", "1.5000", "0", "cities"],
    ]
    end = table[0].index("errors") + len("errors")
    assert [line[:end].split()[-1] for line in table] == ["errors", "1", "0", "0"]
    assert last == ""


def test_an_entry_is_written_every_so_many_operations_and_once_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    recorder = Recorder()
    recorder.log(path, interval_ops=10)
    feed(recorder, 9)
    assert log_lines(path) == []
    feed(recorder, 26)
    assert [line["operations"] for line in log_lines(path)] == [10, 20, 30]
    recorder.close()
    recorder.close()
    feed(recorder, 50)
    assert [line["operations"] for line in log_lines(path)] == [10, 20, 30, 35]


def test_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    recorder = Recorder()
    recorder.log(path, interval_ops=10)
    feed(recorder, 10)
    recorder.close()
    assert [line["operations"] for line in log_lines(path)] == [10]


def test_an_entry_is_written_every_so_many_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    path = tmp_path / "stats.json"
    recorder = Recorder()
    recorder.log(path, interval_seconds=60)
    for now in (1030.0, 1059.0, 1060.0, 1061.0, 1119.0, 1500.0):  # noqa: B007 - the clock reads it
        feed(recorder, 1)
    assert [line["operations"] for line in log_lines(path)] == [3, 6]
    recorder.close()


def test_a_log_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    for _ in range(2):
        recorder = Recorder()
        recorder.log(path)
        feed(recorder, 1)
        recorder.close()
    assert [line["operations"] for line in log_lines(path)] == [1, 1]


def test_a_relative_name_means_the_directory_of_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = Recorder()
    recorder.log("stats.json")
    feed(recorder, 1)
    monkeypatch.chdir("/")
    recorder.close()
    assert len(log_lines(tmp_path / "stats.json")) == 1


def test_a_log_that_is_dropped_without_closing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    recorder = Recorder()
    recorder.log(path)
    feed(recorder, 4)
    del recorder
    gc.collect()
    assert [line["operations"] for line in log_lines(path)] == [4]


@pytest.mark.parametrize("name", ["", ".", "missing/stats.log", "nul\0.log", "lone\ud800.log"])
def test_a_file_that_cannot_be_written_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"log_stats: can't write '/.+': .+"):
        Recorder().log(name)


def test_a_full_disk_is_logged_once_and_harms_no_operation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "stats.log"
    recorder = Recorder()
    recorder.log(path, interval_ops=1)
    path.unlink()
    path.symlink_to("/dev/full")
    feed(recorder, 3)
    recorder.close()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"log_stats: can't write {str(path)!r}: No space left on device")
    ]
    assert recorder.snapshot()[0].operations == 3


def test_what_could_not_be_written_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "stats.json"
    path.parent.mkdir()
    recorder = Recorder()
    recorder.log(path, interval_ops=5)
    path.unlink()
    path.parent.rmdir()
    feed(recorder, 5)
    path.parent.mkdir()
    recorder.close()
    assert [line["operations"] for line in log_lines(path)] == [5]


PROGRAM = """
    import os, sys
    from kvlayer.stats import Operation, Recorder

    def feed(number):
        for _ in range(number):
            recorder(Operation("put", "t"))

    recorder = Recorder()
    recorder.log(sys.argv[1])
    feed(7)
"""


def run_program(path: Path, rest: str, code: int = 0) -> None:
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(rest)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)], timeout=60, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise ValueError", 1)])
def test_a_process_that_ends_without_closing_writes_its_totals(tmp_path: Path, end: str, code: int) -> None:
    path = tmp_path / "stats.json"
    run_program(path, end, code)
    assert [line["operations"] for line in log_lines(path)] == [7]


def test_a_forked_child_logs_only_what_it_did_itself(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    run_program(
        path,
        """
        for number in (0, 2):
            child = os.fork()
            if child == 0:
                feed(number)
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
        print(recorder.snapshot())
        """,
    )
    lines = log_lines(path)
    assert [line["operations"] for line in lines] == [2, 7]
    assert lines[0]["process"] != lines[1]["process"]


def test_a_fork_while_another_thread_counts_does_not_hang_the_child(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    run_program(
        path,
        """
        import signal, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on fork with threads
        stop = threading.Event()

        def count():
            while not stop.is_set():
                feed(1)

        thread = threading.Thread(target=count)
        thread.start()
        for _ in range(30):
            child = os.fork()
            if child == 0:
                signal.alarm(30)  # a child that hangs must not outlive its test
                feed(5)
                recorder.close()
                os._exit(len(recorder.snapshot()))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        stop.set()
        thread.join()
        """,
    )
    *children, parent = [line["operations"] for line in log_lines(path)]
    assert children == [5] * 30
    assert parent > 7


def test_several_processes_share_a_file_without_torn_lines(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    program = """
        import sys
        from kvlayer.stats import Operation, Recorder
        recorder = Recorder()
        recorder.log(sys.argv[1], interval_ops=1)
        for number in range(40):
            recorder(Operation("put", "t" * 1000 + str(number)))
    """
    processes = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(path)]) for _ in range(3)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    lines = log_lines(path)
    assert len(lines) == 3 * sum(range(1, 41))
    assert {line["process"] for line in lines} == {process.pid for process in processes}
