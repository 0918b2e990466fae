"""PostgreSQL whose disk gets full: errors are clear, nothing acknowledged is lost, and it goes on once there is room.

The disk is a small filesystem in memory. Where none may be mounted, the system lets no file of the
server's grow further, which is as true a refusal, with another code.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

import kvlayer
from servers.postgres import PostgresServer, unprivileged_user
from servers.process import temporary_folder

MEGABYTE = 2**20

MakeRoom = Callable[[], None]


@pytest.fixture(params=["a full filesystem", "files that can't grow"])
def mounted(request: pytest.FixtureRequest) -> bool:
    """Whether a filesystem is what gets full."""
    return request.param == "a full filesystem" and _may_mount()


def test_no_room_for_tables(mounted: bool) -> None:
    """The server refuses what it can't write, and answers all else."""
    with (
        PostgresServer() as server,
        _tables_on_small_disk(server, mounted) as make_room,
        kvlayer.client(server.config, app_name="app", namespace="ns") as kvl,
    ):
        kvl.setup_namespace({"t": (int, int), "n": (str,)}, {"n": kvlayer.COUNTER})
        kvl.increment("n", (("a",), 1))
        acknowledged, error = fill(kvl)
        assert "Nothing of this call was written" in str(error)
        assert ("disk is full" if mounted else "File too large") in str(error)
        assert error.retryable is mounted
        assert batches(kvl) == acknowledged
        make_room()
        kvl.put("t", ((-1, 0), b""))
        assert kvl.increment("n", (("a",), 1)) == [2]
        assert batches(kvl) == acknowledged


def test_no_room_for_the_log(mounted: bool) -> None:
    """The server gives up and starts anew, when it can: as after a crash."""
    with _log_on_small_disk(mounted) as (server, make_room):
        config = {**server.config, "retry_seconds": 0.5}
        with kvlayer.client(config, app_name="app", namespace="ns") as kvl:
            kvl.setup_namespace({"t": (int, int)})
            acknowledged, error = fill(kvl)
            assert "was lost" in str(error) or "no connection" in str(error)
            assert "All or nothing of this call may have been written" in str(error)
            assert error.retryable
            make_room()
            found = batches(kvl)
            assert acknowledged <= found <= {*acknowledged, len(acknowledged)}
            kvl.put("t", ((-1, 0), b""))


def fill(kvl: kvlayer.Client) -> tuple[set[int], kvlayer.StorageError]:
    """Puts batches of 50 rows until one fails: the numbers of the others, and the error."""
    for number in range(1000):
        try:
            kvl.put("t", *(((number, row), random.randbytes(2000)) for row in range(50)))
        except kvlayer.StorageError as error:
            assert number
            return set(range(number)), error
    pytest.fail("the disk did not get full")


def batches(kvl: kvlayer.Client) -> set[int]:
    """The numbers of the batches that are there; wholly, or the test fails."""
    keys = list(kvl.scan_keys("t", ((0,), None)))
    numbers = {number for number, _ in keys}
    assert keys == [(number, row) for number in sorted(numbers) for row in range(50)]
    return numbers


@contextmanager
def _tables_on_small_disk(server: PostgresServer, mounted: bool) -> Iterator[MakeRoom]:
    """Moves the database to a disk with some megabytes left; the function makes it larger."""
    if not mounted:
        server.limit_files(16 * MEGABYTE)  # as long as a file of the log
        server.stop()
        server.start()
        yield lambda: _start_without_limit(server, server.stop)
        return
    with _small_filesystem(24 * MEGABYTE) as folder:
        with server.connect("postgres") as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{folder}'".encode())
            admin.execute("ALTER DATABASE kvlayer SET TABLESPACE small")
        yield lambda: _enlarge(folder)
        server.stop()


@contextmanager
def _log_on_small_disk(mounted: bool) -> Iterator[tuple[PostgresServer, MakeRoom]]:
    """A server whose log has room for some megabytes; the function makes room, and starts it if need be."""
    if not mounted:
        with PostgresServer() as server:
            server.limit_files(15 * MEGABYTE)  # shorter than a file of the log
            server.stop()
            server.start()
            yield server, lambda: _start_without_limit(server, server.crash)
        return
    with (
        _small_filesystem(40 * MEGABYTE) as folder,
        PostgresServer({"max_wal_size": "1GB"}, "--waldir", f"{folder}/log") as server,
    ):

        def make_room() -> None:
            _enlarge(folder)
            server.crash()  # whatever it is doing now
            server.start()

        yield server, make_room
        server.stop()


def _start_without_limit(server: PostgresServer, end: Callable[[], None]) -> None:
    server.limit_files(None)
    end()
    server.start()


@contextmanager
def _small_filesystem(size: int) -> Iterator[Path]:
    """A folder of the server's user with room for so many bytes."""
    user = unprivileged_user()
    folder = temporary_folder(user)
    _mount(folder, size)
    try:
        if user is not None:
            shutil.chown(folder, user, user)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={500 * MEGABYTE}", folder], check=True)


def _mount(folder: Path, size: int) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


@cache
def _may_mount() -> bool:
    try:
        with _small_filesystem(MEGABYTE):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
