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
    """Puts the examples of each document back into their order, which pytest-randomly has mixed."""
    places: dict[Path, list[int]] = {}
    for place, item in enumerate(items):
        if isinstance(item, SybilItem):
            places.setdefault(item.path, []).append(place)
    for own in places.values():
        in_order = sorted((items[place] for place in own), key=lambda item: item.location[1] or 0)
        for place, item in zip(own, in_order, strict=True):
            items[place] = item


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=0), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["document"],
).pytest()
