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
        self._user = unprivileged_user()
        self.folder = temporary_folder(self._user)
        self.port = free_port()
        self._limit: list[str] = []
        self._make(*initdb)
        lines = [f"{name} = {value}\n" for name, value in (settings or {}).items()]
        with open(self._data / "postgresql.conf", "a") as file:
            file.write(_CONFIGURATION.format(port=self.port, folder=self.folder) + "".join(lines))
        self.start()
        try:
            self._make_database()
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
        usual = {"host": "127.0.0.1", "port": self.port, "user": "admin", "password": PASSWORD}
        return psycopg.connect(dbname=dbname, autocommit=True, **{"connect_timeout": 5, **usual, **settings})

    def own(self, path: Path) -> None:
        """Gives a file or folder to whom the server runs as."""
        if self._user is not None:
            shutil.chown(path, self._user, self._user)

    def limit_files(self, size: int | None) -> None:
        """The most bytes that a file may have which the server writes, from its next start on."""
        self._limit = [] if size is None else ["prlimit", f"--fsize={size}", "--"]

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [*self._limit, _program("postgres"), "-D", str(self._data)]
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

    def promote(self) -> None:
        """Makes a standby the primary; returns when it takes writes."""
        with self.connect("postgres") as connection:
            connection.execute("SELECT pg_promote(true, 60)")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make_database(self) -> None:
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE kvlayer")

    def _make(self, *arguments: str) -> None:
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        self.own(password_file)
        fixed = ["-U", "admin", "--pwfile", str(password_file), "-A", "scram-sha-256", "-E", "UTF8"]
        self._run("initdb", "-D", str(self._data), "--no-sync", *fixed, *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        """Runs a program of the server's to its end, as the server's user."""
        done = subprocess.run(
            [*_as_user(self._user), _program(program), *arguments],
            cwd=self.folder,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


class StandbyServer(PostgresServer):
    """A copy of another server that follows it; `promote` makes it the primary."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()

    def wait_for(self, state: str) -> None:
        """Returns once the primary says that this standby is in such a state, `sync` or `async`."""
        query = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = %s"
        with self._primary.connect("postgres") as connection:
            self.process.wait_until(lambda: connection.execute(query, (state,)).fetchone() is not None)

    def catch_up(self) -> None:
        """Returns once it has done all that the primary has done by now."""
        replayed = "SELECT 1 WHERE pg_last_wal_replay_lsn() >= %s::pg_lsn"
        with self._primary.connect("postgres") as primary, self.connect("postgres") as own:
            position = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone()
            self.process.wait_until(lambda: own.execute(replayed, position).fetchone() is not None)

    def _make(self, *_: str) -> None:
        source = f"host=127.0.0.1 port={self._primary.port} user=admin password={PASSWORD}"
        # "fast": the copy begins with a checkpoint at once.
        self._run("pg_basebackup", "-D", str(self._data), "-R", "-d", source, "-c", "fast", "--no-sync")

    def _make_database(self) -> None:
        """It comes from the primary."""


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


def unprivileged_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_user(user: str | None) -> list[str]:
    return [] if user is None else ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
