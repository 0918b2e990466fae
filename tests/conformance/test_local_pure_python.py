"""The store in memory passes the conformance suite where keys are encoded in Python, for want of a compiler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlayer import keys
from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403


@pytest.fixture(scope="module", autouse=True)
def _pure_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "ACCELERATED", False)
        patch.setenv("KVLAYER_PURE_PYTHON", "1")  # for the suite's other processes
        yield


@pytest.fixture(scope="session")
def kvlayer_store() -> Store:
    return Store({"storage_type": "local"})
