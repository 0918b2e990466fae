"""Tables from one store to another, several ranges at once, resumable."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from typing import Any, Final

from kvlayer import catalog
from kvlayer.ahead import read_ahead
from kvlayer.catalog import TableInfo
from kvlayer.client import Client
from kvlayer.errors import KvlayerError, NoSuchTable, ProgrammerError
from kvlayer.tools import filling
from kvlayer.tools.comparing import verify as compare
from kvlayer.tools.copy_state import CopyState, RangeState
from kvlayer.tools.errors import Differing, TransferError
from kvlayer.tools.raw import RawTable, require_order, size_of
from kvlayer.tools.records import Progress, ProgressReport, Transferred
from kvlayer.tools.reporting import INTERVAL
from kvlayer.tools.splitting import split

_ROWS_WORTH_A_RANGE: Final = 10_000
_RANGES_PER_JOB: Final = 4


def copy(
    source: Client,
    destination: Client,
    tables: Sequence[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int = 4,
    verify: bool = False,
    progress: ProgressReport | None = None,
) -> list[Transferred]:
    """Copies tables (none named: all) to another store or namespace, in constant memory.

    `jobs` ranges of keys are copied at once. In the destination the tables must be empty or not there
    yet; with `overwrite` what they hold is removed. Until the whole copy has ended they are marked as
    incomplete there. How far each range got is kept in the destination's catalogue, so that after an
    error, Ctrl-C or a crash the same call with `resume` goes on where it stopped. Rows that are written
    to the source meanwhile, or between two parts of a copy, may or may not be copied; `verify` compares
    both sides in the end and tells.

    Raises TransferError where both are the same store, where a table of the source is incomplete or one
    of the destination holds rows, and where there is a copy to resume, but from another source;
    Differing where `verify` found differences; NoSuchTable; SchemaMismatch where a table has other types;
    BadKey for a row that doesn't fit the destination's limits; NotSupported where the source's scans
    don't come in key order; ProgrammerError for jobs below 1, or both `resume` and `overwrite`.
    """
    if jobs < 1:
        raise ProgrammerError(f"copy: jobs must be at least 1, not {jobs}")
    if resume and overwrite:
        raise ProgrammerError("copy: resume keeps what is there and overwrite removes it; choose one")
    require_order(source, "copy")
    _check_not_the_same(source, destination)
    wanted = filling.whole(source, tables)
    notes = [_note_to_resume(source, destination, info) if resume else None for info in wanted]
    for info, note in zip(wanted, notes, strict=True):
        if note is None and not overwrite:
            filling.check_empty(destination, info)
        else:
            filling.check_schema(destination, info)
    # All are marked before the first is emptied, so that whatever stops this here can be resumed.
    begun = [
        note or _mark(source, destination, info, overwrite) for info, note in zip(wanted, notes, strict=True)
    ]
    states = [
        _state(RawTable(source, info.name), destination, note, jobs)
        for info, note in zip(wanted, begun, strict=True)
    ]
    _run(states, jobs, progress)
    catalog.remove_notes(destination._connected(), [info.name for info in wanted])
    if verify:
        comparison = compare(source, destination, [info.name for info in wanted], progress=progress)
        if not comparison.equal:
            raise Differing(
                f"the copy has ended, and {comparison.differing} of {comparison.rows} keys differ", comparison
            )
    return [Transferred(state.source.name, state.rows, state.size) for state in states]


def _check_not_the_same(source: Client, destination: Client) -> None:
    """Writes a random row into one catalogue and looks for it in the other: addresses can't tell."""
    backend = destination._connected()
    backend.create_tables([catalog.CATALOG])
    probe = f"{catalog.RESERVED_PREFIX}_probe:{secrets.token_hex(16)}".encode()
    backend.put(catalog.CATALOG, [(probe, b"")])
    try:
        (found,) = source._connected().get(catalog.CATALOG, [probe])
    except NoSuchTable:
        found = None
    finally:
        backend.delete(catalog.CATALOG, [probe])
    if found is not None:
        raise TransferError(f"source and destination are the same: {source!r}")


