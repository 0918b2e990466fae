"""Two clients at once, several threads, and scans while somebody writes."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import kvlayer
from kvlayer.testing.model import Key
from kvlayer.testing.rules import needs, rule
from kvlayer.testing.space import Space

THREADS = 8


class TestSharing:
    """S7, S9, S11, S15 and S16 within one process; TestProcesses has them among several."""

    @rule("S7")
    @needs("read_your_writes")
    def test_each_client_sees_at_once_what_the_other_wrote(self, space: Space) -> None:
        one, two = space.client(), space.client()
        one.setup_namespace({"t": (int,)})
        for turn in range(50):
            writer, reader = (one, two) if turn % 2 else (two, one)
            writer.put("t", ((1,), b"%d" % turn), ((2,), b""))
            assert list(reader.get("t", (1,), (2,))) == [((1,), b"%d" % turn), ((2,), b"")]
            assert list(reader.scan("t")) == [((1,), b"%d" % turn), ((2,), b"")]
            writer.delete("t", (2,))
            assert list(reader.get("t", (2,))) == [((2,), None)]
            assert list(reader.scan_keys("t")) == [(1,)]
            writer.delete_range("t", ((), ()))
            assert list(reader.scan_keys("t")) == []
            writer.put("t", ((3,), b""))
            writer.clear_table("t")
            assert list(reader.scan_keys("t")) == []

    @rule("S7", "S11")
    @needs("read_your_writes", "atomic_increment")
    def test_each_client_counts_on(self, space: Space) -> None:
        one, two = space.client(), space.client()
        one.setup_namespace({"c": (int,)}, value_types={"c": kvlayer.COUNTER})
        for turn in range(25):
            assert one.increment("c", ((1,), 1)) == [2 * turn + 1]
            assert two.increment("c", ((1,), 1)) == [2 * turn + 2]

    @rule("S9")
    @needs("ordered")
    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("method", ["scan", "scan_keys"])
    def test_a_scan_shows_all_that_nobody_touches(self, space: Space, method: str, reverse: bool) -> None:
        """Rows around the place where the scan stands are written and deleted, and it goes on."""
        reader, writer = space.client(), space.client()
        if reverse and not reader.capabilities.reverse:
            pytest.skip("the store does not declare reverse")
        reader.setup_namespace({"t": (int,)})
        count = 2 * reader.capabilities.page_rows + 10
        untouched: list[Key] = [(4 * n,) for n in range(count)]
        passing: list[Key] = [(4 * n + 2,) for n in range(count)]
        reader.put("t", *((key, b"") for key in [*untouched, *passing]))
        seen: list[Key] = []
        for item in getattr(reader, method)("t", reverse=reverse):
            (place,) = seen_key = item[0] if method == "scan" else item
            seen.append(seen_key)
            if len(seen) % 100 == 1 or len(seen) % reader.capabilities.page_rows in (0, 1):
                around = range(place - place % 4 - 8, place + 12, 4)
                writer.delete("t", *((n + 2,) for n in around))
                writer.put("t", *(((n + odd,), b"new") for n in around for odd in (1, 3)))
        assert [key for key in seen if key[0] % 4 == 0] == sorted(untouched, reverse=reverse)
        assert seen == sorted(set(seen), reverse=reverse)

    @rule("S9")
    def test_a_table_may_be_emptied_while_it_is_scanned(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)})
        count = kvl.capabilities.page_rows + 50
        kvl.put("t", *(((n,), b"") for n in range(count)))
        deleted = 0
        for key in kvl.scan_keys("t"):
            kvl.delete("t", key)
            deleted += 1
        assert deleted == count
        assert list(kvl.scan_keys("t")) == []

    @rule("S9")
    def test_several_scans_at_once(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int,)})
        count = kvl.capabilities.page_rows + 50
        kvl.put("t", *(((n,), b"%d" % n) for n in range(count)))
        scans = [kvl.scan("t"), kvl.scan("t"), kvl.scan("t", ((count // 2,), None)), kvl.get("t", (1,), (2,))]
        keys = [kvl.scan_keys("t") for _ in range(20)]
        for _ in range(2):
            for scan in scans:
                next(scan)
        assert [next(scan) for scan in keys] == [(0,)] * 20
        assert [sum(1 for _ in scan) for scan in scans] == [count - 2, count - 2, count - count // 2 - 2, 0]
        assert [sum(1 for _ in scan) for scan in keys] == [count - 1] * 20

    @rule("S9")
    def test_a_scan_may_be_abandoned(self, space: Space) -> None:
        kvl = space.client()
        kvl.setup_namespace({"t": (int,)})
        kvl.put("t", *(((n,), b"") for n in range(kvl.capabilities.page_rows + 50)))
        abandoned = [kvl.scan("t") for _ in range(50)]
        for scan in abandoned:
            next(scan)
        space.client().put("t", ((-1,), b"not held up by them"))
        del scan, abandoned
        gc.collect()
        kvl.put("t", ((-2,), b""))
        half = kvl.scan_keys("t")
        assert next(half) == (-2,)
        kvl.delete_namespace()

    @rule("S15")
    def test_threads_share_a_client(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (int, int)})

        def work(thread: int) -> None:
            own = ((thread,), (thread,))
            for turn in range(10):
                rows = [((thread, n), b"%d %d" % (thread, turn)) for n in range(20)]
                kvl.put("t", *rows)
                assert list(kvl.get("t", *(key for key, _ in rows))) == rows
                assert list(kvl.scan("t", own)) == rows
                kvl.delete("t", *(key for key, _ in rows[::2]))
                assert list(kvl.scan_keys("t", own)) == [key for key, _ in rows[1::2]]

        _in_threads(work)
        assert list(kvl.scan_keys("t")) == [(thread, n) for thread in range(THREADS) for n in range(1, 20, 2)]

    @rule("S15")
    def test_threads_are_the_first_to_use_a_client(self, space: Space) -> None:
        """The connection and the idea of the table are made once, or harmlessly more often."""
        space.client().setup_namespace({"t": (int,)})
        for _ in range(5):
            fresh = space.client()

            def work(thread: int, kvl: kvlayer.Client = fresh) -> None:
                kvl.put("t", ((thread,), b""))

            _in_threads(work)
            assert list(fresh.scan_keys("t")) == [(n,) for n in range(THREADS)]
            fresh.clear_table("t")
            fresh.close()

    @rule("S11", "S15")
    @needs("atomic_increment")
    def test_threads_count_exactly(self, space: Space) -> None:
        shared = space.client()
        shared.setup_namespace({"c": (str,)}, value_types={"c": kvlayer.COUNTER})
        seen: list[list[int]] = [[] for _ in range(THREADS)]

        def work(thread: int) -> None:
            kvl = shared if thread % 2 else space.client()
            names = [("a",), ("b",), ("c",)]
            for _ in range(25):
                random.shuffle(names)
                answers = dict(zip(names, kvl.increment("c", *((name, 1) for name in names)), strict=True))
                seen[thread].append(answers[("a",)])

        _in_threads(work)
        assert [value for _, value in shared.scan("c")] == [25 * THREADS] * 3
        assert sorted(value for values in seen for value in values) == list(range(1, 25 * THREADS + 1))

    @rule("S11", "S15")
    @needs("accumulate")
    def test_threads_accumulate_exactly(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"a": (str,)}, value_types={"a": kvlayer.ACCUMULATOR})

        def work(thread: int) -> None:
            for _ in range(25):
                kvl.increment("a", (("a",), 0.5))

        _in_threads(work)
        assert list(kvl.scan("a")) == [(("a",), 12.5 * THREADS)]

    @rule("S16")
    @needs("compare_and_put")
    def test_one_thread_wins(self, space: Space) -> None:
        shared = space.client()
        shared.setup_namespace({"t": (int,)})
        won: list[list[int]] = [[] for _ in range(THREADS)]

        def work(thread: int) -> None:
            kvl = shared if thread % 2 else space.client()
            for n in range(25):
                if kvl.compare_and_put("t", (n,), None, b"%d" % thread):
                    won[thread].append(n)

        _in_threads(work)
        assert sorted(n for keys in won for n in keys) == list(range(25))
        owners = dict(shared.scan("t"))
        assert owners == {(n,): b"%d" % thread for thread in range(THREADS) for n in won[thread]}

    @rule("S16")
    @needs("compare_and_put")
    def test_no_put_is_lost_to_a_compare(self, space: Space) -> None:
        """One thread puts the numbers in turn, another replaces each number that it finds by its
        negative: a put is never undone by a comparison with what was there before it."""
        kvl, other = space.client(), space.client()
        kvl.setup_namespace({"t": (int,)}, value_types={"t": int})
        kvl.put("t", ((1,), 0))
        ended = threading.Event()

        def negate() -> None:
            while not ended.is_set():
                ((_, found),) = other.get("t", (1,))
                if found is not None and found > 0:
                    other.compare_and_put("t", (1,), found, -found)

        thread = threading.Thread(target=negate)
        thread.start()
        try:
            for n in range(1, 300):
                kvl.put("t", ((1,), n))
                ((_, found),) = kvl.get("t", (1,))
                assert abs(found) == n
        finally:
            ended.set()
            thread.join()

    @rule("S14", "S15")
    def test_threads_set_up_at_once(self, space: Space) -> None:
        def work(thread: int) -> None:
            kvl = space.client()
            kvl.setup_namespace({"t": (int,), f"own {thread}": (str,)})
            kvl.put("t", ((thread,), b""))
            kvl.put(f"own {thread}", (("a",), b""))

        _in_threads(work)
        kvl = space.client()
        assert list(kvl.scan_keys("t")) == [(n,) for n in range(THREADS)]
        assert [table.name for table in kvl.tables()] == [*(f"own {n}" for n in range(THREADS)), "t"]


def _in_threads(work: Callable[[int], Any]) -> None:
    """Calls work(0), work(1) ... in threads that start together; raises what one of them raises."""
    together = threading.Barrier(THREADS)

    def start(thread: int) -> None:
        together.wait()
        work(thread)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(start, range(THREADS)))
