"""Runs the Python examples of README.md and docs/, each document from top to bottom."""

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
    """Puts documents behind the tests, each as a whole and in its order, which was made random."""
    items.sort(
        key=lambda item: (str(item.path), item.location[1] or 0) if isinstance(item, SybilItem) else ("", 0)
    )


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=0), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["document"],
).pytest()
