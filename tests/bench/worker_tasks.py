"""What worker processes do in the tests; they import it by its name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from kvlayer.bench.lanes import Lane


def meet(lane: Lane, phases: list[str]) -> dict[str, Any]:
    begins = [lane.wait_for_all(phase) for phase in phases]
    return {
        "number": lane.number,
        "count": lane.count,
        "pid": os.getpid(),
        "client": id(lane.client),
        "begins": begins,
        "late": [time.monotonic() - begin for begin in begins[-1:]],
    }


def put_own_number(lane: Lane, table: str) -> list[int]:
    """All that is there when all have put theirs."""
    lane.client.put(table, ((lane.number,), b""))
    lane.wait_for_all("read")
    return [number for (number,) in lane.client.scan_keys(table)]


def report_until(lane: Lane, seen: Path) -> None:
    lane.wait_for_all("work")
    while not seen.exists():
        lane.report(1, 10)
        time.sleep(0.01)


def wait_for_ever(lane: Lane, folder: Path) -> None:
    """Leaves its process id in the folder."""
    (folder / str(os.getpid())).touch()
    while True:
        time.sleep(60)


def let_one_fail(lane: Lane, arguments: tuple[str, Path]) -> None:
    """The last lane fails, in one of many ways, when all others have left their ids in the folder."""
    way, folder = arguments
    if lane.number < lane.count - 1:
        wait_for_ever(lane, folder)
    while len(list(folder.iterdir())) < lane.count - 1:
        time.sleep(0.01)
    sys.stdout.write("last words\n")
    sys.stdout.flush()
    if way == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "ended":
        os._exit(7)
    raise ValueError("one line\nand another")


def not_picklable(lane: Lane, _: None) -> Any:
    return lambda: lane


def what_others_see(lane: Lane, _: None) -> str:
    """The command line and the environment of the process."""
    seen = [Path("/proc/self", name).read_bytes() for name in ("cmdline", "environ")]
    return b"\n".join(seen).replace(b"\0", b" ").decode(errors="replace")
