"""A configuration ends in a working client or in an error that helps; a secret appears nowhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import pickle
import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import kvlayer
import yakonfig
from kvlayer import backends
from secretive_backend import SecretiveBackend

SECRET = "hunter2-horse-battery"


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(backends._targets, "secretive", "secretive_backend:SecretiveBackend")
    monkeypatch.delenv("KVLAYER_PASSWORD", raising=False)
    SecretiveBackend.passwords_seen.clear()
    yield
    yakonfig.clear_global_config()


def error_of(config: Any, **arguments: Any) -> str:
    """The message of the ConfigurationError that a configuration must end in."""
    with pytest.raises(kvlayer.ConfigurationError) as caught:
        kvlayer.client(config, **arguments)
    return str(caught.value)


class TestWhatAClientIsMadeFrom:
    def test_nothing(self) -> None:
        assert repr(kvlayer.client()) == (
            "<kvlayer.Client storage_type='local' app_name='kvlayer' namespace='kvlayer'>"
        )

    def test_the_global_configuration(self) -> None:
        config = {"kvlayer": {"storage_type": "local", "app_name": "a", "namespace": "n"}}
        with yakonfig.defaulted_config([kvlayer], config=config):
            assert "app_name='a' namespace='n'" in repr(kvlayer.client())
            assert "app_name='a' namespace='other'" in repr(kvlayer.client(namespace="other"))

    @pytest.mark.parametrize(
        ("url", "options"),
        [
            ("sqlite:///cities.db", {"filename": "cities.db"}),
            (
                "sqlite:////tmp/a%20b.db?synchronous=NORMAL",
                {"filename": "/tmp/a b.db", "synchronous": "NORMAL"},
            ),
        ],
    )
    def test_a_url(self, url: str, options: dict[str, Any]) -> None:
        kvl = kvlayer.client(url, app_name="a", namespace="n")
        for key, value in options.items():
            assert getattr(kvl._settings.options, key) == value
        assert "namespace='m'" in repr(kvlayer.client(f"{url.partition('?')[0]}?app_name=a&namespace=m"))

    def test_a_dict_with_the_storage_type_apart(self) -> None:
        kvl = kvlayer.client({"filename": "x.db"}, "sqlite", app_name="a", namespace="n")
        assert "'sqlite'" in repr(kvl)

    def test_flags(self) -> None:
        parser = argparse.ArgumentParser()
        arguments = ["--storage-type", "secretive", "--storage-address", "a:1", "--storage-address", "b:2",
                     "--app-name", "a", "--namespace", "n"]  # fmt: skip
        yakonfig.parse_args(parser, [yakonfig, kvlayer], arguments)
        kvl = kvlayer.client()
        assert kvl._settings.options.storage_addresses == ["a:1", "b:2"]  # type: ignore[attr-defined]
        assert "app_name='a' namespace='n'" in repr(kvl)

    def test_a_file_by_flags(self) -> None:
        arguments = ["--storage-type", "sqlite", "--filename", "x.db", "--app-name", "a", "--namespace", "n"]
        yakonfig.parse_args(argparse.ArgumentParser(), [yakonfig, kvlayer], arguments)
        assert kvlayer.client()._settings.options.filename == "x.db"  # type: ignore[attr-defined]

    def test_a_block_named_after_the_store_overlays_the_rest(self) -> None:
        config: dict[str, Any] = {
            "storage_type": "secretive",
            "app_name": "a",
            "namespace": "n",
            "username": "all",
            "secretive": {"username": "own", "namespace": "own", "timeout": None},
            "sqlite": {"filename": "unused.db"},
        }
        kvl = kvlayer.client(config)
        assert kvl._settings.options.username == "own"  # type: ignore[attr-defined]
        assert kvl._settings.namespace == "own"
        assert kvlayer.client(config, namespace="argument")._settings.namespace == "argument"
        assert "'username' is no option of storage type 'sqlite'" in error_of(config, storage_type="sqlite")
        del config["username"]
        assert kvlayer.client(config, "sqlite")._settings.options.filename == "unused.db"  # type: ignore[attr-defined]

    def test_none_stands_for_the_default(self) -> None:
        config = {"storage_type": None, "app_name": None, "namespace": None, "log_stats": None}
        assert "'local' app_name='kvlayer'" in repr(kvlayer.client(config))

    def test_settings_of_kvlayer_0_5_are_taken_with_one_warning(self) -> None:
        config = {"storage_type": "local", "encoder": "packed", "connection_pool_size": 2}
        with pytest.warns(UserWarning, match="ignored: connection_pool_size, encoder") as caught:
            kvlayer.client(config)
        assert len(caught) == 1

    def test_the_given_mapping_is_left_alone(self) -> None:
        config = {"storage_type": "local", "app_name": None}
        kvlayer.client(config, namespace="n")
        assert config == {"storage_type": "local", "app_name": None}


class TestErrorsHelp:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"storge_type": "local"}, "kvlayer: 'storge_type' is no option .* did you mean 'storage_type'?"),
            ({"storage_type": "sqlite", "file_name": "x"}, "'file_name' is no option .* mean 'filename'"),
            ({"storage_type": "local", "filename": "x"}, "'filename' is no option of storage type 'local'"),
            ({"storage_type": 3}, "kvlayer.storage_type: expected str, got int"),
            ({"storage_type": ["local"]}, "kvlayer.storage_type: expected str, got list"),
            ({"app_name": 3}, "kvlayer.app_name: expected str, got int"),
            ({"app_name": ""}, "kvlayer.app_name: a name is a str of at least one character"),
            ({"namespace": "\ud800"}, "kvlayer.namespace: a lone surrogate"),
            ({3: "local"}, "kvlayer: a key must be a str, not a int"),
            ({"local": 3}, "kvlayer.local: expected a mapping, got int"),
            ({"local": {"app_nam": "x"}}, "did you mean 'app_name'"),
            ({"table_options": []}, "kvlayer.table_options: expected mapping, got list"),
            ({"table_options": {"t": 3}}, r"kvlayer.table_options\[...\]: expected mapping, got int"),
            ({"log_stats": "f", "log_stats_interval_ops": 0}, "log_stats_interval_ops: expected int >= 1"),
            ({"storage_type": "sqlite"}, "^kvlayer.filename is missing$"),
            ({"storage_type": "sqlite", "filename": 3}, "kvlayer.filename: expected str, got int"),
            ({"storage_type": "sqlite", "filename": "x", "synchronous": "SECRET"}, "expected one of .*FULL"),
            (3, "a configuration is a mapping.*not a int"),
            ("cities.db", "begins with its storage type"),
            ("sqlite://[", "can't be parsed"),
            ("sqlte:///x", "unknown storage type 'sqlte'; known here: sqlite"),
            ("sqlite:///x.db?synchronus=FULL", "did you mean 'synchronous'"),
            ("sqlite:///x.db?app_name", "can't be parsed"),
        ],
    )  # fmt: skip
    def test_message(self, config: Any, message: str) -> None:
        import re

        assert re.search(message, error_of(config))

    def test_every_store_but_local_needs_names(self) -> None:
        config = {"storage_type": "sqlite", "filename": "x.db"}
        assert error_of(config) == "kvlayer.app_name is missing: sqlite needs one"
        assert error_of(config, app_name="a") == "kvlayer.namespace is missing: sqlite needs one"

    def test_a_bad_file_ends_a_program_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("bad.yaml").write_text("kvlayer: {storage_type: sqlite, filename: x.db, synchronus: FULL}\n")
        with pytest.raises(SystemExit, match="2"):
            yakonfig.parse_args(argparse.ArgumentParser(), [yakonfig, kvlayer], ["--config", "bad.yaml"])
        assert "did you mean 'synchronous'?" in capsys.readouterr().err.splitlines()[-1]


class TestSecrets:
    config: dict[str, Any] = {"storage_type": "secretive", "app_name": "a", "namespace": "n"}

    def password(self, **config: Any) -> str | None:
        with kvlayer.client({**self.config, **config}) as kvl:
            kvl.ping()
        seen: list[str | None] = SecretiveBackend.passwords_seen
        return seen[-1]

    def test_where_a_password_comes_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.password() is None
        monkeypatch.setenv("STORE_PASSWORD", SECRET)
        assert self.password(password="${STORE_PASSWORD}") == SECRET
        assert self.password(password="a${STORE_PASSWORD}$${b}") == f"a{SECRET}${{b}}"
        Path("password").write_text(SECRET + "\n")
        assert self.password(password_file="password") == SECRET
        monkeypatch.setenv("KVLAYER_PASSWORD", "from the environment")
        assert self.password() == "from the environment"
        assert self.password(password_file="password") == SECRET

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"password": "${NO_SUCH_VARIABLE}"}, "kvlayer.password: the environment variable NO_SUCH_VARIABLE is not set"),
            ({"password_file": "nowhere"}, "kvlayer.password_file can't be read: No such file or directory"),
            ({"password_file": SECRET, "password": SECRET}, "kvlayer: give a password or a password_file, not both"),
            ({"password": [SECRET]}, "kvlayer.password: expected str, got list"),
            ({"password_file": [SECRET]}, "kvlayer.password_file can't be read: TypeError"),
            ({"passwort": SECRET}, "did you mean 'password'?"),
        ],
    )  # fmt: skip
    def test_errors_keep_it(self, config: dict[str, Any], message: str) -> None:
        text = error_of({**self.config, **config})
        assert message in text
        assert SECRET not in text

    def test_a_pickle_holds_the_reference_not_the_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORE_PASSWORD", SECRET)
        kvl = kvlayer.client({**self.config, "password": "${STORE_PASSWORD}"})
        pickled = pickle.dumps(kvl)
        assert SECRET.encode() not in pickled
        pickle.loads(pickled).ping()
        assert SecretiveBackend.passwords_seen == [SECRET]

    @pytest.mark.parametrize("which", ["default", "effective", "full"])
    def test_a_dump_hides_it(self, which: str, capsys: pytest.CaptureFixture[str]) -> None:
        block = {**self.config, "password": SECRET, "storage_addresses": [f"redis://u:{SECRET}@h:1"]}
        Path("c.yaml").write_text(yaml.safe_dump({"kvlayer": block}))
        arguments = ["--config", "c.yaml", "--dump-config", which]
        with pytest.raises(SystemExit, match="0"):
            yakonfig.parse_args(argparse.ArgumentParser(), [yakonfig, kvlayer], arguments)
        printed = capsys.readouterr().out
        assert SECRET not in printed
        assert yaml.safe_load(printed) is not None


def test_ten_thousand_fuzzed_configurations(caplog: pytest.LogCaptureFixture) -> None:
    """Each ends in a working client or a ConfigurationError, runs no code and shows no secret."""
    caplog.set_level(logging.DEBUG)
    fuzz = Fuzz(random.Random(20261122))
    outcomes = {"client": 0, "error": 0}
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the settings of kvlayer 0.5
        for _ in range(10_000):
            text, make = fuzz.configuration()
            try:
                with make() as kvl:
                    kvl.setup_namespace({"t": (str,)})
                    kvl.put("t", (("k",), b"v"))
                    assert list(kvl.get("t", ("k",))) == [(("k",), b"v")], text
                    assert SECRET not in f"{kvl!r} {kvl.table('t')!r} {kvl._settings!r}", text
                outcomes["client"] += 1
            except yakonfig.ConfigurationError as error:
                outcomes["error"] += 1
                assert SECRET not in "".join(traceback.format_exception(error)), text
                assert "\n" not in str(error), text
    assert not Path("canary").exists()
    assert SECRET not in shown.getvalue()
    assert SECRET not in caplog.text
    assert outcomes["client"] > 1000, outcomes
    assert outcomes["error"] > 1000, outcomes


class Fuzz:
    """Configurations that are nearly right, with a secret somewhere, as dict, YAML text or URL."""

    keys = (
        "storage_type", "storage_addresses", "app_name", "namespace", "filename", "synchronous", "busy_timeout",
        "table_options", "log_stats_interval_ops", "log_stats_interval_seconds", "password", "username",
        "password_file", "timeout", "encoder", "local", "sqlite", "secretive", "storge_type", "passwd", "", "\x00",
    )  # fmt: skip
    code = (
        "!!python/object/apply:os.system ['touch canary']",
        "!!python/object/new:pathlib.Path [canary]",
        "!!python/name:os.system",
        "!include nowhere #",
        "*unknown",
        "&a [*a]",
        "{{",
        "${HOME}",
    )

    def __init__(self, source: random.Random) -> None:
        self.random = source

    def configuration(self) -> tuple[str, Callable[[], kvlayer.Client]]:
        kind = self.random.choice(("dict", "dict", "yaml", "url"))
        if kind == "url":
            url = self.url()
            return url, lambda: kvlayer.client(url, app_name="a", namespace="n")
        block = self.block()
        if kind == "dict":
            return repr(block), lambda: kvlayer.client(block)
        text = yaml.safe_dump({"kvlayer": block}, allow_unicode=True)
        if self.random.random() < 0.5:
            lines = text.splitlines(keepends=True)
            # Not into the name of the file: folders that aren't there are no matter of configuration.
            place = self.random.choice([at for at, line in enumerate(lines) if "f.db" not in line])
            spot = self.random.randrange(len(lines[place]))
            junk = self.random.choice((*self.code, "\t", ":", "- ", "\x07"))
            lines[place] = lines[place][:spot] + junk + lines[place][spot:]
            text = "".join(lines)
        return text, lambda: self.by_yakonfig(text)

    def by_yakonfig(self, text: str) -> kvlayer.Client:
        with yakonfig.defaulted_config([yakonfig, kvlayer], yaml=text):
            return kvlayer.client()

    def block(self) -> dict[Any, Any]:
        block: dict[Any, Any] = self.random.choice(
            (
                {"storage_type": "local"},
                {"storage_type": "sqlite", "filename": "f.db", "app_name": "a", "namespace": "n"},
                {"storage_type": "secretive", "app_name": "a", "namespace": "n", "password": SECRET},
            )
        ).copy()
        for _ in range(self.random.choice((0, 0, 1, 2))):
            key = self.key()
            block[key] = self.value_of(key)
        if self.random.random() < 0.1:
            block.pop(self.random.choice(list(block)))
        return block

    def key(self) -> Any:
        return (
            self.random.choice(self.keys)
            if self.random.random() < 0.95
            else self.random.choice((3, True, 1.5))
        )

    def value(self, depth: int = 0) -> Any:
        simple = (
            SECRET, f"redis://u:{SECRET}@host:1/0", "local", "sqlite", "f.db", "", "a", "FULL", "${HOME}", "${NO_SUCH}",
            None, True, False, 0, 1, -1, 10**30, 1.5, float("inf"), float("nan"), "\x00", "\u20ac", "host:99999",
        )  # fmt: skip
        if depth > 2 or self.random.random() < 0.7:
            return self.random.choice(simple)
        if self.random.random() < 0.5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        keys = [self.key() for _ in range(self.random.randrange(3))]
        return {key: self.value_of(key, depth + 1) for key in keys}

    def value_of(self, key: Any, depth: int = 0) -> Any:
        """Anything; but names are no secrets: they are shown."""
        while SECRET in repr(value := self.value(depth)) and key in ("app_name", "namespace"):
            pass
        return value

    def url(self) -> str:
        scheme = self.random.choice(("local", "sqlite", "secretive", "sqlte", "", "SQLITE"))
        host = self.random.choice(("", "", "host", f"u:{SECRET}@host:1", "host:port", "["))
        path = self.random.choice(("/f.db", "", "/", "//", "/%00", "/f.db%2e"))
        query = self.random.choice(
            ("", f"?password={SECRET}", "?synchronous=FULL", "?synchronous=full", "?x", "?a=%")
        )
        return f"{scheme}://{host}{path}{query}"
