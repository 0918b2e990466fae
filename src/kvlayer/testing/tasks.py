"""What the suite's other processes do; run by kvlayer.testing.worker, named in `Workers.start`.

Each task gets the configuration of a client, knows which of the processes it is, and reports in
values of JSON. None runs for ever: they end when nobody reads their reports any more.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import pickle
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import kvlayer

Config = dict[str, Any]

CRASH_TABLES = {"rows": (int, int, int), "counts": (int, str)}
"""The tables of `write_until_killed`: rows by round, batch and number; counters by round and name."""

SCANNED_ROWS = 3500
"""Rows of the scan in whose midst a process forks."""

SCANNED_BEFORE_FORK = 2001
"""How many of them it has seen: in the third page, while the fourth may be read ahead."""

FORK_PATIENCE = 30
"""Seconds after which a forked child is taken to hang."""


@dataclass(frozen=True)
class Self:
    """The process that does the task."""

    number: int
    report: Callable[[Any], None]


def set_up(config: Config, me: Self, table_count: int) -> None:
    """Sets up tables that all processes share, a row at a time, and one of a few others."""
    with kvlayer.client(config) as kvl:
        tables: dict[str, Any] = {f"shared {n}": (int, str) for n in range(table_count)}
        kvl.setup_namespace(tables)
        for name in tables:
            kvl.put(name, ((me.number, "row"), b"%d" % me.number))
        kvl.setup_namespace({**tables, f"extra {me.number % 5}": (str,)})
        me.report([sorted(table.name for table in kvl.tables())])


def set_up_one_of_two(config: Config, me: Self) -> None:
    """Sets up a table with one of two schemas; reports which it was and whether it was that one."""
    with kvlayer.client(config) as kvl:
        even = me.number % 2 == 0
        try:
            kvl.setup_namespace({"t": (int,) if even else (str,)})
        except kvlayer.SchemaMismatch:
            me.report([even, False])
        else:
            kvl.put("t", ((me.number,) if even else (str(me.number),), b""))
            me.report([even, True])


def increment(config: Config, me: Self, table: str, calls: int, delta: int | float) -> None:
    """Increments the keys a, b and c in a random order; reports the new values of a."""
    shuffle = random.Random(me.number).shuffle
    with kvlayer.client(config) as kvl:
        deltas = [((name,), delta) for name in "abc"]
        seen = []
        for _ in range(calls):
            shuffle(deltas)
            answers = dict(zip(deltas, kvl.increment(table, *deltas), strict=True))
            seen.append(answers[("a",), delta])
        me.report(seen)


def swap_up(config: Config, me: Self, table: str, successes: int, increments: int = 0) -> None:
    """Adds 1 to the key ("n",) by compare_and_put, so many times, and by increment, so many times."""
    with kvlayer.client(config) as kvl:
        handle = kvl.table(table)
        for turn in range(max(successes, increments)):
            if turn < increments:
                kvl.increment(table, (("n",), 1))
            while turn < successes:
                present = handle[("n",)]
                if kvl.compare_and_put(table, ("n",), present, present + 1):
                    break
        me.report("done")


def claim(config: Config, me: Self, keys: int) -> None:
    """Tries to be the first to write each of some keys; reports those where it was."""
    with kvlayer.client(config) as kvl:
        won = [n for n in range(keys) if kvl.compare_and_put("t", (n,), None, b"%d" % me.number)]
        me.report(won)


def put_rows(config: Config, me: Self, rows: int) -> None:
    """Puts rows under its own number, in batches of ten, into a table that somebody else set up."""
    with kvlayer.client(config) as kvl:
        for first in range(0, rows, 10):
            kvl.put("t", *(((me.number, n), b"%d" % n) for n in range(first, min(first + 10, rows))))
        me.report(sum(1 for _ in kvl.scan_keys("t", ((me.number,), (me.number,)))))


def disturb(config: Config, me: Self, rows: int, turns: int) -> None:
    """Writes and deletes odd keys of a table whose even ones are left alone; reports when it has begun."""
    choose = random.Random(me.number)
    with kvlayer.client(config) as kvl:
        for turn in range(turns):
            odd = [(2 * choose.randrange(rows) + 1,) for _ in range(20)]
            kvl.put("t", *((key, b"odd") for key in odd))
            kvl.delete("t", *odd[::2])
            if turn == 0:
                me.report(os.getpid())


def use_pickled(config: Config, me: Self, pickled: str) -> None:
    """Uses a client that came as a pickle: reports what it reads, and writes."""
    with pickle.loads(base64.b64decode(pickled)) as kvl:
        found = [value.decode() for _, value in kvl.get("t", ("from the parent",))]
        kvl.put("t", (("from the worker",), b"2"))
        me.report(found)


def write_until_killed(config: Config, me: Self, crash: int, batch_sizes: list[int]) -> None:
    """Puts batches, deletes those before, and counts; reports each step when it was acknowledged."""
    with kvlayer.client(config) as kvl:
        counts = kvl.capabilities.atomic_increment
        me.report(os.getpid())
        for batch in range(10_000):
            rows = batch_rows(crash, batch, batch_sizes[batch % len(batch_sizes)])
            kvl.put("rows", *rows)
            me.report("put")
            if counts:
                kvl.increment("counts", ((crash, "a"), 1), ((crash, "b"), 1))
                me.report("counted")
            if batch >= 3:
                size = batch_sizes[(batch - 3) % len(batch_sizes)]
                kvl.delete("rows", *(key for key, _ in batch_rows(crash, batch - 3, size)))
                me.report("deleted")


def batch_rows(crash: int, batch: int, size: int) -> list[tuple[tuple[int, int, int], bytes]]:
    """The rows of one batch of `write_until_killed`."""
    return [((crash, batch, n), b"%d %d %d" % (crash, batch, n)) for n in range(size)]


def set_up_until_killed(config: Config, me: Self, tables: int) -> None:
    """Makes a namespace with tables and deletes it, over and over; reports when it was made."""
    with kvlayer.client(config) as kvl:
        me.report(os.getpid())
        for _ in range(10_000):
            kvl.setup_namespace({f"t{n}": (int,) for n in range(tables)})
            kvl.put("t0", ((0,), b"old"))
            me.report("made")
            kvl.delete_namespace()


def fork(config: Config, me: Self, close_in_child: bool) -> None:
    """Uses a client, forks in the midst of a scan, and uses client and scan on both sides; reports
    [child, rows of the child's scan, parent, rows of the parent's]: what they read, or the name of the
    error."""
    kvl = kvlayer.client(config)
    kvl.setup_namespace({"t": (str,)})
    kvl.put("t", *(((f"{n:04}",), b"before") for n in range(SCANNED_ROWS)))
    scan = kvl.scan_keys("t")
    begun = sum(1 for _ in islice(scan, SCANNED_BEFORE_FORK))

    def in_child() -> list[Any]:
        scanned = _after_fork(lambda: begun + sum(1 for _ in scan))
        return [_use_after_fork(kvl, "child", close_in_child), scanned]

    child = _in_child(in_child)
    scanned = begun + sum(1 for _ in scan)
    me.report([*child, _use_after_fork(kvl, "parent", False), scanned])
    kvl.close()


def fork_among_threads(config: Config, me: Self, forks: int) -> None:
    """Forks while other threads are in the middle of operations; reports what each child read."""
    kvl = kvlayer.client(config)
    kvl.setup_namespace({"t": (str,), "busy": (int,)})
    kvl.put("t", (("0000",), b"before"))
    ended = threading.Event()

    def keep_busy(number: int) -> None:
        with kvlayer.client(config) as own:
            while not ended.is_set():
                for client in (kvl, own):
                    client.put("busy", ((number,), b""))
                    list(client.scan("busy"))

    threads = [threading.Thread(target=keep_busy, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    children = [_in_child(lambda: _use_after_fork(kvl, "child", True)) for _ in range(forks)]
    ended.set()
    for thread in threads:
        thread.join()
    me.report(children)
    kvl.close()


def _use_after_fork(kvl: kvlayer.Client, name: str, close: bool) -> Any:
    def use() -> list[str]:
        kvl.put("t", ((name,), b"after"))
        found = [value.decode() for _, value in kvl.get("t", ("0000",), (name,))]
        if close:
            kvl.close()
            gc.collect()
        return found

    return _after_fork(use)


def _after_fork(use: Callable[[], Any]) -> Any:
    try:
        return use()
    except kvlayer.KvlayerError as error:
        return type(error).__name__


def _in_child(function: Callable[[], Any]) -> Any:
    """What the function returns in a forked child, or how the child ended."""
    end, child_end = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(FORK_PATIENCE)
        try:
            os.write(child_end, json.dumps(function()).encode())
        except BaseException as error:
            os.write(child_end, json.dumps(f"{type(error).__name__}: {error}").encode())
        finally:
            os._exit(0)
    os.close(child_end)
    with open(end, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return "hangs" if os.WTERMSIG(status) == signal.SIGALRM else f"signal {os.WTERMSIG(status)}"
    return json.loads(said)
