"""What the sqlite backend does when the file, the disk or its rights fail: a clear error, nothing lost."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kvlayer.backends.base import BackendTable
from kvlayer.backends.sqlite import SQLiteBackend
from kvlayer.backends.sqlite.database import Database
from kvlayer.errors import BadKey, StorageError

TABLE = BackendTable("table", kind="counter", incarnation="1")
NOBODY = 65534


def opened(path: Path | str, **options: Any) -> closing[SQLiteBackend]:
    return closing(SQLiteBackend(SQLiteBackend.Options(filename=str(path), **options), "app", "ns"))


def bare(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def stored(backend: SQLiteBackend) -> list[tuple[bytes, bytes]]:
    return [row for page in backend.scan(TABLE, b"", None, reverse=False, limit=None) for row in page]


@contextmanager
def failing(text: str, *, retryable: bool, path: Path | str) -> Iterator[None]:
    """Expects a StorageError that says this, names the file and has SQLite's error as its cause."""
    with pytest.raises(StorageError, match=text) as raised:
        yield
    assert raised.value.retryable is retryable
    assert repr(str(path)) in str(raised.value)
    assert isinstance(raised.value.__cause__, sqlite3.Error)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
def made(path: Path) -> Path:
    """A file with a table of two rows."""
    with opened(path) as backend:
        backend.create_tables([TABLE])
        backend.put(TABLE, [(b"a", b"1"), (b"b", b"2")])
    return path


class TestOpening:
    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "data.db"
        with failing("the folder '.*missing' isn't there", retryable=False, path=path):
            opened(path)

    def test_a_folder_that_came_after_the_configuration(self, path: Path) -> None:
        options = SQLiteBackend.Options(filename=str(path))
        path.mkdir()
        with failing("this is a folder", retryable=False, path=path):
            SQLiteBackend(options, "app", "ns")

    @pytest.mark.parametrize("content", [b"short", b"no database at all " * 1000])
    def test_a_file_that_is_no_database(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with failing("no SQLite database", retryable=False, path=path):
            opened(path)
        assert path.read_bytes() == content
        assert os.listdir(path.parent) == [path.name]

    @pytest.mark.parametrize(
        "mark", ["PRAGMA application_id=7", "CREATE TABLE theirs (x)", "PRAGMA user_version=3"]
    )
    def test_the_database_of_another_application(self, path: Path, mark: str) -> None:
        with bare(path) as connection:
            connection.execute(mark)
        before = path.read_bytes()
        with pytest.raises(StorageError, match="another application") as raised:
            opened(path)
        assert not raised.value.retryable
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    def test_an_empty_file_is_a_new_one(self, path: Path) -> None:
        path.touch()
        with opened(path) as backend:
            assert backend.list_namespaces() == []

    def test_too_many_open_files(self, made: Path) -> None:
        report = in_child(lambda: _open_without_descriptors(made), as_nobody=False)
        assert "too many files" in report["error"]
        assert report["retryable"]


def _open_without_descriptors(path: Path) -> None:
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        opened(path)


class TestRights:
    """Run by a child process, as another user where root runs the tests: root may do everything."""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        """One that other users can enter, unlike pytest's."""
        folder = Path(tempfile.mkdtemp(prefix="kvlayer-test-"))
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)
        shutil.rmtree(folder)

    @pytest.fixture
    def made(self, folder: Path) -> Path:
        path = folder / "data.db"
        with opened(path) as backend:
            backend.create_tables([TABLE])
            backend.put(TABLE, [(b"a", b"1"), (b"b", b"2")])
        return path

    def test_a_file_that_can_only_be_read(self, made: Path) -> None:
        """With a folder that can be written it is readable; a writer gets an error."""
        made.chmod(0o444)
        made.parent.chmod(0o777)

        def read_and_write() -> None:
            with opened(made) as backend:
                assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]
                assert not backend.compare_and_put(TABLE, b"a", b"0", b"1")
                backend.put(TABLE, [(b"c", b"3")])

        report = in_child(read_and_write)
        assert "put of table 'table'" in report["error"]
        assert "can't be written by this user" in report["error"]
        assert not report["retryable"]

    def test_a_folder_that_can_not_be_written(self, made: Path) -> None:
        made.chmod(0o444)
        made.parent.chmod(0o555)
        report = in_child(lambda: opened(made))
        assert "can't make files in its folder" in report["error"]
        assert "VACUUM INTO" in report["error"]
        assert not report["retryable"]

    def test_reading_beside_a_writer_in_a_folder_that_can_not_be_written(self, made: Path) -> None:
        made.chmod(0o644)

        def read() -> None:
            with opened(made) as backend:
                assert stored(backend) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]

        with other_process(made, "INSERT INTO kv_1 VALUES (x'63', x'33')"):
            assert in_child(read) == {}

    def test_the_advice_for_such_a_folder_works(self, made: Path) -> None:
        copy = made.parent / "copy.db"
        with bare(made) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        copy.chmod(0o444)
        made.parent.chmod(0o555)

        def read() -> None:
            with opened(copy) as backend:
                assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]
                assert backend.ping()["journal_mode"] == "delete"

        assert in_child(read) == {}

    def test_a_file_that_can_not_be_read(self, made: Path) -> None:
        made.chmod(0)
        report = in_child(lambda: opened(made))
        assert "can't read the file" in report["error"]
        assert not report["retryable"]

    def test_a_folder_where_no_file_can_be_made(self, folder: Path) -> None:
        folder.chmod(0o555)
        report = in_child(lambda: opened(folder / "new.db"))
        assert "can't make it in its folder" in report["error"]
        assert not report["retryable"]


