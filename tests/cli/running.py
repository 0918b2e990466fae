"""Runs the real `kvlayer` in a pipe and in a pseudo-terminal, as a shell would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

COMMAND = [sys.executable, "-W", "error", "-m", "kvlayer.cli"]

CITIES = {
    ("de", "Bonn", 2946447): "Bonn am Rhein",
    ("de", "Köln", 2886242): "Köln am Rhein",
    ("fr", "Nice", 2990440): "Nice la Belle",
    ("fr", "Paris", 2988507): "Paris",
    ("us", "Winchester, VA", 4794120): "Winchester",
}
"""What the table `cities` holds when a test begins."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Result:
    """What a run left behind."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output as text."""
        return self.output.decode()

    @property
    def lines(self) -> list[str]:
        """The lines of the output."""
        return self.text.splitlines()


@dataclass(frozen=True)
class Screen:
    """What a run showed at a terminal."""

    status: int
    raw: str

    @property
    def text(self) -> str:
        """Without colours and movements of the cursor."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")


@dataclass
class Kvlayer:
    """`kvlayer` in a folder, with a configuration file there."""

    folder: Path
    config: Mapping[str, Any] = field(repr=False)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "kvlayer.yaml").write_text(yaml.safe_dump({"kvlayer": dict(self.config)}))

    def __call__(self, *words: str, given: bytes = b"", status: int = 0, complains: bool = True) -> Result:
        """Runs `kvlayer --config kvlayer.yaml WORDS` with a pipe on each side."""
        return self.plain("--config", "kvlayer.yaml", *words, given=given, status=status, complains=complains)

    def plain(self, *words: str, given: bytes = b"", status: int = 0, complains: bool = True) -> Result:
        """Runs `kvlayer WORDS`; a status that is not 0 comes with one line of complaint, unless told."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment(),
            input=given,
            capture_output=True,
            timeout=120,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr.decode())
        assert result.status == status, result
        if status == 0 or not complains:
            assert result.errors == ""
        else:
            assert result.errors.count("\n") == 1, result
            assert result.errors.startswith("kvlayer: "), result
        return result

    def terminal(
        self, *words: str, typed: str = "", status: int = 0, columns: int = 80, colours: bool = True
    ) -> Screen:
        """Runs `kvlayer --config kvlayer.yaml WORDS` at a terminal, where `typed` is typed."""
        own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {**self.environment(), "TERM": "xterm-256color"}
        if not colours:
            environment["NO_COLOR"] = "1"
        environment.pop("COLUMNS")
        process = subprocess.Popen(
            [*COMMAND, "--config", "kvlayer.yaml", *words],
            cwd=self.folder,
            env=environment,
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        if typed:
            os.write(own, typed.encode())
        try:
            shown = _read_all(own)
            ended = process.wait(timeout=120)
        finally:
            process.kill()
            process.wait()
            os.close(own)
        screen = Screen(ended, shown.decode())
        assert screen.status == status, screen
        return screen

    def environment(self) -> dict[str, str]:
        """Of this process, without what would change the output."""
        odd = ("KVLAYER", "FORCE_COLOR", "NO_COLOR", "TTY_", "PYTHONWARNINGS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(odd)}
        return {**inherited, "COLUMNS": "80", "PYTHONUTF8": "1", **self.variables}


def _read_all(terminal: int) -> bytes:
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the last process on the other side has ended
            piece = b""
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
