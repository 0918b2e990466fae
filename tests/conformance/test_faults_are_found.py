"""The conformance suite notices faults: each broken backend fails the class that is about its fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = {
    "IncludesStop": "TestRanges",
    "ResumesByPosition": "TestSharing",
    "EndsAfterAPage": "TestPaging",
    "IgnoresTheLimitOfKeys": "TestStateMachine",
    "ReversesPagesOnly": "TestStateMachine",
    "IgnoresCase": "TestOrder",
    "EmptyIsMissing": "TestGet",
    "AnswersInItsOwnOrder": "TestGet",
    "CountsInFloats": "TestCounters",
    "Saturates": "TestCounters",
    "AddsWithoutALock": "TestSharing",
    "ComparesThenPuts": "TestSharing",
    "NamesRunTogether": "TestNamespaces",
    "NamesAreCut": "TestNamespaces",
    "IgnoresIncarnations": "TestCatalogue",
    "KeepsRowsOfDroppedNamespaces": "TestCatalogue",
    "RemembersWhatItRead": "TestSharing",
    "DeclaresATooLongKey": "TestCapabilities",
    "ReadsAllAtOnce": "TestMemory",
    "MovesValuesForKeys": "TestMemory",
    "TearsBatches": "TestCrash",
    "AcknowledgesTooEarly": "TestCrash",
}
"""A class of broken_backends.py, and the class of the suite that must fail on it."""

ON_FILES = {"ReadsAllAtOnce", "MovesValuesForKeys", "TearsBatches", "AcknowledgesTooEarly"}

MODULE = """
import pytest
from kvlayer.testing import Store
from kvlayer.testing.suite import *

@pytest.fixture(scope="session")
def kvlayer_store():
    return Store({config}, backend="broken_backends:{backend}", kills=30, workers=10, examples=200)
"""

CONFTEST = """
import hypothesis

# To find a fault is enough here; to find its simplest form takes minutes.
hypothesis.settings.register_profile("find", phases=[hypothesis.Phase.generate], database=None)
hypothesis.settings.load_profile("find")
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says in a folder that has a module of tests for each broken backend."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "conftest.py").write_text(CONFTEST)
    for backend in FAULTS:
        config = {"storage_type": backend}
        if backend in ON_FILES:
            config["filename"] = str(folder / f"{backend}.db")
        (folder / f"test_{backend}.py").write_text(MODULE.format(config=config, backend=backend))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
        + [f"test_{backend}.py::{topic}" for backend, topic in FAULTS.items()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(("backend", "topic"), FAULTS.items())
def test_a_fault_is_found(failures: str, backend: str, topic: str) -> None:
    assert re.search(rf"^FAILED test_{backend}.py::{topic}::", failures, re.MULTILINE), failures[-5000:]
