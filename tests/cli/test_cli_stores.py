"""`backends`, `ping`, `config`, `completion`: the stores themselves, and the command line's setting."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml

from cli.running import Kvlayer
from kvlayer import backends
from kvlayer.backends.overview import facts
from servers.process import free_port


class TestBackends:
    def test_all_are_listed(self, kvl: Kvlayer) -> None:
        listed = {
            store["storage_type"]: store
            for store in json.loads(kvl.plain("backends", "--format", "json").text)
        }
        assert list(listed) == backends.storage_types()
        for name in ("local", "sqlite", "redis", "postgres"):
            assert listed[name]["problem"] is None
            assert listed[name]["capabilities"] == facts(backends.load(name).capabilities)

    def test_as_a_table(self, kvl: Kvlayer) -> None:
        header, _, *lines = kvl.plain("backends").lines
        assert header.split() == ["storage", "type", *backends.storage_types()]
        assert any(line.startswith("durable  ") for line in lines)

    def test_a_driver_that_is_missing(self, kvl: Kvlayer) -> None:
        (kvl.folder / "redis").mkdir()
        (kvl.folder / "redis" / "__init__.py").write_text("raise ModuleNotFoundError('', name='redis')")
        kvl.variables["PYTHONPATH"] = str(kvl.folder)
        shown = kvl.plain("backends").text
        assert "pip install 'kvlayer[redis]'" in shown
        assert "pip install 'kvlayer[redis]'" in kvl.plain("--url", "redis://h", "ping", status=2).errors


class TestPing:
    def test_of_each_store(self, each: Kvlayer) -> None:
        answer = json.loads(each("ping", "--count", "7", "--format", "json").text)
        assert answer["storage_type"] == each.config["storage_type"]
        assert answer["version"]
        assert 0 < answer["fastest_seconds"] <= answer["median_seconds"] <= answer["slowest_seconds"]
        assert answer["connecting_seconds"] > 0
        lines = each("ping").lines
        assert lines[0].split() == ["storage", "type", each.config["storage_type"]]
        assert lines[-1].startswith("round trips")
        assert lines[-1].endswith("of 5")

    def test_of_a_store_that_does_not_answer(self, kvl: Kvlayer) -> None:
        url = f"redis://127.0.0.1:{free_port()}/?app_name=a&namespace=b&retry_seconds=0"
        complaint = kvl.plain("--url", url, "ping", status=3).errors
        assert "127.0.0.1" in complaint

    def test_count(self, kvl: Kvlayer) -> None:
        assert "--count is at least 1" in kvl("ping", "--count", "0", status=2).errors


def sources(kvl: Kvlayer, *words: str) -> dict[str, tuple[object, str]]:
    shown = json.loads(kvl.plain(*words, "config", "--format", "json").text)
    return {option: (found["value"], found["source"]) for option, found in shown.items()}


REDIS = """\
shared: &shared
  timeout: 3.5
kvlayer:
  <<: *shared
  storage_type: redis
  storage_addresses: ["h.example:6379"]
  password: ${KVLAYER_TEST_SECRET}
  app_name: null
  redis:
    max_connections: 7
    driver: {ssl_token: hunter3}
"""


class TestConfig:
    def test_where_values_come_from(self, kvl: Kvlayer) -> None:
        (kvl.folder / "redis.yaml").write_text(REDIS)
        kvl.variables["KVLAYER_TEST_SECRET"] = "hunter4"
        words = ("--config", "redis.yaml", "--namespace", "test", "--app-name", "app")
        found = sources(kvl, *words)
        assert found["storage_type"] == ("redis", "redis.yaml:5")
        assert found["storage_addresses"] == (["h.example:6379"], "redis.yaml:6")
        assert found["password"] == (
            "${KVLAYER_TEST_SECRET}",
            "environment, KVLAYER_TEST_SECRET (redis.yaml:7)",
        )
        assert found["timeout"] == (3.5, "redis.yaml")
        assert found["max_connections"] == (7, "redis.yaml:10")
        assert found["driver"] == ({"ssl_token": "***"}, "redis.yaml:11")
        assert found["namespace"] == ("test", "flag --namespace")
        assert found["app_name"] == ("app", "flag --app-name")
        assert found["tls"] == (False, "default")
        assert "hunter" not in kvl.plain(*words, "config").text

    def test_of_a_url(self, kvl: Kvlayer) -> None:
        kvl.variables["KVLAYER_PASSWORD"] = "hunter2"
        found = sources(kvl, "--url", "redis://me@h.example/3?app_name=a&namespace=b", "--namespace", "c")
        assert found["redis_db_num"] == (3, "flag --url")
        assert found["app_name"] == ("a", "flag --url")
        assert found["namespace"] == ("c", "flag --namespace")
        assert found["password"] == ("***", "environment, KVLAYER_PASSWORD")

    def test_of_a_password_file(self, kvl: Kvlayer) -> None:
        (kvl.folder / "secret").write_text("hunter2\n")
        (kvl.folder / "redis.yaml").write_text(
            "kvlayer: {storage_type: redis, storage_addresses: h, password_file: secret, app_name: '${A}',"
            " namespace: b}"
        )
        found = sources(kvl, "--config", "redis.yaml")
        assert found["password"] == ("***", "password_file")
        assert found["password_file"] == ("secret", "redis.yaml:1")
        assert found["app_name"] == ("${A}", "redis.yaml:1")

    def test_of_included_files(self, kvl: Kvlayer) -> None:
        (kvl.folder / "outer.yaml").write_text("# comment\nkvlayer: !include_yaml inner/store.yaml\n")
        (kvl.folder / "inner").mkdir()
        (kvl.folder / "inner" / "store.yaml").write_text(yaml.safe_dump({"storage_type": "local"}))
        assert sources(kvl, "--config", "outer.yaml")["storage_type"] == ("local", "inner/store.yaml:1")

    def test_without_any(self, kvl: Kvlayer) -> None:
        assert sources(kvl)["storage_type"] == ("local", "default")
        assert sources(kvl, "--storage-type", "local")["storage_type"] == ("local", "flag --storage-type")

    def test_what_cannot_work(self, kvl: Kvlayer) -> None:
        (kvl.folder / "bad.yaml").write_text("kvlayer: {storage_type: sqlite, filname: x}")
        assert "did you mean 'filename'?" in kvl.plain("--config", "bad.yaml", "config", status=2).errors

    def test_two_stores(self, kvl: Kvlayer) -> None:
        refused = kvl("--url", "sqlite:///a.db", "tables", status=2).errors
        assert refused == "kvlayer: --url names a store, and so does --config: give one of them\n"


@pytest.mark.parametrize("name", ["bash", "zsh", "tcsh"])
def test_completion(kvl: Kvlayer, name: str) -> None:
    script = kvl.plain("completion", name).text
    assert "drop-namespace" in script
    if name == "bash":
        words = (
            "COMP_WORDS=(kvlayer sc); COMP_CWORD=1; COMP_LINE='kvlayer sc'; _shtab_kvlayer kvlayer sc kvlayer"
        )
        bash = shutil.which("bash")
        assert bash is not None
        done = subprocess.run(
            [bash, "-c", f'{script}\n{words}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["scan"]
