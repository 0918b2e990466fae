"""Whether two stores hold the same rows."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from operator import itemgetter
from typing import Final, Literal, TypeAlias

from kvlayer.ahead import read_ahead
from kvlayer.backends.base import Row
from kvlayer.client import Client
from kvlayer.errors import NoSuchTable
from kvlayer.tools import filling
from kvlayer.tools.errors import TransferError
from kvlayer.tools.raw import RawTable, require_order, size_of
from kvlayer.tools.records import ComparedTable, Comparison, Difference, ProgressReport
from kvlayer.tools.reporting import Reporter

LIMIT_DIFFERENCES: Final = 20
"""How many differences a comparison lists unless told."""

_Rows: TypeAlias = list[Row]
_Kind: TypeAlias = Literal["missing", "unexpected", "different"]


def verify(
    a: Client,
    b: Client,
    tables: Sequence[str] | None = None,
    *,
    progress: ProgressReport | None = None,
    limit_differences: int = LIMIT_DIFFERENCES,
) -> Comparison:
    """Compares tables (none named: all of `a`) row by row, in constant memory.

    Keys and values are compared as they are stored. Up to `limit_differences` keys are listed; all are
    counted. Rows that are written meanwhile may show as differences.

    Raises TransferError where both are configured as the same store, NoSuchTable where a table is in only
    one of them, SchemaMismatch where it has other types, NotSupported where scans don't come in key order.
    """
    require_order(a, "verify")
    require_order(b, "verify")
    if _place(a) == _place(b):
        raise TransferError(f"both are the same: {a!r}")
    wanted = filling.chosen(a, tables)
    for info in wanted:
        if not filling.check_schema(b, info):
            raise NoSuchTable(f"no table {info.name!r} in {b!r}")
    compared: list[ComparedTable] = []
    differences: list[Difference] = []
    with ThreadPoolExecutor(2, "kvlayer-verify") as readers:
        for info in wanted:
            table = RawTable(a, info.name)
            reporter = Reporter(progress, info.name, table.estimate_rows())
            kinds: Counter[_Kind] = Counter()
            for key, kind in _differences(readers, table, RawTable(b, info.name), reporter):
                kinds[kind] += 1
                if len(differences) < limit_differences:
                    differences.append(Difference(info.name, table.decode_key(key), kind))
            reporter.tell()
            counts = kinds["missing"], kinds["unexpected"], kinds["different"]
            compared.append(ComparedTable(info.name, reporter.rows, *counts))
    return Comparison(compared, differences)


def _place(client: Client) -> tuple[object, ...]:
    settings = client._settings
    return settings.backend, settings.options, settings.app_name, settings.namespace


def _differences(
    readers: ThreadPoolExecutor, a: RawTable, b: RawTable, reporter: Reporter
) -> Iterator[tuple[bytes, _Kind]]:
    """The keys at which two tables differ, in order."""
    with (
        closing(read_ahead(readers, a.rows(b"", None))) as left,
        closing(read_ahead(readers, b.rows(b"", None))) as right,
    ):
        for ours, theirs in _side_by_side(left, right):
            if ours == theirs:
                reporter.add(len(ours), size_of(ours))
                continue
            expected, found = dict(ours), dict(theirs)
            both = {**expected, **found}
            for key in sorted(both):
                if key not in found:
                    yield key, "missing"
                elif key not in expected:
                    yield key, "unexpected"
                elif expected[key] != found[key]:
                    yield key, "different"
            reporter.add(len(both), size_of(list(both.items())))


def _side_by_side(left: Iterator[_Rows], right: Iterator[_Rows]) -> Iterator[tuple[_Rows, _Rows]]:
    """What both sides hold between the same two keys, from the first key to the last."""
    ours: _Rows = []
    theirs: _Rows = []
    while True:
        ours = ours or next(left, [])
        theirs = theirs or next(right, [])
        if not ours or not theirs:
            break
        # Up to here both sides are known.
        edge = min(ours[-1][0], theirs[-1][0])
        ours_at, theirs_at = (bisect_right(rows, edge, key=itemgetter(0)) for rows in (ours, theirs))
        yield ours[:ours_at], theirs[:theirs_at]
        ours, theirs = ours[ours_at:], theirs[theirs_at:]
    for rows in chain([ours] if ours else [], left):
        yield rows, []
    for rows in chain([theirs] if theirs else [], right):
        yield [], rows
