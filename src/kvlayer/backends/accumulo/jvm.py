"""The Java virtual machine that Accumulo's client runs in: one for each process, started on first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import jpype

from kvlayer.backends.accumulo import jars
from kvlayer.errors import ConfigurationError

_DEFAULT_OPTIONS: Final = ("-Xrs", "-Xmx512m")

_lock = threading.Lock()
_started_in: int | None = None


def start(class_path: Sequence[str] | str | None = None, jvm_options: Sequence[str] = ()) -> None:
    """Starts the virtual machine, unless this process has it already. Any thread may call it.

    `class_path` names folders of jars, or jars; by default those of ACCUMULO_HOME, or those that are fetched.
    `jvm_options` are added to the command line of the virtual machine, such as "-Xmx1g".

    Raises ConfigurationError where Java or a jar is missing or can't be used, and in a forked child of a
    process that has started Java.
    """
    global _started_in
    with _lock:
        if _started_in is None:
            jpype.startJVM(*_DEFAULT_OPTIONS, *jvm_options, classpath=jars.find(class_path), interrupt=False)
            _started_in = os.getpid()
        elif _started_in != os.getpid():
            raise ConfigurationError(
                'Java does not survive a fork: start processes with multiprocessing\'s "spawn" method'
            )


@cache
def java_class(name: str) -> Any:
    """A Java class by its full name, once the virtual machine runs."""
    return jpype.JClass(name)
