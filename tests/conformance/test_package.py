"""kvlayer.testing as a package: what it needs, and what a `Store` takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kvlayer.testing import Store


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_what_is_missing_is_named(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import kvlayer.testing.suite"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"needs {missing!r}, which is not installed: pip install 'kvlayer[testing]'" in done.stderr


def test_other_processes_import_neither() -> None:
    """A worker would otherwise start several times slower."""
    code = "import sys, kvlayer.testing.worker; print([name for name in ('pytest', 'hypothesis') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_configuration_must_fit_into_json() -> None:
    with pytest.raises(TypeError):
        Store({"storage_type": "mine", "connect": object()})


def test_a_store_shows_no_secret() -> None:
    assert "hunter2" not in repr(Store({"storage_type": "mine", "password": "hunter2"}))
