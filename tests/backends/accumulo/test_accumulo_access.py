"""Connecting to Accumulo, and what its users may do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kvlayer
from accumulo_tables import COUNTER, PLAIN, keys_of, name_of, opened, rows_of, told
from kvlayer.backends.accumulo import AccumuloBackend, jvm, removing
from kvlayer.backends.accumulo.layout import Layout
from kvlayer.backends.base import BackendTable
from kvlayer.errors import BadKey, ConfigurationError, NotSupported, StorageError
from servers.accumulo import shared_server

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
USERS_PASSWORD = "pa55word"

_PERMISSION = "org.apache.accumulo.core.security."


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
    def test_what_is_wrong_is_told_at_once(self, options: dict[str, Any], words: str) -> None:
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
