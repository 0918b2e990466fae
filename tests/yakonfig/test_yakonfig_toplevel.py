"""parse_args and yakonfig's own flags: command lines, dumps, and how errors end a program."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import yakonfig
from yakonfig import ConfigurationError, ProgrammerError, get_global_config

SECRET = "Zq7Vx9"


class Store:
    """A module as an application would have it."""

    config_name = "store"
    default_config = {"kind": "memory", "pool": {"size": 4, "wait": 1.5}}
    runtime_keys = {"kind": "kind", "fast": "fast"}

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--kind")
        parser.add_argument("--fast", action="store_true", default=None)

    @staticmethod
    def check_config(config: dict[str, Any], name: str) -> None:
        if config["kind"] not in ("memory", "disk"):
            raise ConfigurationError(f"{name}.kind:\n  must be memory or disk")

    @staticmethod
    def normalize_config(config: dict[str, Any]) -> None:
        config["normal"] = object()


class Web(yakonfig.Configurable):
    config_name = "web"
    default_config = {"port": 80}
    runtime_keys = {"port": "port"}
    sub_modules = (SimpleNamespace(config_name="tls", default_config={"active": False}),)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int)


@pytest.fixture(autouse=True)
def _unset() -> Iterator[None]:
    yakonfig.clear_global_config()
    yield
    yakonfig.clear_global_config()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"store: {{kind: disk, pool: {{wait: null}}, password: {SECRET}, url: 'redis://u:{SECRET}@h'}}\n"
        f"web: {{port: 8080, tls: {{active: true}}}}\nsomebody: {{token: {SECRET}, a: 1}}\n"
    )
    return path


def run(*args: object, modules: Any = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app")
    parser.add_argument("--own", default="x")
    return yakonfig.parse_args(parser, modules or [yakonfig, Store, Web()], list(map(str, args)))


def dump(what: str, *args: object, capsys: pytest.CaptureFixture[str]) -> Any:
    with pytest.raises(SystemExit) as caught:
        run("--dump-config", what, *args)
    assert caught.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert SECRET not in out
    return yaml.safe_load(out)


def failure(*args: object, capsys: pytest.CaptureFixture[str], modules: Any = None) -> str:
    """The one line with which a program ends."""
    with pytest.raises(SystemExit) as caught:
        run(*args, modules=modules)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert SECRET not in err
    usage, _, message = err.partition("\napp: error: ")
    assert usage.startswith("usage: app")
    assert message.count("\n") == 1
    return message.rstrip()


def test_flags_override_the_file_and_the_file_the_defaults(file: Path) -> None:
    namespace = run("-c", file, "--port", 1, "--own", "y")
    assert (namespace.own, namespace.port, namespace.kind, namespace.config) == ("y", 1, None, str(file))
    assert get_global_config("web") == {"port": 1, "tls": {"active": True}}
    assert get_global_config("store", "kind") == "disk"
    assert get_global_config("store", "pool") == {"size": 4}
    assert get_global_config("somebody", "a") == 1
    assert get_global_config("yakonfig") == {"config": str(file)}


def test_flags_that_are_not_given_override_nothing(file: Path) -> None:
    run("--config", file)
    assert get_global_config("web", "port") == 8080
    assert "fast" not in get_global_config("store")
    run("--config", file, "--fast")
    assert get_global_config("store", "fast") is True


def test_the_command_line_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app", "--port", "5"])
    modules: list[yakonfig.Module] = [yakonfig, Store, Web()]
    yakonfig.parse_args(argparse.ArgumentParser(), iter(modules))
    assert get_global_config("web", "port") == 5


def test_without_yakonfig_among_the_modules_its_flags_are_the_program_s(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    parser.add_argument("--dump-config")
    args = ["--config", str(tmp_path / "missing"), "--dump-config", "x"]
    assert yakonfig.parse_args(parser, [Store], args).dump_config == "x"
    assert set(get_global_config()) == {"store"}


def test_the_flag_s_name_works_without_a_command_line(file: Path) -> None:
    yakonfig.set_default_config([yakonfig, Store], params={"config": str(file)})
    assert get_global_config("store", "kind") == "disk"


def test_dumps(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default = {"yakonfig": {}, "store": Store.default_config, "web": {"port": 80, "tls": {"active": False}}}
    assert dump("default", "-c", file, "--port", 1, capsys=capsys) == default
    effective = dump("effective", "-c", file, "--port", 1, capsys=capsys)
    assert effective == {
        "yakonfig": {"config": str(file)},
        "store": {"kind": "disk", "pool": {"wait": None}, "password": "***", "url": "redis://u:***@h"},
        "web": {"port": 1, "tls": {"active": True}},
        "somebody": {"token": "***", "a": 1},
    }
    full = dump("full", "-c", file, "--port", 1, capsys=capsys)
    assert full == yakonfig.overlay_config(default, effective)


def test_a_dump_of_what_is_wrong_helps_to_find_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dump("effective", "--kind", "wrong", capsys=capsys) == {"store": {"kind": "wrong"}}


def test_a_dump_sets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    yakonfig.set_global_config({"before": 1})
    dump("full", capsys=capsys)
    assert get_global_config() == {"before": 1}


def test_a_dump_may_be_written_to_any_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text('store: {name: é, odd: "\\ud800"}', encoding="utf-8")
    for encoding in ("ascii", "latin-1", "utf-8"):
        with (tmp_path / "out").open("w+", encoding=encoding) as out:
            monkeypatch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit):
                run("-c", path, "--dump-config", "effective")
            out.seek(0)
            text = out.read()
        assert yaml.safe_load(text)["store"] == {"name": "é", "odd": "\ud800"}
        assert ("é" in text) == (encoding == "utf-8")


def test_only_the_three_dumps_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice" in failure("--dump-config", "all", capsys=capsys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"store: {{kind: {SECRET}}}", "store.kind: must be memory or disk"),
        (f"store: {SECRET}", "store: must be a mapping of keys to values, not a str"),
        (f"web: {{tls: [{SECRET}]}}", "web.tls: must be a mapping of keys to values, not a list"),
        (f"store: [{SECRET}", "{file}: line 1, column 15: expected ',' or ']', but got '<stream end>'"),
        (f"stor: {{kind: {SECRET}}}", "stor: no module has this name; did you mean store?"),
        (f"- {SECRET}", "{file}: the file must be a mapping of blocks, not a list"),
        (f"a: !!python/name:{SECRET}", "{file}: line 1, column 4: unknown tag; beside YAML's own there are !include and !include_yaml"),
    ],
)  # fmt: skip
def test_a_configuration_error_ends_the_program_as_a_wrong_flag_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    assert failure("-c", file, capsys=capsys) == message.replace("{file}", str(file))
    with pytest.raises(KeyError):
        get_global_config()


def test_a_missing_file_ends_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (("-c", tmp_path / "none"), ("-c", tmp_path / "none", "--dump-config", "full")):
        assert failure(*args, capsys=capsys) == f"can't read {tmp_path / 'none'}: No such file or directory"


@pytest.mark.parametrize("hook", ["replace_config", "discover_config", "check_config", "normalize_config"])
def test_errors_in_hooks_end_the_program(hook: str, capsys: pytest.CaptureFixture[str]) -> None:
    class OwnError(ConfigurationError):
        pass

    def fail(*args: Any) -> Any:
        raise OwnError(f"{hook} says no,\n\n   100% no")

    modules = [SimpleNamespace(config_name="m", **{hook: fail})]
    assert failure(capsys=capsys, modules=modules) == f"{hook} says no, 100% no"


@pytest.mark.parametrize("settings", [{"default": 3}, {"action": "store_true"}, {"default": ""}])
def test_a_flag_with_a_default_would_hide_the_file(settings: dict[str, Any]) -> None:
    module: Any = SimpleNamespace(
        config_name="m",
        runtime_keys={"level": "level"},
        add_arguments=lambda parser: parser.add_argument("--level", **settings),
    )
    with pytest.raises(ProgrammerError, match="'level' has a default"):
        run(modules=[module])


def test_a_suppressed_flag_is_no_default() -> None:
    module: Any = SimpleNamespace(
        config_name="m",
        runtime_keys={"level": "level"},
        add_arguments=lambda parser: parser.add_argument("--level", default=argparse.SUPPRESS),
    )
    run(modules=[module])
    assert get_global_config("m") == {}
    run("--level", "2", modules=[module])
    assert get_global_config("m") == {"level": "2"}


def test_sub_modules_add_flags_and_a_module_of_two_places_adds_them_once() -> None:
    shared: Any = SimpleNamespace(
        config_name="shared",
        runtime_keys={"level": "level"},
        add_arguments=lambda parser: parser.add_argument("--level", type=int),
    )
    modules: Any = [SimpleNamespace(config_name=name, sub_modules=[shared]) for name in "ab"]
    run("--level", "3", modules=modules)
    assert get_global_config() == {name: {"shared": {"level": 3}} for name in "ab"}


def test_misuse_is_not_the_user_s_fault() -> None:
    with pytest.raises(ProgrammerError, match="two modules"):
        run(modules=[yakonfig, Store, Store])


def test_importing_yakonfig_imports_nothing_heavy() -> None:
    code = (
        "import sys, yakonfig; yakonfig.set_global_config({}); "
        "print({'yaml', 'argparse', 'inspect', 'dataclasses', 'asyncio', 'logging'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_two_errors_are_plain() -> None:
    assert ConfigurationError.__mro__[1:] == ProgrammerError.__mro__[1:] == Exception.__mro__