def _identity(source: Client, info: TableInfo) -> dict[str, Any]:
    """What tells a table from another one that a copy may have begun with."""
    settings = source._settings
    return {
        "storage_type": settings.common.storage_type,
        "app_name": settings.app_name,
        "namespace": settings.namespace,
        "incarnation": info.incarnation,
    }


def _note_to_resume(source: Client, destination: Client, info: TableInfo) -> dict[str, Any] | None:
    """The note of a copy of this table that was stopped; None where there is no note."""
    note = catalog.read_note(destination._connected(), info.name)
    if note is not None and note.get("source") != _identity(source, info):
        raise TransferError(
            f"table {info.name!r} of {destination!r} is incomplete, but not by a copy from this table:"
            f" {note['reason']}; overwrite it to begin anew"
        )
    return note


def _mark(source: Client, destination: Client, info: TableInfo, overwrite: bool) -> dict[str, Any]:
    """Marks a table as incomplete; the note of a copy that has not begun yet has no ranges."""
    identity = _identity(source, info)
    note = {
        "reason": f"a copy of it from {identity['storage_type']} (app name {identity['app_name']!r},"
        f" namespace {identity['namespace']!r}) has not ended",
        "source": identity,
        "clear": overwrite,
    }
    filling.mark(destination, info, note, overwrite=overwrite)
    return note


def _state(table: RawTable, destination: Client, note: dict[str, Any], jobs: int) -> CopyState:
    """How far a copy got, as its note says; one that has not begun gets its ranges."""
    begins = "ranges" not in note
    filled = filling.make(destination, table.info, clear=begins and note.get("clear") is True)
    if not begins:
        return CopyState.resumed(table, filled, note)
    ranges = [RangeState(start, stop) for start, stop in split(table, _pieces(table, jobs))]
    state = CopyState(table, filled, note, ranges)
    state.save()
    return state


def _pieces(table: RawTable, jobs: int) -> int:
    """Into how many ranges a table is worth being divided."""
    pieces = 1 if jobs == 1 else jobs * _RANGES_PER_JOB
    rows = table.estimate_rows()
    return pieces if rows is None else min(pieces, rows // _ROWS_WORTH_A_RANGE + 1)


def _run(states: list[CopyState], jobs: int, progress: ProgressReport | None) -> None:
    """Copies all that is left; records how far that got, whatever happens."""
    stop = threading.Event()
    reports = _Reports(states, progress)
    try:
        with (
            ThreadPoolExecutor(jobs, "kvlayer-read") as readers,
            ThreadPoolExecutor(jobs, "kvlayer-write") as writers,
        ):
            pending: set[Future[None]] = {
                writers.submit(_copy_range, state, part, readers, stop)
                for state in states
                for part in state.ranges
                if not part.ended
            }
            try:
                while pending:
                    done, pending = wait(pending, timeout=INTERVAL, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    reports.tell()
            except BaseException:
                stop.set()
                writers.shutdown(wait=False, cancel_futures=True)
                raise
    except BaseException:
        for state in states:
            with suppress(KvlayerError):  # what stopped the copy matters more
                state.save()
        raise


class _Reports:
    """Tells, of all tables that are copied at once, how far those got that have moved."""

    def __init__(self, states: list[CopyState], progress: ProgressReport | None) -> None:
        self._states = states
        self._progress = progress
        self._told = [-1] * len(states)

    def tell(self) -> None:
        if self._progress is None:
            return
        for number, state in enumerate(self._states):
            rows = state.rows
            if rows != self._told[number]:
                self._told[number] = rows
                self._progress(Progress(state.source.name, rows, state.size, state.total_rows))


def _copy_range(
    state: CopyState, part: RangeState, readers: ThreadPoolExecutor, stop: threading.Event
) -> None:
    with closing(read_ahead(readers, state.source.rows(part.position, part.stop))) as pages:
        for page in pages:
            if stop.is_set():
                return
            state.destination.put(page)
            state.advance(part, page[-1][0], len(page), size_of(page))
    state.end(part)
