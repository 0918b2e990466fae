"""What is particular to tables in Accumulo: how they are made, divided and removed, and what users may do."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import jpype
import pytest

import kvlayer
from kvlayer.backends.accumulo import AccumuloBackend, by_batch, by_row, crossing, jvm, removing
from kvlayer.backends.accumulo.layout import Layout
from kvlayer.backends.base import PAGE_BYTES, BackendTable
from kvlayer.errors import BadKey, ConfigurationError, NoSuchTable, NotSupported, StorageError
from servers.accumulo import shared_server

PLAIN = BackendTable("plain", incarnation="1")
FAST = BackendTable("fast", incarnation="1", options={"compare_and_put": False})
COUNTER = BackendTable("counter", kind="counter", incarnation="1")
CATALOGUE = BackendTable("catalogue")  # the only one without an incarnation

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
USERS_PASSWORD = "pa55word"

_PERMISSION = "org.apache.accumulo.core.security."


@contextmanager
def opened(app_name: str, namespace: str = "ns", **options: Any) -> Iterator[AccumuloBackend]:
    given = {key: value for key, value in shared_server().config.items() if key != "storage_type"}
    made = AccumuloBackend.Options(**{**given, **options})
    with closing(AccumuloBackend(made, app_name, namespace)) as backend:
        yield backend


@pytest.fixture
def app_name() -> Iterator[str]:
    name = f"kvlayer-test-{uuid.uuid4().hex[:12]}"
    yield name
    with opened(name) as backend:
        backend.drop_namespace()


@pytest.fixture
def backend(app_name: str) -> Iterator[AccumuloBackend]:
    with opened(app_name) as backend:
        yield backend


@pytest.fixture
def administrator(backend: AccumuloBackend) -> Iterator[Any]:
    """The driver's own client."""
    del backend  # has started Java
    builder = jvm.java_class("org.apache.accumulo.core.client.Accumulo").newClient()
    client = builder.from_(str(shared_server().properties_file)).build()
    with closing(client):
        yield client


