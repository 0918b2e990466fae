"""Worker processes: they begin together, fail loudly, and none is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import worker_tasks
from kvlayer.bench.errors import BenchError, WorkerFailed
from kvlayer.bench.lanes import Tables
from kvlayer.bench.workers import Progress, run_workers
from servers.process import free_port
from servers.redis import RedisServer

LOCAL = {"storage_type": "local"}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def pids_in(folder: Path) -> list[int]:
    return [int(file.name) for file in folder.iterdir()]


class TestLanes:
    def test_begin_together(self) -> None:
        found = run_workers(worker_tasks.meet, ["one", "two"], LOCAL, workers=3, threads=2)
        assert [lane["number"] for lane in found] == list(range(6))
        assert {lane["count"] for lane in found} == {6}
        assert len({tuple(lane["begins"]) for lane in found}) == 1
        first, second = found[0]["begins"]
        assert first < second
        assert min(lane["late"][0] for lane in found) >= 0

    def test_processes_and_their_threads(self) -> None:
        found = run_workers(worker_tasks.meet, [], LOCAL, workers=2, threads=2)
        a, b, c, d = ((lane["pid"], lane["client"]) for lane in found)
        assert a == b
        assert c == d
        assert a[0] != c[0]
        assert os.getpid() not in (a[0], c[0])

    def test_share_the_tables_that_were_asked_for(self, tmp_path: Path) -> None:
        config = {
            "storage_type": "sqlite",
            "filename": str(tmp_path / "a.db"),
            "app_name": "a",
            "namespace": "b",
        }
        tables = Tables(key_types={"numbers": (int,)})
        found = run_workers(
            worker_tasks.put_own_number, "numbers", config, workers=2, threads=2, tables=tables
        )
        assert found == [[0, 1, 2, 3]] * 4

    @pytest.mark.parametrize(("workers", "threads"), [(0, 1), (1, 0)])
    def test_there_is_at_least_one(self, workers: int, threads: int) -> None:
        with pytest.raises(BenchError, match="at least 1"):
            run_workers(worker_tasks.meet, [], LOCAL, workers=workers, threads=threads)


class TestProgress:
    def test_is_told(self, tmp_path: Path) -> None:
        told: list[Progress] = []

        def progress(done: Progress) -> None:
            told.append(done)
            if done.operations > 10:
                (tmp_path / "seen").touch()

        run_workers(worker_tasks.report_until, tmp_path / "seen", LOCAL, workers=2, progress=progress)
        assert {done.lanes for done in told} == {2}
        assert all(done.size == 10 * done.operations for done in told)
        at_work = [done for done in told if done.phase == "work"]
        assert {done.connected for done in at_work} == {2}
        assert at_work == sorted(at_work, key=lambda done: (done.seconds, done.operations))
        assert {done.phase for done in told} <= {"", "work"}


class TestFailures:
    @pytest.mark.parametrize(
        ("way", "complaint", "note"),
        [
            ("killed", "it was killed by SIGKILL", "last words"),
            ("ended", "it ended with exit code 7", "last words"),
            ("raised", "ValueError: one line and another", "in let_one_fail"),
        ],
    )
    def test_of_one_ends_all(self, tmp_path: Path, way: str, complaint: str, note: str) -> None:
        with pytest.raises(WorkerFailed) as failed:
            run_workers(worker_tasks.let_one_fail, (way, tmp_path), LOCAL, workers=3)
        assert str(failed.value).startswith("worker 3 of 3 (process ")
        assert complaint in str(failed.value)
        assert note in failed.value.__notes__[0]
        assert len(pids_in(tmp_path)) == 2
        assert not any(map(is_alive, pids_in(tmp_path)))

    def test_of_a_thread_ends_its_process_too(self, tmp_path: Path) -> None:
        with pytest.raises(WorkerFailed, match="worker 1 of 1 .* ValueError"):
            run_workers(worker_tasks.let_one_fail, ("raised", tmp_path), LOCAL, workers=1, threads=2)

    def test_a_result_that_cannot_be_sent(self) -> None:
        with pytest.raises(WorkerFailed, match="lambda"):
            run_workers(worker_tasks.not_picklable, None, LOCAL, workers=1)

    def test_a_store_that_is_not_there(self) -> None:
        address = f"127.0.0.1:{free_port()}"
        config = {"storage_type": "redis", "storage_addresses": address, "app_name": "a", "namespace": "b"}
        with pytest.raises(WorkerFailed, match=f"StorageError: .*{address}"):
            run_workers(worker_tasks.meet, [], {**config, "retry_seconds": 0}, workers=2)

    def test_a_store_that_does_not_answer(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            config = {
                "storage_type": "redis",
                "storage_addresses": address,
                "app_name": "a",
                "namespace": "b",
            }
            with pytest.raises(WorkerFailed, match=r"did not reach the store within 1\.5 seconds"):
                run_workers(worker_tasks.meet, [], config, workers=1, start_seconds=1.5)


class TestWhoeverStartedThem:
    """A program that runs workers, and is ended in one way or the other."""

    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_takes_them_along(self, tmp_path: Path, sign: signal.Signals) -> None:
        program = (
            "from pathlib import Path; from bench import worker_tasks\n"
            "from kvlayer.bench.workers import run_workers\n"
            f"run_workers(worker_tasks.wait_for_ever, Path({str(tmp_path)!r}), {LOCAL}, workers=3)"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as starter:
            try:
                wait_until(lambda: len(pids_in(tmp_path)) == 3)
                os.killpg(starter.pid, sign)
                starter.wait(60)
                wait_until(lambda: not any(map(is_alive, pids_in(tmp_path))))
            finally:
                starter.kill()


class TestSecrets:
    def test_are_seen_by_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KVLAYER_PASSWORD", raising=False)
        with RedisServer(password="hunter2") as server:
            config: dict[str, Any] = {**server.config, "app_name": "a", "namespace": "b"}
            (seen,) = run_workers(worker_tasks.what_others_see, None, config, workers=1)
        assert "kvlayer.bench.worker" in seen
        assert "hunter2" not in seen
