"""PostgreSQL servers for tests and benchmarks: an empty cluster in a temporary folder, on a port of its own."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg

from servers.process import ServerProcess, free_port, temporary_folder

PASSWORD: Final = "sesame-7531"
"""Of the superuser `admin`, who owns the cluster."""

_CONFIGURATION: Final = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 128MB
"""


class PostgresServer:
    """A cluster with a superuser `admin` and a database `kvlayer`. It keeps its data and port over restarts."""

    def __init__(self, settings: Mapping[str, str] | None = None, *initdb: str) -> None:
        """Makes and starts the cluster; `settings` go into its configuration, `initdb` are arguments."""
        self._user = _unprivileged_user()
        self.folder = temporary_folder(self._user)
        self.port = free_port()
        self._make(*initdb)
        lines = [f"{name} = {value}\n" for name, value in (settings or {}).items()]
        with open(self._data / "postgresql.conf", "a") as file:
            file.write(_CONFIGURATION.format(port=self.port, folder=self.folder) + "".join(lines))
        self.start()
        try:
            with self.connect("postgres") as connection:
                connection.execute("CREATE DATABASE kvlayer")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a kvlayer client."""
        return {
            "storage_type": "postgres",
            "storage_addresses": [self.address],
            "username": "admin",
            "password": PASSWORD,
            "dbname": "kvlayer",
        }

    def connect(self, dbname: str = "kvlayer", **settings: Any) -> psycopg.Connection:
        """A bare connection of the superuser, in autocommit mode."""
        given = {"user": "admin", "password": PASSWORD, "connect_timeout": 5, **settings}
        return psycopg.connect(host="127.0.0.1", port=self.port, dbname=dbname, autocommit=True, **given)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [_program("postgres"), "-D", str(self._data)]
        self.process = ServerProcess(command, folder=self.folder, user=self._user)
        self.process.wait_until(self._answers)

    def stop(self) -> None:
        """Ends all sessions and the server (a "fast" shutdown). Twice is fine."""
        self.process.stop(sign=signal.SIGINT)

    def crash(self) -> None:
        """Kills the server at once, as a power cut would."""
        self.process.kill()
        # The server's children are groups of their own; they notice, but not before the next start.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make(self, *arguments: str) -> None:
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        if self._user is not None:
            shutil.chown(password_file, self._user)
        fixed = ["-U", "admin", "--pwfile", str(password_file), "-A", "scram-sha-256", "-E", "UTF8"]
        command = [_program("initdb"), "-D", str(self._data), "--no-sync", *fixed, *arguments]
        done = subprocess.run(
            [*_as_user(self._user), *command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def shared_server() -> PostgresServer:
    """One for all tests of this process that don't stop or configure it; it ends with the process."""
    return PostgresServer()


def _program(name: str) -> str:
    """The newest server program installed; Debian keeps them out of the PATH."""
    versions = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    newest = max(versions, key=lambda path: int(Path(path).parts[4]), default=None)
    program = newest or shutil.which(name)
    if program is None:
        raise RuntimeError(f"{name} is not installed: python tests/servers/install.py")
    return program


def _unprivileged_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_user(user: str | None) -> list[str]:
    return [] if user is None else ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