def in_child(function: Callable[[], object], *, as_nobody: bool = True) -> dict[str, Any]:
    """Calls a function in a forked child, as nobody if this is root; the StorageError it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        report: dict[str, Any] = {}
        try:
            os.close(reading)
            if as_nobody and os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            function()
        except StorageError as error:
            report = {"error": str(error), "retryable": error.retryable}
        except BaseException as error:
            report = {"unexpected": repr(error)}
        finally:
            os.write(writing, json.dumps(report).encode())
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        report = json.load(answer)
    os.waitpid(child, 0)
    assert "unexpected" not in report, report
    return report


@contextmanager
def other_process(path: Path, statement: str) -> Iterator[None]:
    """Another process that executes a statement and keeps its connection open."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute(sys.argv[2]); print('done', flush=True); sys.stdin.read(); c.close()"
    )
    command = [sys.executable, "-c", script, str(path), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield


FILL_A_DISK = """
import sys

from kvlayer.backends.base import BackendTable
from kvlayer.backends.sqlite import SQLiteBackend
from kvlayer.errors import StorageError

table = BackendTable("table")
acknowledged = []
backend = None

def opened():
    return SQLiteBackend(SQLiteBackend.Options(filename=sys.argv[1]), "app", "ns")

def stored():
    pages = backend.scan_keys(table, b"", None, reverse=False, limit=None)
    return [key for page in pages for key in page]

try:
    backend = opened()
    backend.create_tables([table])
    for batch in range(1000):
        keys = [b"%d-%d" % (batch, number) for number in range(20)]
        backend.put(table, [(key, bytes(1000)) for key in keys])
        acknowledged += keys
except StorageError as error:
    assert error.retryable, error
    assert "the disk is full" in str(error), error
assert len(acknowledged) < 2000
if acknowledged:
    assert stored() == sorted(acknowledged)
    backend.close()
    backend = opened()
    assert stored() == sorted(acknowledged)
if backend is not None:
    backend.close()
"""


class TestFull:
    def test_a_full_database(self, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """SQLite's own limit gives the error of a full disk, wherever the tests run."""
        limit_connections(monkeypatch, lambda connection: connection.execute("PRAGMA max_page_count=50"))
        with opened(made) as backend:
            with failing("put of table 'table'.*the disk is full", retryable=True, path=made):
                backend.put(TABLE, [(b"%d" % number, bytes(1000)) for number in range(1000)])
            assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]
            backend.put(TABLE, [(b"c", b"3")])
            assert len(stored(backend)) == 3

    @pytest.mark.parametrize("size", ["8k", "32k", "64k", "1m"])
    def test_a_full_disk(self, tmp_path: Path, size: str) -> None:
        """A real one, where the system lets its users mount a small one of their own."""
        mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
        mounted = f"mount -t tmpfs -o size={size} tmpfs {tmp_path} && "
        try:
            subprocess.run([*mount, mounted + "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no right to mount a file system")
        program = [sys.executable, "-c", FILL_A_DISK, str(tmp_path / "data.db")]
        done = subprocess.run(
            [*mount, mounted + 'exec "$@"', "sh", *program], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def test_a_file_that_may_not_grow(self, made: Path) -> None:
        """As under `ulimit -f`, or a quota: the system refuses in the midst of writing."""

        def write() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            with opened(made) as backend:
                try:
                    backend.put(TABLE, [(b"%d" % number, bytes(1000)) for number in range(1000)])
                finally:
                    assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]
                    backend.put(TABLE, [(b"c", b"3")])

        report = in_child(write, as_nobody=False)
        assert "put of table 'table'" in report["error"]
        assert "ulimit -f" in report["error"]
        with opened(made) as backend:
            assert stored(backend) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]

    def test_a_row_above_sqlites_limit(self, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        limit_connections(
            monkeypatch, lambda connection: connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
        )
        with opened(made) as backend:
            with pytest.raises(BadKey, match="'table'.*longer than SQLite's limit"):
                backend.put(TABLE, [(b"c", b"3"), (b"d", bytes(1000))])
            assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]


def limit_connections(monkeypatch: pytest.MonkeyPatch, limit: Callable[[sqlite3.Connection], object]) -> None:
    """Does something to each connection that is opened from now on."""
    connect = Database.connect

    def limited(self: Database, *, create: bool) -> sqlite3.Connection:
        connection = connect(self, create=create)
        limit(connection)
        return connection

    monkeypatch.setattr(Database, "connect", limited)


class TestDamage:
    def test_a_damaged_table(self, made: Path) -> None:
        with opened(made) as backend:
            backend.put(TABLE, [(b"%05d" % number, bytes(100)) for number in range(5000)])
        with bare(made) as connection:
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        with made.open("r+b") as file:
            file.seek(page_size * 5)  # behind the schema and the registry
            file.write(b"\xa5" * page_size * 50)
        with opened(made) as backend, failing("table 'table'.*damaged", retryable=False, path=made):
            stored(backend)

    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_file_removed_while_in_use(self, made: Path, replaced: bool) -> None:
        """What is written to such a file is lost without a word, so it is refused."""
        with opened(made) as backend:
            made.unlink()
            if replaced:
                made.touch()
            for _ in range(2):
                with pytest.raises(StorageError, match="removed"):
                    backend.put(TABLE, [(b"c", b"3")])


class TestLocks:
    @pytest.fixture
    def lock(self, made: Path) -> Iterator[None]:
        """Another process holds the write lock."""
        with other_process(made, "BEGIN IMMEDIATE"):
            yield

    @pytest.mark.usefixtures("lock")
    @pytest.mark.parametrize("busy_timeout", [0, 0.2])
    def test_a_lock_held_too_long(self, made: Path, busy_timeout: float) -> None:
        with opened(made, busy_timeout=busy_timeout) as backend:
            started = time.monotonic()
            with failing("increment of table 'table'.*busy_timeout", retryable=True, path=made):
                backend.increment(TABLE, [(b"a", 1)])
            assert time.monotonic() - started >= busy_timeout
            with failing("create tables in .*busy_timeout", retryable=True, path=made):
                backend.create_tables([BackendTable("new")])

    @pytest.mark.usefixtures("lock")
    def test_reading_and_set_up_do_not_wait(self, made: Path) -> None:
        with opened(made, busy_timeout=0) as backend:
            backend.create_tables([TABLE])
            assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]

    def test_a_thread_that_writes_too_long(self, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two clients of one process take turns as two threads of one client do."""
        with opened(made) as slow, opened(made, busy_timeout=0) as backend:

            class Interfering(int):
                def __radd__(self, other: object) -> int:
                    with pytest.raises(StorageError, match="another thread") as raised:
                        backend.put(TABLE, [(b"c", b"3")])
                    assert raised.value.retryable
                    return 7

            assert slow.increment(TABLE, [(b"a", Interfering())]) == [7]
            backend.put(TABLE, [(b"c", b"3")])
            assert stored(backend) == [(b"a", b"7"), (b"b", b"2"), (b"c", b"3")]


def test_a_call_that_is_interrupted_writes_nothing(made: Path) -> None:
    class Interrupting(int):
        def __radd__(self, other: object) -> int:
            raise KeyboardInterrupt

    with opened(made) as backend:
        with pytest.raises(KeyboardInterrupt):
            backend.increment(TABLE, [(b"a", 1), (b"b", Interrupting())])
        assert stored(backend) == [(b"a", b"1"), (b"b", b"2")]
        backend.put(TABLE, [(b"c", b"3")])
