"""The namespace of a benchmark: its own, and gone in the end; and what is told of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kvlayer
from kvlayer.bench.errors import BenchError
from kvlayer.bench.store import bench_store
from servers.redis import RedisServer


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"storage_type": "sqlite", "filename": str(tmp_path / "a.db"), "app_name": "app"}


def namespaces(config: dict[str, Any]) -> list[tuple[str, str]]:
    with kvlayer.client(config, namespace="none") as client:
        return client.namespaces()


def fill(config: Any) -> None:
    with kvlayer.client(config) as client:
        client.setup_namespace({"t": (int,)})
        client.put("t", ((1,), b"value"))


def fill_and_raise(config: Any, error: type[BaseException]) -> None:
    fill(config)
    raise error


class TestNamespace:
    def test_is_new_and_goes(self, config: dict[str, Any]) -> None:
        fill({**config, "namespace": "mine"})
        with bench_store({**config, "namespace": "mine"}) as store:
            fill(store.config)
            ((app, one),) = set(namespaces(config)) - {("app", "mine")}
            assert (app, one[:6]) == ("app", "bench-")
        assert namespaces(config) == [("app", "mine")]

    def test_goes_after_an_error(self, config: dict[str, Any]) -> None:
        for error in (ValueError, KeyboardInterrupt):
            with pytest.raises(error), bench_store(config) as store:
                fill_and_raise(store.config, error)
            assert namespaces(config) == []

    def test_can_be_chosen(self, config: dict[str, Any]) -> None:
        with bench_store(config, app_name="other", namespace="chosen") as store:
            fill(store.config)
            assert namespaces(config) == [("other", "chosen")]
        assert namespaces(config) == []

    def test_with_tables_is_left_alone(self, config: dict[str, Any]) -> None:
        fill({**config, "namespace": "mine"})
        with (
            pytest.raises(BenchError, match="namespace 'mine' holds the table 't'"),
            bench_store(config, namespace="mine"),
        ):
            pytest.fail("it was taken")
        with kvlayer.client(config, namespace="mine") as client:
            assert list(client.scan("t")) == [((1,), b"value")]

    def test_that_cannot_be_removed_does_not_hide_the_error(self) -> None:
        with RedisServer() as server:
            config = {**server.config, "app_name": "app", "retry_seconds": 0}

            def fail() -> None:
                with bench_store(config, namespace="gone"):
                    server.kill()
                    raise ValueError("the first")

            with (
                pytest.warns(UserWarning, match="namespace 'gone' could not be removed"),
                pytest.raises(ValueError, match="the first"),
            ):
                fail()


class TestEnvironment:
    def test_tells_of_the_store_and_the_machine(self, config: dict[str, Any]) -> None:
        with bench_store({**config, "synchronous": "NORMAL"}) as store:
            found = store.environment
        assert found.store["storage_type"] == store.storage_type == "sqlite"
        assert found.store["version"]
        assert found.durability == {"store": True, "synchronous": "NORMAL", "journal_mode": "wal"}
        assert found.kvlayer
        assert found.python.startswith(("CPython 3.", "PyPy 3."))
        assert found.host.cores >= 1
        assert found.host.memory_bytes is None or found.host.memory_bytes > 2**20

    def test_holds_no_secret(self) -> None:
        with RedisServer("--appendonly", "yes", password="hunter2") as server:
            config = {**server.config, "app_name": "app", "driver": {"client_name": "hunter3"}}
            with bench_store(config) as store:
                assert store.environment.durability == {"store": True, "append_only": True}
                assert store.environment.driver.keys() == {"redis", "hiredis"}
                assert "hunter" not in repr(store)


def test_processes_need_a_store_that_they_can_share() -> None:
    with bench_store({"storage_type": "local"}) as store:
        store.require_processes(1)
        with pytest.raises(BenchError, match="one process alone can use this store, not 2"):
            store.require_processes(2)
