"""Runs the Python examples of README.md and docs/, each document from top to bottom, and orders the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import kvlayer
import yakonfig

# With several workers (`-n`) each takes the next file whenever it has done one. Those that take longest go
# first, so that the workers end at about the same time; a file that is missing here costs only time.
LONGEST_FIRST = [
    "tests/conformance/test_accumulo.py",
    "tests/conformance/test_accumulo_by_row.py",
    "tests/conformance/test_faults_are_found.py",
    "tests/backends/accumulo/test_accumulo_processes.py",
    "tests/backends/accumulo/test_accumulo_faults.py",
    "tests/cli/test_cli_bench.py",
    "tests/conformance/test_postgres.py",
    "tests/conformance/test_postgres_pooled.py",
    "tests/backends/accumulo/test_accumulo_rows.py",
    "tests/test_accumulo_jvm.py",
    "tests/cli/test_cli_moving.py",
]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty folder to work in, no command line, no configuration, and no rows in memory."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("document"))
    with mock.patch.object(sys, "argv", ["program"]):
        yield
    os.chdir(before)
    yakonfig.clear_global_config()
    with kvlayer.client("local://") as kvl:
        kvl.delete_namespace()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files before the others, whose order was made random, and documents behind them.

    A document stays whole and in its order.
    """
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, str, int]:
    file = item.nodeid.partition("::")[0]
    if isinstance(item, SybilItem):
        return len(LONGEST_FIRST) + 1, file, item.location[1] or 0
    return LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST), "", 0


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=0), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["document"],
).pytest()
