"""The jars of Accumulo's Java client: where the user has them, or fetched from Maven Central on first use.

What is fetched is a fixed list, `client.jars`, made by `java/list_jars.py`: one jar a line, as
`group:artifact:version[:classifier] size sha256`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kvlayer.errors import ConfigurationError

if TYPE_CHECKING:
    from jgo.config import GlobalSettings

_ADVICE: Final = "try again, or name a folder with the jars of Accumulo's client in the option classpath"

# Accumulo's own start script takes the jars of the other two from where they are installed.
_INSTALLED: Final = {
    "ACCUMULO_HOME": ("lib",),
    "HADOOP_HOME": ("share/hadoop/client",),
    "ZOOKEEPER_HOME": (".", "lib"),
}


@dataclass(frozen=True, slots=True)
class _Jar:
    coordinates: str
    size: int
    sha256: str

    def path(self, repository: Path) -> Path:
        """Where a Maven repository holds it."""
        group, artifact, version, *classifier = self.coordinates.split(":")
        name = "-".join([artifact, version, *classifier])
        return repository.joinpath(*group.split("."), artifact, version, f"{name}.jar")

    def is_in(self, repository: Path) -> bool:
        """Whether it is there, and whole."""
        try:
            return self.path(repository).stat().st_size == self.size
        except OSError:
            return False


def client_jars(class_path: Sequence[str] | str | None = None) -> list[Path]:
    """The jars, and folders of classes and settings, to run Accumulo's client with.

    `class_path` names jars, folders of jars, or folders of classes. Without it an installation that the
    environment names in ACCUMULO_HOME serves, else the jars are fetched.

    Raises ConfigurationError for a path that isn't there, and where fetching fails.
    """
    if class_path:
        paths = [class_path] if isinstance(class_path, str) else class_path
        return list(_expanded("classpath", (Path(path).expanduser() for path in paths)))
    if os.environ.get("ACCUMULO_HOME"):
        return list(_installed())
    return fetch((files(__package__) / "client.jars").read_text())


def fetch(listed: str) -> list[Path]:
    """The listed jars in the local Maven repository, after adding those that it lacks.

    Any number of processes may do so at once. Raises ConfigurationError if a jar can't be had.
    """
    from jgo.config import GlobalSettings  # slow to import, and not needed where the user has the jars

    settings = GlobalSettings.load()
    repository = Path(settings.repo_cache)
    jars = [_Jar(name, int(size), sha256) for name, size, sha256 in map(str.split, listed.splitlines())]
    missing = [jar for jar in jars if not jar.is_in(repository)]
    if missing:
        megabytes = sum(jar.size for jar in missing) / 1e6
        message = f"kvlayer: fetching {len(missing)} Java libraries for Accumulo ({megabytes:.0f} MB)"
        print(f"{message} into {repository}", file=sys.stderr, flush=True)  # noqa: T201
        try:
            _download(missing, settings)
        except (OSError, RuntimeError) as error:  # what requests and jgo raise
            raise ConfigurationError(
                f"can't fetch Accumulo's client: {error}; try again, {_ADVICE}"
            ) from error
    return [jar.path(repository) for jar in jars]


def _download(jars: Iterable[_Jar], settings: GlobalSettings) -> None:
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    repository = Path(settings.repo_cache)
    repository.mkdir(parents=True, exist_ok=True)
    repositories = {**settings.repositories, "central": MAVEN_CENTRAL_URL}
    # A file appears in the repository whole or not at all, whoever else fetches it, whenever this ends.
    with tempfile.TemporaryDirectory(dir=repository, prefix=".kvlayer-") as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos=repositories, timeout=60)

        def download(jar: _Jar) -> None:
            group, artifact, version, *classifier = jar.coordinates.split(":")
            try:
                component = context.project(group, artifact).at_version(version)
                downloaded = component.artifact(*classifier).resolve()
            except (OSError, RuntimeError) as error:  # what requests and jgo raise; it may show passwords
                reason = type(error).__name__
                raise ConfigurationError(f"can't fetch {jar.coordinates} ({reason}): {_ADVICE}") from error
            if hashlib.sha256(downloaded.read_bytes()).hexdigest() != jar.sha256:
                raise ConfigurationError(f"{jar.coordinates} is not the file that it was: {_ADVICE}")
            target = jar.path(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            downloaded.replace(target)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(download, jars))


def _installed() -> Iterator[Path]:
    folders = [
        Path(os.environ[variable], folder)
        for variable, folders in _INSTALLED.items()
        for folder in folders
        if os.environ.get(variable)
    ]
    return _expanded("ACCUMULO_HOME", folders)


def _expanded(origin: str, paths: Iterable[Path]) -> Iterator[Path]:
    """The paths, and the jars in those that are folders: a Java class path has no such short form here."""
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"{origin}: {str(path)!r} isn't there")
        yield path
        if path.is_dir():
            yield from sorted(path.glob("*.jar"))
