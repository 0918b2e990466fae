"""Which Java the accumulo backend runs on, and what it says where none fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvlayer.backends.accumulo import runtime
from kvlayer.errors import ConfigurationError

LIBRARY = Path("lib", "server", "libjvm.so")


def java(folder: Path, version: str) -> Path:
    """A folder of a Java runtime, as far as finding one goes."""
    program, library = folder / "bin" / "java", folder / LIBRARY
    program.parent.mkdir(parents=True)
    library.parent.mkdir(parents=True)
    library.touch()
    program.write_text(
        f'#!/bin/sh\nprintf "    java.home = {folder}\\n    java.version = {version}\\n" >&2\n'
    )
    program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(runtime, "_USUAL_PLACES", ())


def test_no_java_says_how_to_get_one() -> None:
    with pytest.raises(ConfigurationError, match="found no Java; .* 11 to 21: .*apt install.*JAVA_HOME"):
        runtime.jvm_library()


@pytest.mark.parametrize("version", ["11.0.2", "17", "21.0.4+7", "21-ea"])
def test_versions_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    home = java(tmp_path / "a java", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert runtime.jvm_library() == home / LIBRARY


@pytest.mark.parametrize(("version", "short"), [("1.8.0_402", 8), ("10.0.2", 10), ("22", 22), ("25.0.1", 25)])
def test_versions_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, short: int
) -> None:
    home = java(tmp_path / "jre", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(ConfigurationError, match=rf"found only Java {short} \({home}\); .* 11 to 21"):
        runtime.jvm_library()


def test_java_home_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path / "jvm" / "java-17", "17")
    monkeypatch.setattr(runtime, "_USUAL_PLACES", (f"{tmp_path}/jvm/*",))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="JAVA_HOME: .* is no folder of a Java runtime"):
        runtime.jvm_library()


def test_java_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java(tmp_path / "jre", "17")
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "java").write_text(f'#!/bin/sh\nexec {home}/bin/java "$@"\n')
    (shims / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{shims}:/bin:/usr/bin")
    assert runtime.jvm_library() == home / LIBRARY


def test_another_java_serves_where_the_one_on_the_path_is_too_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = java(tmp_path / "jvm" / "java-24", "24")
    fit = java(tmp_path / "jvm" / "java-17", "17.0.1")
    monkeypatch.setenv("PATH", f"{new}/bin")
    monkeypatch.setattr(runtime, "_USUAL_PLACES", (f"{tmp_path}/jvm/*",))
    assert runtime.jvm_library() == fit / LIBRARY


def test_a_program_that_is_no_java_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "java").write_text("#!/bin/sh\necho no Java here, install one >&2\nexit 1\n")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="found no Java"):
        runtime.jvm_library()
