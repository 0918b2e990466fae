"""`kill -9` of a process that writes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator

import kvlayer
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space
from kvlayer.testing.tasks import CRASH_TABLES, batch_rows
from kvlayer.testing.workers import Report, Workers

BATCH_SIZES = [1, 30, 1200, 7]
"""Rows in a batch, in turn; one is more than a page or chunk has."""


class Crash:
    """What a killed writer had acknowledged, and what must therefore be found of it."""

    def __init__(self, number: int, acknowledged: Counter[str]) -> None:
        self.number = number
        self.puts = acknowledged["put"]
        self.deletes = acknowledged["deleted"]
        self.counts = acknowledged["counted"]

    def check(self, kvl: kvlayer.Client) -> None:
        """Nothing acknowledged is lost, and no batch is torn where `atomic_put` is declared."""
        own = ((self.number,), (self.number,))
        found: dict[int, dict[tuple[int, int, int], bytes]] = {}
        for key, value in kvl.scan("rows", own):
            found.setdefault(key[1], {})[key] = value
        assert set(found) <= set(range(self.puts + 1)), "rows of a batch that was never begun"
        for batch in range(self.puts + 1):
            written = dict(batch_rows(self.number, batch, BATCH_SIZES[batch % len(BATCH_SIZES)]))
            rows = found.get(batch, {})
            deleting = batch == self.deletes and self.puts > batch + 3
            assert rows.items() <= written.items()
            if batch < self.deletes:
                assert not rows, "an acknowledged delete was lost"
            elif batch < self.puts and not deleting:
                assert rows == written, "an acknowledged put was lost"
            elif kvl.capabilities.atomic_put:
                assert rows in ({}, written), "a batch was torn"
        if kvl.capabilities.atomic_increment:
            self._check_counters(kvl)

    def _check_counters(self, kvl: kvlayer.Client) -> None:
        counters = [value or 0 for _, value in kvl.get("counts", (self.number, "a"), (self.number, "b"))]
        counting = self.puts > self.counts
        assert set(counters) <= {self.counts, self.counts + counting}, "an acknowledged increment was lost"
        if kvl.capabilities.atomic_increment_batch:
            assert counters[0] == counters[1], "an increment was torn"


class TestCrash:
    """S8 and S14, where the store is durable."""

    @rule("S8")
    @needs("durable", "ordered")
    def test_nothing_acknowledged_is_lost(self, space: Space, workers: Workers) -> None:
        """`Store.kills` processes, each killed at a moment of its own, a fresh client after each."""
        with space.client() as kvl:
            kvl.setup_namespace(CRASH_TABLES, value_types={"counts": kvlayer.COUNTER})
        crashes = []
        for number in range(space.store.kills):
            crash = Crash(number, self._kill_a_writer(space, workers, number))
            crashes.append(crash)
            with space.client() as kvl:
                crash.check(kvl)
        with space.client() as kvl:
            for crash in crashes:
                crash.check(kvl)

    @rule("S14")
    @needs("durable")
    def test_a_set_up_that_was_killed_can_be_repeated(self, space: Space, workers: Workers) -> None:
        """And so can a delete_namespace: what was left half done is in nobody's way."""
        tables = {f"t{n}": (int,) for n in range(4)}
        for _ in range(max(1, space.store.kills // 5)):
            _kill(workers.start("set_up_until_killed", space.config(), tables=len(tables)), longest=3)
            with space.client() as kvl:
                kvl.setup_namespace(tables)
                for name in tables:
                    assert list(kvl.scan(name)) in ([], [((0,), b"old")])
                    kvl.put(name, ((1,), b"new"))
                    assert list(kvl.get(name, (1,))) == [((1,), b"new")]
                kvl.delete_namespace()
                kvl.setup_namespace(tables)
                assert [list(kvl.scan(name)) for name in tables] == [[]] * len(tables)
                kvl.delete_namespace()

    @staticmethod
    def _kill_a_writer(space: Space, workers: Workers, number: int) -> Counter[str]:
        """Starts one, kills it; how often it has acknowledged what."""
        sizes = BATCH_SIZES
        reports = workers.start("write_until_killed", space.config(), crash=number, batch_sizes=sizes)
        return Counter(_kill(reports, longest=12))


def _kill(reports: Iterator[Report], longest: int) -> list[str]:
    """Kills a process at some moment after up to so many reports; all that it had reported."""
    process = next(reports).content
    seen = [next(reports).content for _ in range(random.randrange(longest))]
    time.sleep(random.uniform(0, 0.004))
    os.kill(process, signal.SIGKILL)
    return [*seen, *(report.content for report in reports)]
