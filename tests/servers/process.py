"""A server of a test: one process group on the loopback, with a folder of its own, stopped whatever happens."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def temporary_folder(user: str | None = None) -> Path:
    """A new folder for a server's data, owned by `user` (default: who runs the tests).

    Not under pytest's own, which other users can't enter and whose paths are too long for a socket.
    """
    folder = Path(tempfile.mkdtemp(prefix="kvlayer-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if user is not None:
        shutil.chown(folder, user, user)
    return folder


class ServerProcess:
    """A process group that runs a server. It ends with `stop`, with the tests, or when they are killed."""

    def __init__(self, command: Sequence[str | Path], *, folder: Path, user: str | None = None) -> None:
        """Starts `command` in `folder`, as `user` if root runs the tests. `log` in the folder gets its output.

        The server does not outlive the thread that starts it.
        """
        self.command = [str(part) for part in command]
        self.folder = folder
        self.log = folder / "log"
        # The kernel kills the server when whoever runs the tests is killed, which no handler here could do.
        launcher = ["setpriv", "--pdeathsig", "KILL"]
        if user is not None and os.geteuid() == 0:
            launcher += ["--reuid", user, "--regid", user, "--init-groups"]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*launcher, "--", *self.command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.kill)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], patience: float = 60.0) -> None:
        """Returns once `ready()` is true; an OSError that it raises counts as "not yet".

        Raises RuntimeError, with the end of the log, if the server ends or `patience` seconds pass.
        """
        deadline = time.monotonic() + patience
        while not self._is_ready(ready):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                output = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.command[0]} did not start:\n{output}")
            time.sleep(0.01)

    def pause(self) -> None:
        """Lets the server hang until `resume`."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause`."""
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, patience: float = 20.0, sign: signal.Signals = signal.SIGTERM) -> None:
        """Asks the server to end, and kills it if it hasn't after `patience` seconds. Twice is fine."""
        if self._process.poll() is None:
            os.kill(self.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """Ends the whole group at once, as a power cut would. Twice is fine."""
        atexit.unregister(self.kill)
        if self._process.returncode is None:  # not yet waited for, so the id is still its own
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    @staticmethod
    def _is_ready(ready: Callable[[], bool]) -> bool:
        try:
            return ready()
        except OSError:
            return False
