"""The registry of storage types: lazy, helpful when a name is wrong, unharmed by broken plug-ins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kvlayer
from kvlayer import backends
from kvlayer.backends.local import LocalBackend


@pytest.fixture(autouse=True)
def _restore_registry() -> Iterator[None]:
    before = dict(backends._targets)
    yield
    backends._targets.clear()
    backends._targets.update(before)


def _install(folder: Path, entry_points: str, **modules: str) -> None:
    """Makes a folder look like an installed distribution with entry points."""
    info = folder / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[kvlayer.backends]\n{entry_points}\n")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)


def test_import_is_light_and_loads_no_driver() -> None:
    drivers = ["sqlite3", "redis", "psycopg", "jpype", "google.protobuf", "pytest", "hypothesis", "rich"]
    code = f"import sys, kvlayer; print([name for name in {drivers} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_resembles_no_name_is_not_shown() -> None:
    with pytest.raises(
        kvlayer.ConfigurationError, match=r"^unknown storage type; known here: accumulo, local, .*sqlite"
    ):
        kvlayer.client({"storage_type": "redis://user:secret@host"})


@pytest.mark.parametrize(("wrong", "near"), [("locl", "local"), ("sqllite", "sqlite"), ("SQLite", "sqlite")])
def test_unknown_name_lists_the_nearest_first(wrong: str, near: str) -> None:
    with pytest.raises(
        kvlayer.ConfigurationError, match=f"unknown storage type '{wrong}'; known here: {near}"
    ):
        kvlayer.client({"storage_type": wrong})


def test_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends._extras, "driverless", "driverless")
    backends.register("driverless", "a_driver_that_is_not_there:Backend")
    with pytest.raises(kvlayer.ConfigurationError, match=r"pip install 'kvlayer\[driverless\]'"):
        kvlayer.client({"storage_type": "driverless"})


def test_register() -> None:
    backends.register("mine", "kvlayer.backends.local:LocalBackend")
    backends.register("mine", "kvlayer.backends.local:LocalBackend")  # the same again is fine
    assert "mine" in backends.storage_types()
    with kvlayer.client({"storage_type": "mine"}, app_name="test_register") as kvl:
        assert kvl.tables() == []
    with pytest.raises(
        kvlayer.ConfigurationError, match="'mine' is taken by kvlayer.backends.local:LocalBackend"
    ):
        backends.register("mine", "other:Backend")


def test_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(
        tmp_path,
        "plugged = plugged_backend:Plugged",
        plugged_backend="from kvlayer.backends.local import LocalBackend\n\n\nclass Plugged(LocalBackend): ...\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "plugged" in backends.storage_types()
    assert "plugged_backend" not in sys.modules
    assert issubclass(backends.load("plugged"), LocalBackend)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('a plug-in bug')", r"RuntimeError: a plug-in bug"),
        ("import no_such_module_anywhere", r"No module named 'no_such_module_anywhere'"),
        ("", r"has no attribute 'Broken'"),
        ("Broken = 3", r"is no kvlayer Backend class"),
    ],
)
def test_broken_plug_in_harms_only_who_asks_for_it(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "broken_backend", raising=False)
    _install(tmp_path, "broken = broken_backend:Broken", broken_backend=source)
    monkeypatch.syspath_prepend(tmp_path)
    assert kvlayer.client("local://", app_name="test_registry").tables() == []
    with pytest.raises(
        kvlayer.ConfigurationError, match="unknown storage type; known here: accumulo, broken"
    ):
        kvlayer.client({"storage_type": "nothing"})
    with pytest.raises(kvlayer.ConfigurationError, match=reason):
        kvlayer.client({"storage_type": "broken"})
