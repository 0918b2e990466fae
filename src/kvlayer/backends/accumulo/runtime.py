"""Finds a Java runtime that Accumulo's client works with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kvlayer.errors import ConfigurationError

OLDEST: Final = 11
"""The Java that Accumulo 2.1 is built for."""

NEWEST: Final = 21
"""The last one that Hadoop 3.3, a part of Accumulo's client, is known to work with; it fails on 24."""

_ADVICE: Final = (
    f"Accumulo's client needs Java {OLDEST} to {NEWEST}: install it (Debian, Ubuntu: apt install"
    " default-jre-headless) or name its folder in JAVA_HOME"
)

# Where installers put Java, besides the PATH.
_USUAL_PLACES: Final = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)

_LIBRARIES: Final = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll")


@dataclass(frozen=True, slots=True)
class _Java:
    home: Path
    version: int

    @property
    def fits(self) -> bool:
        return OLDEST <= self.version <= NEWEST

    def __str__(self) -> str:
        return f"Java {self.version} ({self.home})"


def jvm_library() -> Path:
    """The shared library of the Java runtime to use: JAVA_HOME's, else the one on the PATH or a usual one.

    Raises ConfigurationError where none fits.
    """
    unfit = []
    for java in _candidates():
        if not java.fits:
            unfit.append(java)
        elif library := next(filter(Path.is_file, map(java.home.joinpath, _LIBRARIES)), None):
            return library
    found = f"found only {', '.join(map(str, dict.fromkeys(unfit)))}" if unfit else "found no Java"
    raise ConfigurationError(f"{found}; {_ADVICE}")


def _candidates() -> Iterator[_Java]:
    home = os.environ.get("JAVA_HOME")
    if home:
        java = _examine(str(Path(home, "bin", "java")))
        if java is None:
            raise ConfigurationError(f"JAVA_HOME: {home!r} is no folder of a Java runtime; {_ADVICE}")
        yield java
        return
    programs = [shutil.which("java")]
    for pattern in _USUAL_PLACES:
        programs += map(str, sorted(Path("/").glob(f"{pattern}/bin/java".lstrip("/")), reverse=True))
    for program in programs:
        if program is not None and (java := _examine(program)) is not None:
            yield java


def _examine(program: str) -> _Java | None:
    """What a `java` program says of itself, which may be a script that calls another."""
    command = [program, "-XshowSettings:properties", "-version"]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Java
            command, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stderr + done.stdout
    home = re.search(r"^\s*java\.home = (.+?)\s*$", said, re.MULTILINE)
    version = re.search(r"^\s*java\.version = (?:1\.)?(\d+)", said, re.MULTILINE)
    if home is None or version is None:
        return None
    return _Java(Path(home[1]), int(version[1]))
