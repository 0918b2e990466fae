"""The child process of the suite: `python -m kvlayer.testing.worker [package.module:Backend]`.

It reads orders from its standard input, a line of JSON each, and forks the processes that carry
them out. It opens no store itself, so they inherit none. All start at the same moment, which makes
races likely, and a fork is so much cheaper than a new interpreter that a hundred are no matter.
"""

from __future__ import annotations

import json
import os
import select
import sys
import traceback
from typing import Any

from kvlayer import backends
from kvlayer.testing import tasks
from kvlayer.testing.store import Store


def main(backend: str | None) -> None:
    # What a driver may print must not get between the reports.
    channel = os.dup(1)
    os.dup2(2, 1)
    while line := sys.stdin.buffer.readline():
        _carry_out(json.loads(line), backend, channel)
        _send(channel, "ended")


def _carry_out(order: dict[str, Any], backend: str | None, channel: int) -> None:
    config = order["config"]
    Store(config, backend).register()
    backends.load(config["storage_type"])  # once, here, instead of in each process
    gate, gate_end = os.pipe()
    processes = []
    for number in range(order["count"]):
        process = os.fork()
        if process == 0:
            os.close(gate_end)
            os.read(gate, 1)  # returns when the last of them exists and the gate is closed
            _work(order, number, channel)
        processes.append(process)
    os.close(gate)
    os.close(gate_end)
    for process in processes:
        os.waitpid(process, 0)


def _work(order: dict[str, Any], number: int, channel: int) -> None:
    """Does the task in this forked process, and ends it."""
    try:
        task = getattr(tasks, order["task"])
        task(
            order["config"],
            tasks.Self(number, lambda content: _send(channel, {"worker": number, "report": content})),
            **order["arguments"],
        )
    except BaseException:
        _send(channel, {"worker": number, "failure": traceback.format_exc()[-3000:]})
    finally:
        os._exit(0)


def _send(channel: int, message: Any) -> None:
    """Writes a line; lines of several processes don't mix as long as they are short."""
    line = json.dumps(message).encode() + b"\n"
    if len(line) > select.PIPE_BUF:
        line = json.dumps({"worker": -1, "failure": f"a report of {len(line)} bytes"}).encode() + b"\n"
    os.write(channel, line)


if __name__ == "__main__":
    main(sys.argv[1] or None)
