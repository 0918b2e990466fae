"""Snowflake keys: unique and ordered from threads and processes, whatever the clock does."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from unittest import mock

import pytest

from kvlayer.errors import ProgrammerError
from kvlayer.snowflake import WORKERS, Parts, Snowflake, parse

NOW = 1_700_000_000.25
FAST_INTS = range(-(2**63) + 1, 2**63 - 1)


def in_child(function: Callable[[], str]) -> str:
    """Runs the function in a forked child; its answer, or the error that it raised."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a child that hangs must not outlive its test
        answer = "the child failed"
        try:
            answer = function()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        finally:
            os.write(writable, answer.encode())
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def strictly_ascending(keys: list[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(keys))


def test_the_bits_are_where_the_documentation_says() -> None:
    key = Snowflake(worker=1234, newest_first=False)(now=1.5)
    assert key >> 21 == 1500
    assert key >> 10 & 0x7FF == 1234
    assert 0 <= key & 0x3FF < 512


def test_a_newest_first_key_is_the_negative_of_an_oldest_first_one() -> None:
    key = -Snowflake(worker=1234)(now=1.5)
    assert key >> 21 == 1500
    assert key >> 10 & 0x7FF == 1234


def test_keys_sort_by_time_either_way() -> None:
    times = [NOW + second / 10 for second in range(50)]
    newest_first, oldest_first = Snowflake(), Snowflake(newest_first=False)
    assert strictly_ascending([newest_first(now) for now in times][::-1])
    assert strictly_ascending([oldest_first(now) for now in times])


def test_without_a_time_the_clock_is_asked() -> None:
    assert parse(Snowflake(clock=lambda: NOW)()).time == datetime.fromtimestamp(NOW, UTC)


def test_the_clock_is_the_present_by_default() -> None:
    before = datetime.now(UTC)
    made = parse(Snowflake()()).time
    after = datetime.now(UTC)
    assert before.timestamp() - 0.001 <= made.timestamp() <= after.timestamp()


@pytest.mark.parametrize("newest_first", [True, False])
def test_parse_takes_a_key_apart(newest_first: bool) -> None:
    parts = parse(Snowflake(worker=WORKERS - 1, newest_first=newest_first)(NOW))
    assert parts == Parts(1_700_000_000_250, WORKERS - 1, parts.sequence)
    assert parts.time == datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC)


@pytest.mark.parametrize("number", [2**63, -(2**63), 2**63 - 1, 10**30])
def test_parse_refuses_other_ints(number: int) -> None:
    with pytest.raises(ValueError, match="no snowflake key"):
        parse(number)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("now", [0.0, 0.001, NOW, (2**42 - 2) / 1000])
def test_every_key_is_a_fast_int(now: float, newest_first: bool) -> None:
    for worker in (0, WORKERS - 1):
        generator = Snowflake(worker=worker, newest_first=newest_first)
        assert all(generator(now) in FAST_INTS for _ in range(1024))


@pytest.mark.parametrize("now", [-0.001, 2**42 / 1000, NOW * 1000, float("nan"), float("inf"), -1e300])
def test_a_time_that_no_key_holds_is_refused(now: float) -> None:
    with pytest.raises(ValueError, match="1970 to 2109"):
        Snowflake()(now)


@pytest.mark.parametrize("worker", [-1, WORKERS])
def test_a_worker_id_that_no_key_holds_is_refused(worker: int) -> None:
    with pytest.raises(ProgrammerError, match=r"0 to 2047"):
        Snowflake(worker=worker)


def test_a_full_millisecond_borrows_from_the_next() -> None:
    generator = Snowflake(worker=7, newest_first=False, clock=lambda: NOW)
    keys = [generator() for _ in range(5000)]
    assert strictly_ascending(keys)
    assert {parse(key).worker for key in keys} == {7}
    ahead = parse(keys[-1]).milliseconds - parse(keys[0]).milliseconds
    assert 5000 // 1024 <= ahead <= 5000 // 1024 + 1


def test_a_clock_that_steps_back_neither_repeats_nor_goes_back() -> None:
    clock = iter([NOW + 1, NOW + 1.001, NOW - 3600, NOW - 3600, NOW + 0.5, NOW + 1.5])
    generator = Snowflake(newest_first=False, clock=lambda: next(clock))
    keys = [generator() for _ in range(6)]
    assert strictly_ascending(keys)
    milliseconds = [parse(key).milliseconds - int(NOW * 1000) for key in keys]
    assert milliseconds == [1000, 1001, 1001, 1001, 1001, 1500]


def test_two_generators_with_one_worker_id_seldom_make_the_same_key() -> None:
    def pairs_that_clash() -> Iterator[bool]:
        for millisecond in range(2000):
            yield one(NOW + millisecond / 100) == other(NOW + millisecond / 100)

    one, other = Snowflake(worker=1), Snowflake(worker=1)
    # 4 are expected; more than 40 have a chance far below that of a failing machine.
    assert sum(pairs_that_clash()) < 40


def test_random_worker_ids_differ() -> None:
    assert len({Snowflake().worker for _ in range(200)}) > 100


def test_eight_threads_get_unique_keys_each_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_way(stop: int) -> int:
        time.sleep(0)  # lets another thread run in the middle of making a key
        return 0

    monkeypatch.setattr("kvlayer.snowflake._system_random", mock.Mock(randrange=give_way))
    ticks = itertools.count()
    generator = Snowflake(worker=1, newest_first=False, clock=lambda: NOW + next(ticks) // 50 / 1000)
    start = threading.Barrier(8)
    made: list[list[int]] = []

    def make() -> None:
        start.wait()
        made.append([generator() for _ in range(3000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert all(map(strictly_ascending, made))
    assert len({key for keys in made for key in keys}) == 8 * 3000


def test_forked_children_make_other_keys_than_their_parent() -> None:
    generator = Snowflake(clock=lambda: NOW)
    generator()
    mine = generator.worker
    for _ in range(5):
        theirs = in_child(lambda: " ".join(str(generator()) for _ in range(3)))
        assert mine not in {parse(int(key)).worker for key in theirs.split()}
    assert generator.worker == mine


def test_an_assigned_worker_id_stays_with_the_parent() -> None:
    generator = Snowflake(worker=3)
    answer = in_child(lambda: str(generator()))
    assert answer.startswith("ProgrammerError: worker id 3")
    assert parse(generator()).worker == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12
def test_a_fork_while_another_thread_makes_a_key_does_not_hang_the_child() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow_clock() -> float:
        if not inside.is_set():
            inside.set()
            go_on.wait()
        return NOW

    generator = Snowflake(clock=slow_clock)
    thread = threading.Thread(target=generator)
    thread.start()
    inside.wait()
    try:
        answer = in_child(lambda: str(generator()))
    finally:
        go_on.set()
        thread.join()
    assert parse(int(answer)).milliseconds == int(NOW * 1000)


@pytest.mark.parametrize("newest_first", [True, False])
def test_ends_enclose_the_keys_of_a_time(newest_first: bool) -> None:
    first, last = Snowflake(newest_first=newest_first).ends(NOW, NOW + 1)
    for worker in (0, WORKERS - 1):
        generator = Snowflake(worker=worker, newest_first=newest_first)
        assert not first <= generator(NOW - 0.001) <= last
        assert first <= generator(NOW) <= last
        assert first <= generator(NOW + 1) <= last
        assert not first <= generator(NOW + 1.001) <= last
