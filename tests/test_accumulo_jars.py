"""The jars that the accumulo backend needs: fetched once, whole and as they should be, or found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import jgo.constants
import pytest

from kvlayer.backends.accumulo import jars
from kvlayer.backends.accumulo.java import build
from kvlayer.errors import ConfigurationError

CONTENT = {"org.example:one:1.0": b"1" * 1000, "org.example:two:2.0:linux": b"2" * 300_000}
PATHS = {
    "org.example:one:1.0": "org/example/one/1.0/one-1.0.jar",
    "org.example:two:2.0:linux": "org/example/two/2.0/two-2.0-linux.jar",
}
LIST = "\n".join(f"{name} {len(data)} {hashlib.sha256(data).hexdigest()}" for name, data in CONTENT.items())


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def central(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a Maven repository that is served in place of Maven Central, with an empty local one."""
    folder = tmp_path / "central"
    for name, data in CONTENT.items():
        path = folder / PATHS[name]
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(jgo.constants, "MAVEN_CENTRAL_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "local"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "none"))
    with closing(server.socket):
        yield folder
        server.shutdown()
        thread.join()


def test_jars_are_fetched_once_and_say_so_in_a_line(
    central: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = jars.fetch(LIST)
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert [path.relative_to(tmp_path / "local").as_posix() for path in paths] == list(PATHS.values())
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"kvlayer: fetching 2 Java libraries for Accumulo (0 MB) into {tmp_path}/local\n"
    for path in central.rglob("*.jar"):
        path.unlink()
    assert jars.fetch(LIST) == paths
    assert capsys.readouterr().err == ""


def test_a_truncated_jar_is_fetched_anew(central: Path) -> None:
    paths = jars.fetch(LIST)
    paths[1].write_bytes(b"2" * 1000)
    assert jars.fetch(LIST)[1].read_bytes() == CONTENT["org.example:two:2.0:linux"]


def test_a_jar_of_other_content_is_refused(central: Path, tmp_path: Path) -> None:
    name = "org.example:two:2.0:linux"
    (central / PATHS[name]).write_bytes(b"x" * len(CONTENT[name]))
    with pytest.raises(ConfigurationError, match="two:2.0:linux is not the file .* classpath"):
        jars.fetch(LIST)
    assert not (tmp_path / "local" / PATHS[name]).exists()
    assert not list((tmp_path / "local").glob(".kvlayer-*"))


def test_a_jar_that_is_not_to_be_had(central: Path) -> None:
    (central / PATHS["org.example:one:1.0"]).unlink()
    with pytest.raises(ConfigurationError, match="can't fetch org.example:one:1.0 .*classpath"):
        jars.fetch(LIST)


def test_no_network(central: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jgo.constants, "MAVEN_CENTRAL_URL", "http://user:sesame@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="can't fetch org.example:.*classpath") as caught:
        jars.fetch(LIST)
    assert "sesame" not in str(caught.value)


def test_several_at_once(central: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(jars.fetch, [LIST] * 8))
    assert all([path.read_bytes() for path in paths] == list(CONTENT.values()) for paths in results)


def test_a_folder_and_files(tmp_path: Path) -> None:
    for name in ("b.jar", "a.jar", "notes.txt"):
        (tmp_path / name).touch()
    folder = [tmp_path, tmp_path / "a.jar", tmp_path / "b.jar"]
    assert jars.client_jars(str(tmp_path)) == folder
    assert jars.client_jars([str(tmp_path / "b.jar"), str(tmp_path)]) == [tmp_path / "b.jar", *folder]
    with pytest.raises(ConfigurationError, match="classpath: '.*/none' isn't there"):
        jars.client_jars([str(tmp_path), str(tmp_path / "none")])


def test_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        "ACCUMULO_HOME": "lib/accumulo.jar",
        "HADOOP_HOME": "share/hadoop/client/hadoop.jar",
        "ZOOKEEPER_HOME": "lib/zookeeper.jar",
    }
    for variable, file in places.items():
        path = tmp_path / variable / file
        path.parent.mkdir(parents=True)
        path.touch()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    found = [path for path in jars.client_jars() if path.suffix == ".jar"]
    assert found == [tmp_path / variable / file for variable, file in places.items()]
    monkeypatch.setenv("ACCUMULO_HOME", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="ACCUMULO_HOME: '.*/none/lib' isn't there"):
        jars.client_jars()


def test_the_helper_is_what_its_source_makes() -> None:
    shipped = Path(jars.__file__).with_name("helper.jar").read_bytes()
    assert build.build() == shipped, "the source has changed: make accumulo-helper"
