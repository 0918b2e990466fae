"""Which contenders are compared with which kvlayer. This module needs all their packages."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.alternatives import (
    dicts,
    diskcache,
    opendal,
    py_key_value,
    row_by_row,
    shelves,
    sqlitedict,
    through_kvlayer,
)
from benchmarks.alternatives.contender import Contender
from benchmarks.alternatives.measuring import Group

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from servers.redis import RedisServer  # the tests know how to start one

_IN_MEMORY: Final[Sequence[Callable[[], Contender]]] = (
    through_kvlayer.Local,
    dicts.SortedDictOfTuples,
    dicts.PlainDict,
    py_key_value.Memory,
    opendal.Memory,
)
_IN_FILES: Final[Sequence[Callable[[str], Contender]]] = (
    through_kvlayer.SQLiteNormal,
    diskcache.DiskCache,
    sqlitedict.SQLiteDict,
    shelves.Shelf,
    py_key_value.Disk,
    opendal.Cacache,
)
_IN_SYNCED_FILES: Final[Sequence[Callable[[str], Contender]]] = (
    through_kvlayer.SQLite,
    row_by_row.SQLite,
    opendal.SQLite,
    opendal.Files,
    opendal.Redb,
    opendal.Persy,
)
_ON_A_SERVER: Final[Sequence[Callable[[int], Contender]]] = (
    row_by_row.Redis,
    py_key_value.Redis,
    opendal.Redis,
)


@contextmanager
def _in_memory() -> Iterator[Sequence[Contender]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        contenders = [*(make() for make in _IN_MEMORY), opendal.Sled(folder)]
        yield [stack.enter_context(closing(contender)) for contender in contenders]


@contextmanager
def _in_files(makers: Sequence[Callable[[str], Contender]]) -> Iterator[Sequence[Contender]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        paths = (str(Path(folder, str(number))) for number in range(len(makers)))
        yield [stack.enter_context(closing(make(path))) for make, path in zip(makers, paths, strict=True)]


@contextmanager
def _on_a_server() -> Iterator[Sequence[Contender]]:
    with RedisServer("--appendonly", "yes") as server, ExitStack() as stack:
        contenders = [through_kvlayer.Redis(server.config), *(make(server.port) for make in _ON_A_SERVER)]
        yield [stack.enter_context(closing(contender)) for contender in contenders]


GROUPS: Final = (
    Group("in memory", _in_memory),
    Group("file, not synced", partial(_in_files, _IN_FILES)),
    Group("file, synced", partial(_in_files, _IN_SYNCED_FILES)),
    Group("Redis server", _on_a_server),
)
"""By what becomes of rows that were written: lost with the process; safe when it dies; safe when the power
fails; safe on a server that syncs once a second."""