@pytest.fixture(params=[by_batch, by_row], ids=["by_batch", "by_row"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Each of the ways in which rows cross between Python and Java."""
    module: ModuleType = request.param
    monkeypatch.setattr(crossing, "way", lambda: module)
    return module


def told() -> dict[str, str]:
    """What the client properties file of the cluster says."""
    lines = shared_server().properties_file.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def name_of(table: BackendTable, app_name: str, namespace: str = "ns") -> str:
    return Layout(app_name, namespace).table_name(table)


def keys_of(backend: AccumuloBackend, table: BackendTable) -> list[bytes]:
    return [key for page in backend.scan_keys(table, b"", None, reverse=False, limit=None) for key in page]


def rows_of(backend: AccumuloBackend, table: BackendTable) -> list[tuple[bytes, bytes]]:
    return [row for page in backend.scan(table, b"", None, reverse=False, limit=None) for row in page]


def splits_of(administrator: Any, table: BackendTable, app_name: str) -> list[bytes]:
    name = name_of(table, app_name)
    return sorted(bytes(split.copyBytes()) for split in administrator.tableOperations().listSplits(name))


def keep_large_value(backend: AccumuloBackend, table: BackendTable, size: int) -> None:
    backend.create_tables([table])
    value = random.Random(size).randbytes(size)
    backend.put(table, [(b"large", value), (b"small", b"1")])
    assert backend.get(table, [b"large"]) == [value]
    assert rows_of(backend, table) == [(b"large", value), (b"small", b"1")]
    assert keys_of(backend, table) == [b"large", b"small"]
    if table is PLAIN:
        assert not backend.compare_and_put(table, b"large", b"other", b"")
        assert backend.compare_and_put(table, b"large", value, value[::-1])
        assert backend.get(table, [b"large"]) == [value[::-1]]


@pytest.mark.usefixtures("way")
class TestRows:
    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_writing_and_reading(self, backend: AccumuloBackend, table: BackendTable) -> None:
        backend.create_tables([table])
        rows = [
            (b"", b"empty key"),
            (b"\0", b""),
            (b"\xff\xff", bytes(range(256))),
            (b"a", b"1"),
            (b"b", b"2"),
        ]
        backend.put(table, rows)
        backend.put(table, [(b"a", b"3")])
        backend.delete(table, [b"b", b"missing"])
        expected = {**dict(rows), b"a": b"3"}
        del expected[b"b"]
        assert rows_of(backend, table) == sorted(expected.items())
        assert keys_of(backend, table) == sorted(expected)
        asked = [b"\xff\xff", b"b", b"", b"a", b"a", b"\0"]
        assert backend.get(table, asked) == [expected.get(key) for key in asked]
        assert backend.get(table, asked[:2]) == [expected[b"\xff\xff"], None]

    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_large_values(self, backend: AccumuloBackend, table: BackendTable) -> None:
        keep_large_value(backend, table, 5_000_000)

    def test_answers_stay_small(self, backend: AccumuloBackend) -> None:
        backend.create_tables([PLAIN])
        value = bytes(2**20)
        keys = [b"%03d" % number for number in range(40)]
        for key in keys:
            backend.put(PLAIN, [(key, value)])
        found = backend.get(PLAIN, [*keys, b"missing"])
        assert len(found) in range(1, PAGE_BYTES // len(value) + 2)
        assert found == [value] * len(found)
        for page in backend.scan(PLAIN, b"", None, reverse=False, limit=None):
            assert len(page) <= PAGE_BYTES // len(value) + 1

    def test_counters_of_many_keys(self, backend: AccumuloBackend) -> None:
        backend.create_tables([COUNTER])
        deltas = [(b"%05d" % number, number * 10**30) for number in range(2500)]
        assert backend.increment(COUNTER, deltas) == [delta for _, delta in deltas]
        assert backend.increment(COUNTER, deltas[::-1]) == [2 * delta for _, delta in deltas[::-1]]


class TestMuch:
    @pytest.mark.parametrize("table", [PLAIN, FAST], ids=lambda table: table.name)
    def test_very_large_values(self, backend: AccumuloBackend, table: BackendTable) -> None:
        keep_large_value(backend, table, 50_000_000)

    def test_a_hundred_thousand(self, backend: AccumuloBackend) -> None:
        table = BackendTable("many", incarnation="1", options={"splits": [b"025", b"05", b"075"]})
        backend.create_tables([table])
        rows = [(b"%06d" % number, b"%d" % number) for number in range(100_000)]
        shuffled = rows[:]
        random.Random(5).shuffle(shuffled)
        backend.put(table, shuffled[:60_000])
        for first in range(60_000, len(rows), 1000):
            backend.put(table, shuffled[first : first + 1000])
        assert rows_of(backend, table) == rows
        some = shuffled[:1000]
        assert backend.get(table, [key for key, _ in some]) == [value for _, value in some]
        part = backend.scan_keys(table, b"05", b"0501", reverse=False, limit=None)
        assert [key for page in part for key in page] == [key for key, _ in rows[50_000:50_100]]
        backend.delete(table, [key for key, _ in rows[::2]])
        assert keys_of(backend, table) == [key for key, _ in rows[1::2]]

    def test_splits_under_a_scan(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        backend.create_tables([PLAIN])
        rows = [(b"%04d" % number, b"%d" % number) for number in range(5000)]
        backend.put(PLAIN, rows)
        seen = []
        for number, page in enumerate(backend.scan(PLAIN, b"", None, reverse=False, limit=None)):
            seen += page
            points = jpype.java.util.TreeSet()
            points.add(crossing.text(b"%04d" % (number * 500)))
            points.add(crossing.text(b"%04d" % (len(seen) + 200)))
            points.add(crossing.text(page[-1][0]))
            administrator.tableOperations().addSplits(name_of(PLAIN, app_name), points)
        assert seen == rows
        assert len(splits_of(administrator, PLAIN, app_name)) > 5
        assert rows_of(backend, PLAIN) == rows


class TestRemoving:
    """Ranges of so many rows that files are removed: the bounds of Accumulo's `deleteRows` are other ones."""

    @pytest.fixture(autouse=True)
    def _a_few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(removing, "_MANY", 3)

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (b"b", b"d"),
            (b"b", b"d\0"),
            (b"b\0", b"d\0\0"),
            (b"", b"c"),
            (b"c", None),
            (b"b5", b"d5"),
            (b"b", b"b\xff"),
            (b"b9", b"b9\0"),
        ],
    )
    def test_bounds(self, backend: AccumuloBackend, start: bytes, stop: bytes | None) -> None:
        table = BackendTable("t", incarnation="1", options={"splits": [b"b5", b"c", b"d"]})
        backend.create_tables([table])
        ends = [b"", b"\0", b"\0\0", b"\xff", b"\xff" * 20, b"~"]
        keys = [
            letter + end
            for letter in (b"a", b"b", b"c", b"d")
            for end in [*ends, *map(b"%d".__mod__, range(10))]
        ]
        keys += [b"c" + b"\xff" * 15, b"c" + b"\xff" * 16, b"c" + b"\xff" * 16 + b"\0"]
        backend.put(table, [(key, key) for key in keys])
        backend.delete_range(table, start, stop)
        left = [key for key in sorted(keys) if key < start or (stop is not None and key >= stop)]
        assert rows_of(backend, table) == [(key, key) for key in left]
        backend.put(table, [(b"c1", b"new")])
        assert backend.get(table, [b"c1"]) == [b"new"]

    def test_a_table_stays_divided(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        splits = [b"%02d" % number for number in range(10, 90, 10)]
        table = BackendTable("t", incarnation="1", options={"splits": splits})
        backend.create_tables([table])
        rows = [(b"%02d" % number, b"") for number in range(100)]
        backend.put(table, rows)
        backend.delete_range(table, b"15", b"85")
        assert rows_of(backend, table) == rows[:15] + rows[85:]
        assert set(splits) <= set(splits_of(administrator, table, app_name))
        backend.put(table, rows)
        backend.clear(table)
        assert rows_of(backend, table) == []
        assert set(splits) <= set(splits_of(administrator, table, app_name))
        backend.put(table, rows)
        assert rows_of(backend, table) == rows


class TestMaking:
    def test_splits_and_properties(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        options = {
            "splits": [b"", b"\0m", b"q\xff"],
            "properties": {
                "table.bloom.enabled": True,
                "table.split.threshold": "64M",
                "table.file.replication": 2,
            },
        }
        table = BackendTable("t", incarnation="1", options=options)
        backend.create_tables([table, PLAIN])
        assert splits_of(administrator, table, app_name) == [b"\0m", b"q\xff"]
        found = administrator.tableOperations().getTableProperties(name_of(table, app_name))
        assert str(found["table.bloom.enabled"]) == "true"
        assert str(found["table.split.threshold"]) == "64M"
        assert str(found["table.file.replication"]) == "2"
        assert str(administrator.tableOperations().getTimeType(name_of(table, app_name))) == "LOGICAL"

    def test_a_number_of_parts(self, backend: AccumuloBackend, administrator: Any, app_name: str) -> None:
        tables = [
            BackendTable(f"t{parts}", incarnation="1", options={"splits": parts}) for parts in (1, 3, 16)
        ]
        backend.create_tables(tables)
        assert splits_of(administrator, tables[0], app_name) == []
        assert splits_of(administrator, tables[1], app_name) == [b"\x55\x55", b"\xaa\xaa"]
        assert splits_of(administrator, tables[2], app_name) == [bytes([n * 16, 0]) for n in range(1, 16)]

    @pytest.mark.parametrize(
        "options",
        [
            {"splits": 65537},
            {"properties": ["table.bloom.enabled"]},
            {"properties": {"bloom": True}},
            {"properties": {"table.bloom.enabled": None}},
            {"compare_and_put": "no"},
        ],
        ids=str,
    )
    def test_options_that_can_not_be(self, backend: AccumuloBackend, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="'t'"):
            backend.create_tables([PLAIN, BackendTable("t", incarnation="1", options=options)])
        with pytest.raises(NoSuchTable):
            keys_of(backend, PLAIN)

    def test_a_property_that_accumulo_refuses(self, backend: AccumuloBackend) -> None:
        table = BackendTable("t", incarnation="1", options={"properties": {"table.bloom.enabled": "perhaps"}})
        with pytest.raises(StorageError, match="create tables") as refused:
            backend.create_tables([table])
        assert not refused.value.retryable

    def test_namespaces_are_listed_by_their_names(self, app_name: str) -> None:
        pairs = [(app_name, "ns"), (app_name, "n\N{PILE OF POO}_/"), (app_name + "_", "ns")]
        for pair in pairs:
            with opened(*pair) as backend:
                backend.create_tables([PLAIN])
        with opened(app_name) as backend:
            assert [pair for pair in backend.list_namespaces() if pair in pairs] == sorted(pairs)
        for pair in pairs:
            with opened(*pair) as backend:
                backend.drop_namespace()
        with opened(app_name) as backend:
            assert not set(pairs) & set(backend.list_namespaces())

    def test_a_drop_that_was_interrupted_is_ended_by_the_next(
        self, backend: AccumuloBackend, administrator: Any, app_name: str
    ) -> None:
        layout = Layout(app_name, "ns")
        backend.create_tables([PLAIN, COUNTER])
        administrator.namespaceOperations().rename(layout.namespace, layout.name_to_drop())
        with pytest.raises(NoSuchTable):
            backend.put(PLAIN, [(b"a", b"1")])
        backend.create_tables([PLAIN])
        assert rows_of(backend, PLAIN) == []
        backend.drop_namespace()
        left = [str(name) for name in administrator.namespaceOperations().list()]
        assert not [name for name in left if name.startswith(layout.namespace)]
        backend.drop_namespace()

    @pytest.mark.parametrize("table", [PLAIN, FAST, COUNTER], ids=lambda table: table.name)
    def test_a_table_that_another_client_has_dropped(self, app_name: str, table: BackendTable) -> None:
        with opened(app_name) as stale, opened(app_name) as other:
            stale.create_tables([table])
            stale.put(table, [(b"a", b"1")])
            assert keys_of(stale, table) == [b"a"]
            other.drop_namespace()
            for call in (
                lambda: stale.put(table, [(b"a", b"1")]),
                lambda: stale.delete(table, [b"a"]),
                lambda: stale.get(table, [b"a"]),
                lambda: stale.get(table, [b"a", b"b", b"c", b"d"]),
                lambda: keys_of(stale, table),
                lambda: stale.delete_range(table, b"", None),
                lambda: stale.clear(table),
            ):
                with pytest.raises(NoSuchTable, match=table.name):
                    call()
            if table is not FAST:
                with pytest.raises(NoSuchTable):
                    stale.compare_and_put(table, b"a", None, b"1")
            if table is COUNTER:
                with pytest.raises(NoSuchTable):
                    stale.increment(table, [(b"a", 1)])
            stale.create_tables([table])
            stale.put(table, [(b"a", b"2")])
            assert other.get(table, [b"a"]) == [b"2"]

    def test_a_catalogue_that_was_made_anew_is_the_new_one(self, app_name: str) -> None:
        with opened(app_name) as stale, opened(app_name) as other:
            stale.create_tables([CATALOGUE])
            stale.put(CATALOGUE, [(b"a", b"old")])
            for turn in range(3):
                other.drop_namespace()
                other.create_tables([CATALOGUE])
                assert stale.get(CATALOGUE, [b"a"]) == [None]
                assert stale.compare_and_put(CATALOGUE, b"a", None, b"%d" % turn)
                assert rows_of(other, CATALOGUE) == [(b"a", b"%d" % turn)]


class TestTablesThatAreNotCompared:
    def test_it_is_a_matter_of_the_table(self, app_name: str) -> None:
        with opened(app_name) as one, opened(app_name) as other:
            one.create_tables([FAST])
            same = BackendTable(FAST.name, incarnation=FAST.incarnation)  # as another client knows it
            for client, table in ((one, FAST), (other, same)):
                client.put(table, [(b"a", b"1")])
                with pytest.raises(NotSupported, match="compare_and_put: false"):
                    client.compare_and_put(table, b"a", b"1", b"2")
            assert rows_of(other, same) == [(b"a", b"1")]

    def test_counters_are_always_compared(self, backend: AccumuloBackend) -> None:
        table = BackendTable("t", kind="counter", incarnation="1", options={"compare_and_put": False})
        with pytest.raises(ConfigurationError, match="compare_and_put"):
            backend.create_tables([table])

    def test_by_the_client(self, app_name: str) -> None:
        config = {**shared_server().config, "app_name": app_name, "namespace": "ns"}
        with kvlayer.client({**config, "table_options": {"t": {"compare_and_put": False}}}) as kvl:
            kvl.setup_namespace({"t": (str,), "u": (str,)})
        with kvlayer.client(config) as kvl:
            kvl.put("t", (("a",), b"1"))
            with pytest.raises(NotSupported):
                kvl.compare_and_put("t", ("a",), b"1", b"2")
            assert kvl.compare_and_put("u", ("a",), None, b"1")


class TestRefusals:
    @pytest.mark.parametrize("compared", [True, False])
    def test_a_broken_constraint_is_the_fault_of_the_row(
        self, backend: AccumuloBackend, compared: bool
    ) -> None:
        constraint = "org.apache.accumulo.core.data.constraints.NoDeleteConstraint"
        options = {"properties": {"table.constraint.2": constraint}, "compare_and_put": compared}
        table = BackendTable("strict", incarnation="1", options=options)
        backend.create_tables([table])
        backend.put(table, [(b"a", b"1")])
        with pytest.raises(BadKey, match="'strict'"):
            backend.delete(table, [b"a"])
        backend.put(table, [(b"b", b"2")])
        assert rows_of(backend, table) == [(b"a", b"1"), (b"b", b"2")]

    def test_reverse(self, backend: AccumuloBackend) -> None:
        backend.create_tables([PLAIN])
        for scan in (backend.scan, backend.scan_keys):
            with pytest.raises(NotSupported, match="forwards"):
                scan(PLAIN, b"", None, reverse=True, limit=None)

    def test_what_a_user_may_not_do(
        self, user: str, security: Any, backend: AccumuloBackend, app_name: str
    ) -> None:
        backend.create_tables([PLAIN])
        backend.put(PLAIN, [(b"a", b"1")])
        permissions = jvm.java_class(_PERMISSION + "TablePermission")
        name = name_of(PLAIN, app_name)
        with opened(app_name, username=user, password=USERS_PASSWORD) as limited:
            self._is_denied(lambda: limited.get(PLAIN, [b"a"]), USERS_PASSWORD)
            self._is_denied(limited.drop_namespace, USERS_PASSWORD)
            self._is_denied(lambda: limited.create_tables([COUNTER]), USERS_PASSWORD)
            security.grantTablePermission(user, name, permissions.READ)
            assert limited.get(PLAIN, [b"a"]) == [b"1"]
            self._is_denied(lambda: limited.put(PLAIN, [(b"a", b"2")]), USERS_PASSWORD)
            security.grantTablePermission(user, name, permissions.WRITE)
            limited.put(PLAIN, [(b"a", b"2")])
            self._is_denied(
                lambda: limited.compare_and_put(PLAIN, b"a", b"2", b"3"), USERS_PASSWORD, "ALTER_TABLE"
            )
            security.grantTablePermission(user, name, permissions.ALTER_TABLE)
            assert limited.compare_and_put(PLAIN, b"a", b"2", b"3")

    def test_a_user_who_may_make_namespaces_needs_no_more(
        self, user: str, security: Any, app_name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removing, "_MANY", 3)
        permissions = jvm.java_class(_PERMISSION + "SystemPermission")
        with opened(app_name, "own", username=user, password=USERS_PASSWORD) as owner:
            self._is_denied(lambda: owner.create_tables([PLAIN]), USERS_PASSWORD)
            security.grantSystemPermission(user, permissions.CREATE_NAMESPACE)
            table = BackendTable("t", incarnation="1", options={"splits": 8})
            owner.create_tables([table, COUNTER])
            rows = [(bytes([number]), b"1") for number in range(0, 250, 10)]
            owner.put(table, rows)
            assert owner.compare_and_put(table, b"a", None, b"1")
            assert owner.increment(COUNTER, [(b"a", 1)]) == [1]
            owner.delete_range(table, b"\x01", b"\xf0")
            owner.clear(table)
            assert keys_of(owner, table) == []
            owner.drop_namespace()
            assert (app_name, "own") not in owner.list_namespaces()

    def test_what_rows_need(
        self,
        user: str,
        security: Any,
        backend: AccumuloBackend,
        app_name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """READ and WRITE on the namespace are enough, also where files are removed and splits made again."""
        monkeypatch.setattr(removing, "_MANY", 3)
        table = BackendTable("t", incarnation="1", options={"splits": 8})
        rows = [(bytes([number]), b"1") for number in range(0, 250, 10)]
        backend.create_tables([table, PLAIN, COUNTER])
        permissions = jvm.java_class(_PERMISSION + "NamespacePermission")
        for permission in (permissions.READ, permissions.WRITE):
            security.grantNamespacePermission(user, Layout(app_name, "ns").namespace, permission)
        with opened(app_name, username=user, password=USERS_PASSWORD) as limited:
            for undivided in (PLAIN, table):
                limited.put(undivided, rows)
                assert rows_of(limited, undivided) == rows
                limited.delete(undivided, [b"\0"])
            assert limited.increment(COUNTER, [(b"a", 1)]) == [1]
            limited.delete_range(PLAIN, b"", b"\x90")
            limited.clear(PLAIN)
            limited.clear(table)
            assert rows_of(limited, table) == []

    @pytest.fixture
    def security(self, administrator: Any) -> Any:
        return administrator.securityOperations()

    @pytest.fixture
    def user(self, security: Any) -> Iterator[str]:
        """One who may do nothing yet."""
        token = jvm.java_class("org.apache.accumulo.core.client.security.tokens.PasswordToken")
        name = "user" + uuid.uuid4().hex[:8]
        security.createLocalUser(name, token(USERS_PASSWORD))
        yield name
        security.dropLocalUser(name)

    @staticmethod
    def _is_denied(call: Any, password: str, words: str = "may not do so") -> None:
        with pytest.raises(StorageError, match=words) as refused:
            call()
        assert not refused.value.retryable
        assert refused.value.__cause__ is not None
        assert password not in str(refused.value)


class TestConnecting:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"password": "wr0ng"}, "BAD_CREDENTIALS"),
            ({"username": "nobody"}, "accumulo: connect"),
            ({"instance_name": "another"}, "another"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_told_at_once(self, options: dict[str, str], words: str) -> None:
        with pytest.raises(StorageError, match=words) as refused, opened("app", **options):
            pass
        assert isinstance(refused.value.__cause__, Exception)
        assert not refused.value.retryable
        assert "wr0ng" not in str(refused.value)
        assert told()["auth.token"] not in str(refused.value)

    @pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid"])
    def test_where_no_one_listens(self, address: str) -> None:
        options: dict[str, Any] = {"storage_addresses": [address], "connect_timeout": 2}
        with pytest.raises(StorageError, match=address) as refused, opened("app", **options):
            pass
        assert refused.value.retryable

    def test_where_no_one_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            with (
                pytest.raises(StorageError, match=address),
                opened("app", storage_addresses=[address], connect_timeout=2),
            ):
                pass

    def test_the_example(self, app_name: str, tmp_path: Path) -> None:
        """The file beside the examples, with another instance in it, is all that a program needs."""
        example = (EXAMPLES / "accumulo.yaml").read_text()
        for given, here in (
            ("localhost:2181", told()["instance.zookeepers"]),
            ("instance_name: accumulo", f"instance_name: {told()['instance.name']}"),
            ("username: root", f"username: {told()['auth.principal']}"),
            ("app_name: examples", f"app_name: {app_name}"),
            ("namespace: cities", "namespace: ns"),
        ):
            assert given in example
            example = example.replace(given, here)
        (tmp_path / "accumulo.yaml").write_text(example)
        program = [
            sys.executable,
            "-W",
            "error",
            str(EXAMPLES / "quickstart.py"),
            "--config",
            "accumulo.yaml",
        ]
        environment = {**os.environ, "KVLAYER_PASSWORD": told()["auth.token"]}
        done = subprocess.run(
            program, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "('foo',) b'one'\n('bar',) b'two'\n('foo',)\n"

    def test_a_client_properties_file(self, tmp_path: Path, app_name: str) -> None:
        password = told()["auth.token"]
        file = tmp_path / "accumulo-client.properties"
        file.write_text("# as Accumulo's own tools have it\n" + shared_server().properties_file.read_text())
        given = {"storage_type": "accumulo", "client_properties": str(file), "namespace": "ns"}
        with kvlayer.client({**given, "app_name": app_name}) as kvl:
            facts = kvl.ping()
            assert facts["instance"] == told()["instance.name"]
            assert facts["user"] == told()["auth.principal"]
            assert facts["tablet_servers"] >= 1
            assert password not in str(facts)
        with (
            pytest.raises(StorageError),
            kvlayer.client({**given, "app_name": "a", "password": "wr0ng"}) as kvl,
        ):
            kvl.ping()
        given["client_properties"] = str(tmp_path / "missing")
        with (
            pytest.raises(ConfigurationError, match="client_properties"),
            kvlayer.client({**given, "app_name": "a"}) as kvl,
        ):
            kvl.ping()

    def test_what_goes_on_after_closing_fails(self, app_name: str) -> None:
        with opened(app_name) as backend:
            backend.create_tables([PLAIN])
            backend.put(PLAIN, [(b"%04d" % number, b"") for number in range(1500)])
            pages = backend.scan(PLAIN, b"", None, reverse=False, limit=None)
            next(pages)
        with pytest.raises(StorageError, match="closed"):
            list(pages)
