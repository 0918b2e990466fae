"""Schedules are arithmetic: they are tested with times that nobody waits for."""

from __future__ import annotations

import time

import pytest

from kvlayer.bench.pacing import Schedule, sleep_until

SECOND = 10**9
START = 5 * SECOND


def begun(schedule: Schedule, operations: int) -> list[int]:
    schedule.start(START)
    return [schedule.next() - START for _ in range(operations)]


def test_operations_are_due_at_even_intervals() -> None:
    assert begun(Schedule(4), 5) == [0, SECOND // 4, SECOND // 2, 3 * SECOND // 4, SECOND]


def test_workers_take_turns() -> None:
    ours = begun(Schedule(100, 0, 3), 3), begun(Schedule(100, 1, 3), 3), begun(Schedule(100, 2, 3), 3)
    assert sorted(at for worker in ours for at in worker) == [SECOND // 100 * turn for turn in range(9)]


def test_an_interval_that_is_no_whole_number_does_not_drift() -> None:
    assert begun(Schedule(3), 300_001)[-1] == 100_000 * SECOND


def test_times_do_not_depend_on_when_operations_begin() -> None:
    # `next` asks for no time: an operation that took long leaves those behind it where they were.
    schedule = Schedule(10)
    schedule.start(START)
    times = [schedule.next()]
    assert schedule.due(START + SECOND) == 11
    times += [schedule.next(), schedule.next()]
    assert times == [START, START + SECOND // 10, START + SECOND // 5]


@pytest.mark.parametrize(("number", "workers"), [(0, 1), (0, 4), (3, 4)])
def test_due_counts_what_next_gives(number: int, workers: int) -> None:
    schedule = Schedule(1000, number, workers)
    times = begun(schedule, 50)
    for count, at in enumerate(times, 1):
        assert schedule.due(START + at - 2) == count - 1
        assert schedule.due(START + at) == count


def test_nothing_is_due_before_a_workers_first_turn() -> None:
    schedule = Schedule(10, 9, 10)
    schedule.start(START)
    assert schedule.due(START) == 0
    assert schedule.due(START - SECOND) == 0


def test_a_schedule_starts_again() -> None:
    schedule = Schedule(10)
    assert begun(schedule, 3) == begun(schedule, 3)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match="a rate must be above 0"):
        Schedule(rate)


def test_sleeping_ends_at_or_after_the_time() -> None:
    for microseconds in (1, 50, 500, 5000):
        at = time.perf_counter_ns() + microseconds * 1000
        sleep_until(at)
        assert time.perf_counter_ns() >= at


def test_a_time_that_is_past_needs_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"slept for {seconds}"))
    sleep_until(time.perf_counter_ns())
