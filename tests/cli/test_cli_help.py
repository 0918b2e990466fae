"""What `--help` says is so: every example runs, and help comes without delay."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys

import pytest

from cli.running import COMMAND, Kvlayer
from kvlayer.cli.parser import build_parser


def commands() -> dict[str, argparse.ArgumentParser]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


def examples_of(parser: argparse.ArgumentParser) -> list[str]:
    title, *lines = (parser.epilog or "").splitlines()
    assert title == "example:"
    return [line.strip() for line in lines]


@pytest.mark.parametrize("name", commands())
def test_examples_run(name: str, kvl: Kvlayer) -> None:
    check_examples(name, commands()[name], kvl)


def check_examples(name: str, parser: argparse.ArgumentParser, kvl: Kvlayer) -> None:
    examples = examples_of(parser)
    assert any(f" {name} " in f"{example} " for example in examples)
    program = f'kvlayer() {{ {" ".join(COMMAND)} "$@"; }}\nset -e\n'
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-c", program + "\n".join(examples)],
        cwd=kvl.folder,
        env=kvl.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", commands())
def test_help_is_whole(name: str) -> None:
    check_help(name, commands()[name])


def check_help(name: str, parser: argparse.ArgumentParser) -> None:
    shown = parser.format_help()
    assert shown.startswith(f"usage: kvlayer {name}")
    assert max(map(len, shown.splitlines())) <= 110
    for action in parser._actions:
        assert action.help, action


def test_help_imports_neither_drivers_nor_rich() -> None:
    forbidden = "rich|redis|psycopg|shtab|zstandard|kvlayer.tools|kvlayer.testing|concurrent"
    program = (
        "import sys; from kvlayer.cli import main; status = main(['--help']);"
        f"print(sorted(name for name in sys.modules if name in '{forbidden}'.split('|')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_version(kvl: Kvlayer) -> None:
    assert kvl.plain("--version").text.startswith("kvlayer ")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "a command is missing (see kvlayer --help)"),
        (("nothing",), "invalid choice: 'nothing'"),
        (("scan",), "the following arguments are required: TABLE (see kvlayer scan --help)"),
        (("scan", "cities", "--nothing"), "unrecognized arguments: --nothing"),
        (("get", "cities"), "the following arguments are required: KEY (see kvlayer get --help)"),
        (("scan", "cities", "a", "b"), "unrecognized arguments: b"),
        (("--config", "nothing.yaml", "tables"), "can't read nothing.yaml"),
        (("--storage-type", "sqlit", "tables"), "known here: sqlite"),
    ],
)
def test_wrong_words(kvl: Kvlayer, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in kvl.plain(*words, status=2).errors


class TestDebug:
    def test_shows_the_trace(self, kvl: Kvlayer) -> None:
        for words in (("--debug", "scan", "nothing"), ("scan", "nothing", "--debug")):
            done = subprocess.run(
                [*COMMAND, "--config", "kvlayer.yaml", *words],
                cwd=kvl.folder,
                env=kvl.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert done.stderr.startswith("Traceback")
            assert done.stderr.splitlines()[-1].startswith("kvlayer: no table 'nothing'")


class TestFaults:
    def test_a_missing_module_of_the_extra(self, kvl: Kvlayer) -> None:
        (kvl.folder / "rich").mkdir()
        (kvl.folder / "rich" / "__init__.py").write_text("raise ModuleNotFoundError('', name='rich')")
        kvl.variables["PYTHONPATH"] = str(kvl.folder)
        assert "pip install 'kvlayer[cli]'" in kvl("tables", status=2).errors
        assert len(kvl("keys", "cities").lines) == 5  # what doesn't need it works

    def test_a_full_disk(self, kvl: Kvlayer) -> None:
        if not os.path.exists("/dev/full"):
            pytest.skip("no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*COMMAND, "--config", "kvlayer.yaml", "scan", "cities"],
                cwd=kvl.folder,
                env=kvl.environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (3, "kvlayer: No space left on device\n")

    def test_a_file_that_is_no_store(self, kvl: Kvlayer) -> None:
        (kvl.folder / "cities.db").write_text("no database at all, but long enough to be one" * 100)
        assert "cities.db" in kvl("tables", status=3).errors

    def test_a_server_that_ends(self, kvl: Kvlayer) -> None:
        from servers.redis import RedisServer

        with RedisServer() as server:
            url = f"redis://{server.address}/?app_name=a&namespace=b&retry_seconds=0"
            kvl.plain("--url", url, "create", "t", "int")
        complaint = kvl.plain("--url", url, "scan", "t", status=3).errors
        assert server.address in complaint
