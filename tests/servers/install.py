"""Installs the servers that the tests need and that are not there yet, by Debian's package manager.

Run as `python tests/servers/install.py`; it does nothing where all are there.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys

from kvlayer.backends.accumulo import runtime
from kvlayer.errors import ConfigurationError

# Package → a program of it: a name on the PATH, or a pattern of paths.
_NEEDED = {
    "redis-server": "redis-server",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "pgbouncer": "/usr/sbin/pgbouncer",
}


def main() -> int:
    """Returns the exit status of the script."""
    missing = [package for package, program in _NEEDED.items() if not _is_there(program)]
    if not _has_java():
        missing.append("default-jre-headless")
    if not missing:
        return 0
    command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        how = f"as root: {' '.join(command)}" if shutil.which("apt-get") else "there is no apt-get to do so"
        return _complain(f"the tests need these servers, please install them: {', '.join(missing)} ({how})")
    print(f"installing {', '.join(missing)}", flush=True)  # noqa: T201
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "-qq", "update"], command):
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return _complain(f"{' '.join(step)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return 0


def _is_there(program: str) -> bool:
    return bool(glob.glob(program)) if "/" in program else shutil.which(program) is not None


def _has_java() -> bool:
    try:
        runtime.jvm_library()
    except ConfigurationError:  # none, or one of a version that Accumulo can't use
        return False
    return True


def _complain(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
