"""Several processes at once on one store."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

import kvlayer
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space
from kvlayer.testing.workers import Workers

PROCESSES = 8


@needs("concurrent_processes")
class TestProcesses:
    """S7, S9, S11, S14 and S16 among processes."""

    @rule("S14")
    def test_many_processes_set_up_at_once(self, space: Space, workers: Workers) -> None:
        count = space.store.workers
        seen = workers.run("set_up", space.config(), count, table_count=3)
        shared = [f"shared {n}" for n in range(3)]
        extra = [f"extra {n}" for n in range(min(5, count))]
        for [names] in seen:
            assert set(shared) <= set(names) <= {*shared, *extra}
        kvl = space.client()
        assert [table.name for table in kvl.tables()] == [*extra, *shared]
        for name in shared:
            assert list(kvl.scan(name)) == [((n, "row"), b"%d" % n) for n in range(count)]
        for name in extra:
            kvl.put(name, (("a",), b""))

    @rule("S14")
    @needs("compare_and_put")
    def test_processes_that_disagree_about_a_schema(self, space: Space, workers: Workers) -> None:
        """All that wanted the one that won have it; all others were told."""
        for turn in range(5):
            config = space.config(namespace=f"test {turn}")
            said = workers.run("set_up_one_of_two", config, PROCESSES)
            (winner,) = {even for even, accepted in said if accepted}
            assert Counter(accepted == (even is winner) for even, accepted in said) == {True: PROCESSES}
            kvl = space.client(namespace=f"test {turn}")
            expected = [n for n in range(PROCESSES) if (n % 2 == 0) is winner]
            assert [int(key[0]) for key in kvl.scan_keys("t")] == expected

    @rule("S7")
    @needs("read_your_writes")
    def test_rows_of_all_processes_are_there(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (int, int)})
        assert workers.run("put_rows", space.config(), PROCESSES, rows=100) == [100] * PROCESSES
        assert list(kvl.scan("t")) == [((p, n), b"%d" % n) for p in range(PROCESSES) for n in range(100)]

    @rule("S11")
    @needs("atomic_increment")
    def test_counters_are_exact(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"c": (str,)}, value_types={"c": kvlayer.COUNTER})
        calls = 50
        seen = workers.run("increment", space.config(), PROCESSES, table="c", calls=calls, delta=1)
        assert [value for _, value in kvl.scan("c")] == [PROCESSES * calls] * 3
        assert sorted(n for values in seen for n in values) == list(range(1, PROCESSES * calls + 1))

    @rule("S11")
    @needs("accumulate")
    def test_accumulators_are_exact(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"a": (str,)}, value_types={"a": kvlayer.ACCUMULATOR})
        workers.run("increment", space.config(), PROCESSES, table="a", calls=25, delta=0.25)
        assert [value for _, value in kvl.scan("a")] == [PROCESSES * 25 * 0.25] * 3

    @rule("S16")
    @needs("compare_and_put")
    def test_one_process_wins(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (int,)})
        won = workers.run("claim", space.config(), PROCESSES, keys=30)
        assert sorted(n for keys in won for n in keys) == list(range(30))
        owners = {(n,): b"%d" % process for process, keys in enumerate(won) for n in keys}
        assert dict(kvl.scan("t")) == owners

    @rule("S16")
    @needs("compare_and_put")
    def test_no_swap_is_lost(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (str,)}, value_types={"t": int})
        kvl.put("t", (("n",), 0))
        workers.run("swap_up", space.config(), 4, table="t", successes=25)
        assert list(kvl.scan("t")) == [(("n",), 100)]

    @rule("S11", "S16")
    @needs("compare_and_put", "atomic_increment")
    def test_swaps_and_increments_of_one_counter(self, space: Space, workers: Workers) -> None:
        kvl = space.client()
        kvl.setup_namespace({"c": (str,)}, value_types={"c": kvlayer.COUNTER})
        kvl.put("c", (("n",), 0))
        workers.run("swap_up", space.config(), 4, table="c", successes=20, increments=20)
        assert list(kvl.scan("c")) == [(("n",), 160)]

    @rule("S9")
    @needs("ordered")
    @pytest.mark.parametrize("method", ["scan", "scan_keys"])
    def test_scans_while_another_process_writes(self, space: Space, workers: Workers, method: str) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (int,)})
        count = 2 * kvl.capabilities.page_rows + 10
        kvl.put_many("t", (((2 * n,), b"even") for n in range(count)))
        reports = workers.start("disturb", space.config(), rows=count, turns=5000)
        writer = next(reports).content
        try:
            for _ in range(10):
                found = [item[0] if method == "scan" else item for item in getattr(kvl, method)("t")]
                assert [n for (n,) in found if n % 2 == 0] == list(range(0, 2 * count, 2))
                assert found == sorted(set(found))
        finally:
            os.kill(writer, signal.SIGKILL)
        list(reports)
