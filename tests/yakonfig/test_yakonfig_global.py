"""The global configuration: getting, setting, restoring, and seeing the right one from threads."""

from __future__ import annotations

import asyncio
import contextvars
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import yakonfig
from yakonfig import ConfigurationError, defaulted_config, get_global_config, set_global_config

APP: Any = SimpleNamespace(config_name="app", default_config={"n": 0})


@pytest.fixture(autouse=True)
def _unset() -> Iterator[None]:
    yakonfig.clear_global_config()
    yield
    yakonfig.clear_global_config()


def numbered(n: int) -> Any:
    return defaulted_config([APP], config={"app": {"n": n}})


def is_unset() -> bool:
    try:
        get_global_config()
    except KeyError:
        return True
    return False


def test_a_path_leads_into_the_configuration() -> None:
    set_global_config({"a": {"b": {"c": 1}, "none": None}})
    assert get_global_config() == {"a": {"b": {"c": 1}, "none": None}}
    assert get_global_config("a", "b") == {"c": 1}
    assert get_global_config("a", "b", "c") == 1
    assert get_global_config("a", "none") is None


@pytest.mark.parametrize("path", [("x",), ("a", "x"), ("a", "b", "x"), ("a", "list", "0")])
def test_a_path_to_nothing_is_a_key_error_that_names_it(path: tuple[str, ...]) -> None:
    set_global_config({"a": {"b": "Zq7Vx9", "list": ["Zq7Vx9"]}})
    with pytest.raises(KeyError) as caught:
        get_global_config(*path)
    assert ".".join(path) in str(caught.value)
    assert "Zq7Vx9" not in str(caught.value)


def test_unset_is_a_key_error() -> None:
    for path in ((), ("a",)):
        with pytest.raises(KeyError, match="no global configuration is set"):
            get_global_config(*path)
    set_global_config({})
    assert get_global_config() == {}
    yakonfig.clear_global_config()
    assert is_unset()


def test_it_can_be_set_from_a_mapping_a_path_and_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1")
    for source in ({"a": 1}, str(path), path, io.StringIO("a: 1"), io.BytesIO(b"a: 1")):
        yakonfig.clear_global_config()
        assert set_global_config(source) == {"a": 1}
        assert get_global_config() == {"a": 1}


def test_a_failing_set_changes_nothing(tmp_path: Path) -> None:
    set_global_config({"a": 1})
    with pytest.raises(ConfigurationError):
        set_global_config(tmp_path / "missing")
    with pytest.raises(ConfigurationError):
        set_global_config(io.StringIO("["))
    holds_itself: dict[str, Any] = {}
    holds_itself["a"] = holds_itself
    with pytest.raises(ConfigurationError, match="contains itself"):
        set_global_config(holds_itself)
    assert get_global_config() == {"a": 1}


def test_nobody_can_change_it_through_a_copy() -> None:
    given = {"a": {"b": [1]}}
    returned = set_global_config(given)
    for other in (given, returned, get_global_config()):
        other["a"]["b"].append(2)
    get_global_config("a")["b"].append(2)
    assert get_global_config() == {"a": {"b": [1]}}


def test_a_block_restores_what_was_before() -> None:
    with numbered(1) as config:
        assert config == get_global_config() == {"app": {"n": 1}}
        with numbered(2):
            assert get_global_config("app", "n") == 2
        assert get_global_config("app", "n") == 1
    assert is_unset()
    set_global_config({"x": 1})
    with numbered(1):
        pass
    assert get_global_config() == {"x": 1}


def test_a_block_restores_after_an_exception() -> None:
    set_global_config({"x": 1})
    with pytest.raises(ZeroDivisionError), numbered(1):
        raise ZeroDivisionError
    assert get_global_config() == {"x": 1}
    with pytest.raises(ConfigurationError), defaulted_config([APP], config={"app": 1}):
        pytest.fail("the block must not be entered")
    assert get_global_config() == {"x": 1}


def test_what_is_set_or_cleared_inside_a_block_ends_with_it() -> None:
    set_global_config({"x": 1})
    with numbered(1):
        set_global_config({"y": 2})
        assert get_global_config() == {"y": 2}
        yakonfig.clear_global_config()
        assert is_unset()
        yakonfig.set_default_config([APP])
        assert get_global_config() == {"app": {"n": 0}}
    assert get_global_config() == {"x": 1}


def test_threads_see_what_was_set_and_those_of_a_block_its_configuration() -> None:
    set_global_config({"x": 1})
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(get_global_config).result() == {"x": 1}
    with numbered(1), ThreadPoolExecutor(1) as pool:
        assert pool.submit(get_global_config, "app", "n").result() == 1


def test_blocks_of_several_threads_don_t_mix_and_may_end_in_any_order() -> None:
    set_global_config({"app": {"n": -1}})
    workers = 4
    barrier = threading.Barrier(workers)

    def work(number: int) -> list[int]:
        seen = []
        for turn in range(200):
            if turn % 50 == 0:
                barrier.wait(timeout=60)
            with numbered(number):
                seen.append(get_global_config("app", "n"))
                with numbered(number + 100):
                    seen.append(get_global_config("app", "n"))
                    set_global_config({"app": {"n": number + 200}})
                    seen.append(get_global_config("app", "n"))
                seen.append(get_global_config("app", "n"))
        return seen

    with ThreadPoolExecutor(workers) as pool:
        for number, seen in enumerate(pool.map(work, range(workers))):
            assert seen == [number, number + 100, number + 200, number] * 200
    assert get_global_config() == {"app": {"n": -1}}


def test_interleaved_blocks_restore_what_was_before_both() -> None:
    """The first to begin is the first to end, which a mere stack of saved values gets wrong."""
    first, second = numbered(1), numbered(2)
    contexts = [contextvars.Context(), contextvars.Context()]
    contexts[0].run(first.__enter__)
    contexts[1].run(second.__enter__)
    assert contexts[0].run(get_global_config, "app", "n") == 1
    assert contexts[1].run(get_global_config, "app", "n") == 2
    assert get_global_config("app", "n") == 2
    contexts[0].run(first.__exit__, None, None, None)
    assert contexts[0].run(get_global_config, "app", "n") == 2
    assert get_global_config("app", "n") == 2
    contexts[1].run(second.__exit__, None, None, None)
    assert is_unset()
    assert contexts[1].run(is_unset)


def test_a_block_may_end_in_another_context_than_it_began_in() -> None:
    block = numbered(1)
    contextvars.copy_context().run(block.__enter__)
    assert get_global_config("app", "n") == 1
    contextvars.copy_context().run(block.__exit__, None, None, None)
    assert is_unset()


def test_tasks_have_blocks_of_their_own() -> None:
    async def task(number: int) -> int:
        with numbered(number):
            await asyncio.sleep(0)
            seen: int = get_global_config("app", "n")
            return seen

    async def main() -> list[int]:
        return await asyncio.gather(*map(task, range(5)))

    assert asyncio.run(main()) == list(range(5))
    assert is_unset()


def test_concurrent_readers_see_one_configuration_or_another_never_a_mixture() -> None:
    set_global_config({"a": 0, "b": [0]})
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            set_global_config({"a": number, "b": [number]})

    with ThreadPoolExecutor(3) as pool:
        writer = pool.submit(write)
        try:
            for _ in range(2000):
                config = get_global_config()
                assert config["b"] == [config["a"]]
        finally:
            stop.set()
        writer.result()
