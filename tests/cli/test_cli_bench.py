"""`bench`: what it measures, shows and keeps, and what it leaves behind: nothing."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

import kvlayer
from bench.made_runs import made_run, rows_point, throughput_point
from cli.running import COMMAND, Kvlayer
from cli.test_cli_help import check_examples, check_help, commands
from kvlayer.bench.results import Run, read_run
from kvlayer.cli.bench_tables import table_of

SMALL = ("--value-size", "10KiB", "--values", "5")


def bench_commands() -> dict[str, argparse.ArgumentParser]:
    for action in commands()["bench"]._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


def result_of(kvl: Kvlayer, name: str = "result.json") -> Run:
    return read_run(kvl.folder / name)


def client_of(kvl: Kvlayer, **names: str) -> kvlayer.Client:
    config: dict[str, Any] = dict(kvl.config)
    if config["storage_type"] == "sqlite":
        config["filename"] = str(kvl.folder / config["filename"])
    return kvlayer.client(config, **names)


class TestHelp:
    @pytest.mark.parametrize("name", bench_commands())
    def test_examples_run(self, name: str, kvl: Kvlayer) -> None:
        check_examples(f"bench {name}", bench_commands()[name], kvl)

    @pytest.mark.parametrize("name", bench_commands())
    def test_is_whole(self, name: str) -> None:
        check_help(f"bench {name}", bench_commands()[name])

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            ((), "required: COMMAND (see kvlayer bench --help)"),
            (("nothing",), "invalid choice: 'nothing'"),
            (("throughput", "--workers", "1,x"), "(see kvlayer bench throughput --help)"),
            (("throughput", "--workers", "0"), "0 is not at least 1"),
            (("throughput", "--duration", "-1"), "-1 is not between 0 and 86,400 seconds"),
            (("throughput", "--value-size", "5x"), "'5x' is no size like 100, 64KiB or 1.5MB"),
            (("throughput", "--workers", "3", "--stored", "2MiB"), "need 3145728 bytes in the store"),
            (("throughput", "--json", "none/a.json"), "--json none/a.json: there is no such folder"),
            (("rows", "--storage-type", "none"), "unknown storage type"),
            (("ycsb", "--workload", "G"), "A, B, C, D, E, F"),
        ],
    )
    def test_wrong_words(self, kvl: Kvlayer, words: tuple[str, ...], complaint: str) -> None:
        assert complaint in kvl("bench", *words, status=2).errors


class TestOnEachStore:
    def test_throughput(self, each: Kvlayer) -> None:
        with client_of(each) as client:
            before = client.namespaces()
        shown = each("bench", "throughput", "--workers", "1,2", *SMALL, "--json", "result.json").lines
        assert re.split(r"  +", shown[0])[:4] == ["num_workers", "storage_type", "read MB/s", "write MB/s"]
        assert [line.split()[:2] for line in shown[2:4]] == [
            ["1", each.config["storage_type"]],
            ["2", each.config["storage_type"]],
        ]
        run = result_of(each)
        assert (run.kind, run.storage_type) == ("throughput", each.config["storage_type"])
        assert len(run.points) == 2
        assert run.parameters["workers"] == [1, 2]
        assert run.environment.store["version"]
        assert "sesame" not in (each.folder / "result.json").read_text()
        with client_of(each) as client:
            assert client.namespaces() == before

    def test_rows(self, each: Kvlayer) -> None:
        words = ("--batch-size", "1,20", "--value-size", "10,1kB", "--rows", "100", "--duration", "0.1")
        shown = each("bench", "rows", *words, "--json", "result.json").text
        run = result_of(each)
        measured = {(point.operation, point.batch_size) for point in run.points}  # type: ignore[union-attr]
        operations = {"put", "get", "scan", "scan_keys", "delete", "increment"}
        assert measured == {(operation, batch) for operation in operations for batch in (1, 20)}
        assert (
            len(re.findall(r"^put +(?:10 bytes|1000 bytes) +(?:1|20) +[\d,]+ +[\d.]+ +[\d.]+$", shown, re.M))
            == 4
        )


class TestTheNamespace:
    def test_of_the_configuration_is_not_touched(self, kvl: Kvlayer) -> None:
        kvl("bench", "throughput", "--workers", "1", *SMALL)
        assert len(kvl("keys", "cities").lines) == 5

    def test_that_is_named_must_hold_no_tables(self, kvl: Kvlayer) -> None:
        words = ("bench", "rows", "--batch-size", "1", "--rows", "10")
        refused = kvl(*words, "--namespace", "demo", status=2).errors
        assert "namespace 'demo' holds 3 tables" in refused
        assert len(kvl("keys", "cities").lines) == 5
        kvl(*words, "--namespace", "free")
        with client_of(kvl) as client:
            assert client.namespaces() == [("atlas", "demo")]


class TestStoresForOneProcess:
    def test_take_threads(self, kvl: Kvlayer) -> None:
        shown = kvl.plain("bench", "throughput", "--workers", "1", "--threads", "3", *SMALL).lines
        assert shown[2].split()[:4] == ["1", "×", "3", "local"]

    def test_refuse_processes(self, kvl: Kvlayer) -> None:
        refused = kvl.plain("bench", "throughput", "--workers", "2", *SMALL, status=2).errors
        assert "one process alone can use this store" in refused


class TestTables:
    def test_stand_beside_the_published_figures(self) -> None:
        threads = msgspec.structs.replace(throughput_point(5, 10.0, 20.0), threads=10)
        points = [throughput_point(25, 300.0, 600.0), throughput_point(30, 1.0, 2.0), threads]
        table = table_of(made_run("throughput", [*points], parameters={"stored": 2**30}))
        assert [*table.texts, *table.numbers][2:] == ["read MB/s", "write MB/s", "read then", "write then"]
        assert table.lines == [
            ["25", "redis", "600.0", "300.0", "66.9", "33.8"],
            ["30", "redis", "2.0", "1.0", "", ""],
            ["5 × 10", "redis", "20.0", "10.0", "93.7", "56.5"],
        ]
        assert any("single EC2 machines of 2014" in remark for remark in table.remarks)

    @pytest.mark.parametrize(("target", "start"), [(None, "actual"), (1500.0, "intended")])
    def test_say_from_when_latencies_count(self, target: float | None, start: str) -> None:
        (remark,) = table_of(made_run("ycsb", [], parameters={"target": target})).remarks
        assert f"latency from the {start} start" in remark
        assert ("1,500 operations/s" in remark) == (target is not None)

    def test_leave_blank_what_was_not_measured(self) -> None:
        parameters = {"batch_sizes": [1, 10], "value_sizes": [100]}
        table = table_of(made_run("rows", [rows_point("put", 10, 1234.0)], parameters=parameters))
        assert table.lines[:2] == [
            ["put", "100 bytes", "1", "", "", ""],
            ["put", "100 bytes", "10", "1,234", "0.1", "1.00"],
        ]
        assert table.lines[-1] == ["increment", "", "10", "", "", ""]


class TestResults:
    def test_compared(self, kvl: Kvlayer) -> None:
        for name in ("a.json", "b.json"):
            kvl("bench", "rows", "--batch-size", "5", "--rows", "20", "--json", name)
        shown = kvl.plain("bench", "compare", "a.json", "b.json").lines
        assert shown[0].startswith("A: sqlite, ")
        assert shown[1].startswith("B: sqlite, ")
        assert shown[3].split()[:4] == ["what", "unit", "A", "B"]
        assert shown[5].startswith("put, batches of 5")
        found = json.loads(kvl.plain("bench", "compare", "a.json", "b.json", "--format", "json").text)
        assert found["lines"][0]["ratio"] > 0

    def test_that_are_none(self, kvl: Kvlayer) -> None:
        refused = kvl.plain("bench", "compare", "kvlayer.yaml", "kvlayer.yaml", status=3).errors
        assert refused == "kvlayer: kvlayer.yaml is no result of kvlayer bench\n"
        assert "No such file" in kvl.plain("bench", "compare", "a.json", "b.json", status=3).errors

    def test_drawn(self, kvl: Kvlayer) -> None:
        words = ("--batch-size", "1,5", "--rows", "20", "--json", "a.json", "--plot", "plots")
        kvl("bench", "rows", *words)
        drawn = sorted(path.name for path in (kvl.folder / "plots").iterdir())
        assert {Path(name).suffix for name in drawn} == {".png", ".svg"}
        kvl.plain("bench", "plot", "a.json", "again")
        assert sorted(path.name for path in (kvl.folder / "again").iterdir()) == drawn

    @pytest.mark.parametrize(
        ("module", "words"),
        [
            ("matplotlib", ("rows", "--rows", "10", "--plot", "plots")),
            ("hdrh", ("ycsb", "--records", "10")),
        ],
    )
    def test_without_the_extra(self, kvl: Kvlayer, module: str, words: tuple[str, ...]) -> None:
        hidden = f"import sys\nsys.modules[{module!r}] = None\n"
        (kvl.folder / "sitecustomize.py").write_text(hidden)
        kvl.variables["PYTHONPATH"] = str(kvl.folder)
        refused = kvl("bench", *words, status=2).errors
        assert f"this needs the module '{module}" in refused
        assert "pip install 'kvlayer[bench]'" in refused


class TestProgress:
    def test_at_a_terminal(self, kvl: Kvlayer) -> None:
        words = ("--value-size", "10KiB", "--duration", "0.5", "--workers", "2")
        shown = kvl.terminal("bench", "throughput", *words, columns=120).text
        assert "each thread keeps" in shown
        assert "starting workers" in shown
        assert re.search(r"write .*/s, .* MB/s", shown)
        assert re.search(r"^2 +sqlite +[\d,.]+ +[\d,.]+$", shown, re.MULTILINE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def benchmark_at_work(kvl: Kvlayer) -> Iterator[subprocess.Popen[str]]:
    """A benchmark whose workers have put values; whatever ends it, its namespace goes."""
    before = set(_namespaces(kvl))
    words = ("throughput", "--workers", "2", "--value-size", "10KiB", "--duration", "600")
    with subprocess.Popen(
        [*COMMAND, "--config", "kvlayer.yaml", "bench", *words],
        cwd=kvl.folder,
        env=kvl.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_until(lambda: _has_rows(kvl, set(_namespaces(kvl)) - before))
            yield process
        finally:
            process.kill()
    assert set(_namespaces(kvl)) == before


def _namespaces(kvl: Kvlayer) -> list[tuple[str, str]]:
    with client_of(kvl) as client:
        return client.namespaces()


def _has_rows(kvl: Kvlayer, names: set[tuple[str, str]]) -> bool:
    for app_name, namespace in names:
        with client_of(kvl, app_name=app_name, namespace=namespace) as client, suppress(kvlayer.NoSuchTable):
            return any(client.scan_keys("values", limit=1))
    return False


class TestWhatIsLeft:
    def test_by_an_interrupt(self, each: Kvlayer) -> None:
        assert self.ended(each, signal.SIGINT) == (130, "", "kvlayer: interrupted\n")

    def test_by_a_termination(self, kvl: Kvlayer) -> None:
        assert self.ended(kvl, signal.SIGTERM) == (143, "", "")

    def ended(self, kvl: Kvlayer, sign: signal.Signals) -> tuple[int, str, str]:
        """Exit status, output and errors of a benchmark that gets a signal, as all in its terminal do."""
        with benchmark_at_work(kvl) as process:
            workers = children_of(process.pid)
            os.killpg(process.pid, sign)
            output, errors = process.communicate(timeout=120)
        assert len(workers) == 2
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        return process.returncode, output, errors

    def test_by_a_worker_that_is_killed(self, each: Kvlayer) -> None:
        with benchmark_at_work(each) as process:
            workers = children_of(process.pid)
            os.kill(workers[1], signal.SIGKILL)
            output, errors = process.communicate(timeout=120)
        assert (process.returncode, output) == (3, "")
        complaint = r"kvlayer: worker \d of 2 \(process \d+\) failed: it was killed by SIGKILL.*\n"
        assert re.fullmatch(complaint, errors)
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
