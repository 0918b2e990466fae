"""Rounds of all operations, in which the contenders of one group take turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from typing import Any, Final, TypeAlias

from benchmarks.alternatives.contender import Contender, Key
from benchmarks.alternatives.rows import Rows
from benchmarks.harness import Progress, Standing, Step, take_turns
from benchmarks.workload import in_batches

_MANY: Final = ("put", "get", "delete", "increment", "scan", "range")
_SINGLE: Final = ("put_each", "get_each", "delete_each", "increment_each")

_STEP: Final = 50  # rows that one contender moves one by one before the next one's turn
_SCANNED: Final = 1000

_Seconds: TypeAlias = dict[str, list[float]]
"""What an operation took in one round; in the order of the contenders, of those that can do it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Contenders whose rows are equally safe."""

    durability: str
    open: Callable[[], AbstractContextManager[Sequence[Contender]]]
    """Opens them all, each with an empty table; kvlayer is the first one."""


def measure(group: Group, rows: Rows, rounds: int, progress: Progress) -> list[Standing]:
    """How the contenders of a group compare. Raises AssertionError where one gives wrong answers."""
    with group.open() as contenders:
        for contender in contenders:
            check(contender, Rows.make(200, 150))
    results = []
    for number in range(1, rounds + 1):
        progress(f"alternatives, {group.durability}: round {number} of {rounds}")
        with group.open() as contenders:
            results.append(_round(contenders, rows))
    return [
        _standing(group, contenders, contender, operations, batch_size, results)
        for operations, batch_size in ((_MANY, max(map(len, rows.put))), (_SINGLE, 1))
        for contender in contenders
        if any(map(contender.can, operations))
    ]


def _round(contenders: Sequence[Contender], rows: Rows) -> _Seconds:
    """The microseconds a row of each operation."""
    each_put = in_batches(rows.single_put, _STEP)
    each_get = in_batches(rows.single_get, _STEP)
    each_delete = in_batches([key for key, _ in rows.single_put], _STEP)
    microseconds: _Seconds = {}

    def run(operation: str, count: int, steps: Callable[[Contender], Iterator[Step]]) -> None:
        able = [contender for contender in contenders if contender.can(operation)]
        taken = take_turns([steps(contender) for contender in able])
        microseconds[operation] = [seconds / count * 1e6 for seconds in taken]

    def run_batches(operation: str, batches: list[list[Any]]) -> None:
        def steps(contender: Contender) -> Iterator[Step]:
            return (partial(getattr(contender, operation), batch) for batch in batches)

        run(operation, sum(map(len, batches)), steps)

    run_batches("put", rows.put)
    for contender in contenders:
        if not contender.can("put"):
            for batch in rows.put:
                contender.put_each(batch)
    run_batches("get", rows.get)
    run("scan", rows.count, partial(_scan_steps, rows.count))
    run("range", rows.count, lambda contender: (partial(contender.range, name) for name in rows.names))
    run_batches("put_each", each_put)
    run_batches("get_each", each_get)
    run_batches("delete_each", each_delete)
    run_batches("increment", rows.get)
    run_batches("increment_each", each_get)
    run_batches("delete", rows.delete)
    return microseconds


def _scan_steps(count: int, contender: Contender) -> Iterator[Step]:
    answers = iter(contender.scan())
    for _ in range(0, count + 1, _SCANNED):  # one row more: the scan has to end
        yield lambda: deque(islice(answers, _SCANNED), maxlen=0)


def _standing(
    group: Group,
    contenders: Sequence[Contender],
    contender: Contender,
    operations: Sequence[str],
    batch_size: int,
    results: Sequence[_Seconds],
) -> Standing:
    """One line of the comparison."""
    store_us, kvlayer_us, ratios = {}, {}, {}
    for operation in filter(contender.can, operations):
        at = [other for other in contenders if other.can(operation)].index(contender)
        name = operation.removesuffix("_each")
        store_us[name] = min(result[operation][at] for result in results)
        kvlayer_us[name] = min(result[operation][0] for result in results)
        ratios[name] = [result[operation][at] / result[operation][0] for result in results]
    return Standing(
        durability=group.durability,
        store=contender.name,
        version=version(contender.package) if contender.package else "",
        ordered=contender.ordered,
        batch_size=batch_size,
        store_us=store_us,
        kvlayer_us=kvlayer_us,
        ratios={} if contender is contenders[0] else ratios,
    )


def check(contender: Contender, rows: Rows) -> None:
    """Does everything once and raises AssertionError where the answers are wrong."""
    stored: dict[Key, bytes] = {}
    for batch in rows.put:
        (contender.put if contender.can("put") else contender.put_each)(batch)
        stored.update(batch)
    contender.put_each(rows.single_put)
    stored.update(rows.single_put)
    right = {"get_each": contender.get_each(list(stored)) == list(stored.values())}
    for key, _ in rows.single_put:
        del stored[key]
    contender.delete_each([key for key, _ in rows.single_put])
    if contender.can("get"):
        right["get"] = all(contender.get(keys) == [stored[key] for key in keys] for keys in rows.get)
    if contender.can("scan"):
        right["scan"] = list(contender.scan()) == _in_order(stored)
    if contender.can("range"):
        right["range"] = all(
            contender.range(name)
            == _in_order({key: value for key, value in stored.items() if key[0] == name})
            for name in rows.names
        )
    if contender.can("increment_each"):
        single = contender.increment_each(rows.single_get)
        batches = [total for keys in rows.get for total in contender.increment(keys)]
        counted_before = set(rows.single_get)
        right["increment"] = single == [1] * len(single) and batches == [
            1 + (key in counted_before) for keys in rows.get for key in keys
        ]
    for keys in rows.delete:
        (contender.delete if contender.can("delete") else contender.delete_each)(keys)
    if contender.can("scan"):
        right["delete"] = not list(contender.scan())
    wrong = [operation for operation, is_right in right.items() if not is_right]
    if wrong:
        raise AssertionError(f"{contender.name} gives wrong answers: {', '.join(wrong)}")


def _in_order(rows: dict[Key, bytes]) -> list[tuple[Key, bytes]]:
    return sorted(rows.items())
