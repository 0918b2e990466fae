"""Builds helper.jar of the Java source beside this file: `make accumulo-helper`.

The compiler is a pinned one from Maven Central that any Java from 11 to 21 runs, so the jar is the same, byte
for byte, wherever it is built, and no JDK is needed. A test compares it with the source.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from kvlayer.backends.accumulo import jars, runtime

_HERE: Final = Path(__file__).parent
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # of zip files; the time of a build must not show


def main() -> None:
    """Builds the jar in its place."""
    _HERE.parent.joinpath("helper.jar").write_bytes(build())


def build() -> bytes:
    """The contents of the jar. Raises subprocess.CalledProcessError with what the compiler says."""
    java = runtime.jvm_library().parents[2] / "bin" / "java"
    [compiler] = jars.fetch(_HERE.joinpath("compiler.jars").read_text())
    class_path = os.pathsep.join(map(str, jars.client_jars()))
    sources = sorted(map(str, _HERE.glob("kvlayer/**/*.java")))
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "-source",
            "11",
            "-target",
            "11",
            "-g:lines,source",
            "-warn:none",
            "-proc:none",
            "-cp",
            class_path,
            "-d",
            folder,
        ]
        command = [
            str(java),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            str(compiler),
            *options,
            *sources,
        ]
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - all of it is known
        return _packed(Path(folder))


def _packed(folder: Path) -> bytes:
    path = folder / "jar"
    with zipfile.ZipFile(path, "w") as jar:  # stored, since compressors differ
        jar.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _EPOCH), "Manifest-Version: 1.0\r\n\r\n")
        for file in sorted(folder.rglob("*.class")):
            jar.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH), file.read_bytes())
    return path.read_bytes()


if __name__ == "__main__":
    main()
