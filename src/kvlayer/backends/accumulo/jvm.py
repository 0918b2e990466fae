"""The Java virtual machine that Accumulo's client runs in: one for each process, started on first use."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jpype
import jpype.config

from kvlayer.backends.accumulo import jars, runtime
from kvlayer.errors import ConfigurationError

_COLLECTOR: Final = "-XX:+UseSerialGC"  # the least threads and memory; two of them are an error

_OPTIONS: Final = (
    "-Xrs",  # signals are Python's: Ctrl-C, and what the program does on SIGTERM
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",  # half the processor time for the first million rows, and no more later
    "-XX:-UsePerfData",  # a file for each process that nobody reads
    "-Djava.awt.headless=true",
    "-Dslf4j.internal.verbosity=ERROR",
    "-Dlog4j2.StatusLogger.level=OFF",
    f"-Dlog4j2.configurationFile={files(__package__) / 'log4j2.properties'}",
)

# Made by `make accumulo-helper` of the source in `java`.
_HELPER: Final = files(__package__) / "helper.jar"

# A class of each jar that the client can't do without.
_NEEDED_CLASSES: Final = {
    "org.apache.accumulo.core.client.Accumulo": "accumulo-core",
    "org.apache.hadoop.io.Text": "hadoop-client-api",
    "org.apache.hadoop.thirdparty.com.google.common.base.Preconditions": "hadoop-client-runtime",
    "org.apache.zookeeper.ZooKeeper": "zookeeper",
    "org.apache.zookeeper.data.Stat": "zookeeper-jute",
    "org.apache.thrift.TException": "libthrift",
    "org.slf4j.Logger": "slf4j-api",
    "com.google.common.collect.ImmutableMap": "guava",
}

_lock = threading.Lock()
_running: _Settings | None = None
_start_failed = False


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the virtual machine was started with, and in which process."""

    class_path: tuple[str, ...]
    options: tuple[str, ...]
    pid: int = field(default_factory=os.getpid, compare=False)


def start(class_path: Sequence[str] | str | None = None, jvm_options: Sequence[str] = ()) -> None:
    """Starts the virtual machine, unless this process has it already. Any thread may call it.

    `class_path` is as in `jars.client_jars`; `jvm_options` are added to the command line of the virtual
    machine, such as "-Xmx1g".

    Raises ConfigurationError where Java or a jar is missing or can't be used, where Java runs already with
    other settings, and in a forked child of a process that has started Java.
    """
    global _running
    given = (class_path,) if isinstance(class_path, str) else tuple(class_path or ())
    settings = _Settings(given, tuple(jvm_options))
    with _lock:
        if _running is None:
            _start(settings)
            _running = settings
        elif _running.pid != settings.pid:
            raise ConfigurationError(
                "Java does not survive a fork: start processes by multiprocessing.get_context('spawn'),"
                " or fork before the first use of Accumulo"
            )
        elif _running != settings:
            raise ConfigurationError(
                "classpath and jvm_options must be the same for all clients of a process:"
                " Java is started only once"
            )


@cache
def java_class(name: str) -> Any:
    """A Java class by its full name, once the virtual machine runs."""
    return jpype.JClass(name)


def has_class(name: str) -> bool:
    """Whether the virtual machine finds a class on its class path."""
    try:
        jpype.JClass(name)
    except TypeError:  # what JPype raises for a class that isn't there
        return False
    return True


def _start(settings: _Settings) -> None:
    foreign = jpype.isJVMStarted()
    if foreign and settings.options:
        raise ConfigurationError("jvm_options come too late: Java runs already in this process")
    if not foreign:
        _start_machine(settings)
    missing = [jar for name, jar in _NEEDED_CLASSES.items() if not has_class(name)]
    if missing and foreign:
        raise ConfigurationError(
            "Java was started in this process without the jars of Accumulo's client on its class path:"
            " make kvlayer's client first, or add the jars there"
        )
    if missing:
        origin = "classpath" if settings.class_path else "ACCUMULO_HOME (with HADOOP_HOME and ZOOKEEPER_HOME)"
        raise ConfigurationError(
            f"{origin} does not give {', '.join(missing)}; all jars of Accumulo's client are needed"
        )
    os.register_at_fork(after_in_child=_forget_java)


def _start_machine(settings: _Settings) -> None:
    global _start_failed
    if _start_failed:
        raise ConfigurationError("Java could not be started, and can't be tried again in the same process")
    library = runtime.jvm_library()
    paths = [str(path) for path in [*jars.client_jars(settings.class_path), _HELPER]]
    chosen = any(re.fullmatch(r"-XX:\+Use\w+GC", option) for option in settings.options)
    options = [*_OPTIONS, *([] if chosen else [_COLLECTOR]), *settings.options]
    try:
        jpype.startJVM(*options, jvmpath=str(library), classpath=paths, interrupt=False)
    except (OSError, RuntimeError, ValueError) as error:
        _start_failed = True
        about = "; are these jvm_options right? It says more on stderr" if settings.options else ""
        raise ConfigurationError(f"Java can't be started ({error}){about}: {library}") from error


def _forget_java() -> None:
    # Its threads are not in the child, which would wait for them when it ends.
    jpype.config.onexit = False
