"""The fixtures of the suite; a test module gets them by `from kvlayer.testing.suite import *`.

All but one: `kvlayer_store` is the one that it writes itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from kvlayer.backends.base import Capabilities
from kvlayer.testing.rules import noted
from kvlayer.testing.space import Space, open_space
from kvlayer.testing.store import Store
from kvlayer.testing.workers import Workers

try:
    import hypothesis  # noqa: F401  (the state machine needs it; say so here)
    import pytest
except ImportError as error:
    raise ImportError(
        f"the conformance suite needs {error.name!r}, which is not installed: pip install 'kvlayer[testing]'"
    ) from error

import kvlayer

# Before the topics are imported: their assertions then tell what differs, as in any test module.
pytest.register_assert_rewrite("kvlayer.testing.topics")


@pytest.fixture(scope="module")
def capabilities(kvlayer_store: Store) -> Iterator[Capabilities]:
    """What the store says that it can do."""
    with open_space(kvlayer_store) as space:
        yield space.client().capabilities


@pytest.fixture(autouse=True)
def _skip_by_capability(request: pytest.FixtureRequest, capabilities: Capabilities) -> None:
    for test in (request.cls, request.function):
        for name in noted(test, "kvlayer_needs"):
            if not getattr(capabilities, name):
                pytest.skip(f"the store does not declare {name}")
        for name in noted(test, "kvlayer_lacks"):
            if getattr(capabilities, name):
                pytest.skip(f"the store declares {name}")


@pytest.fixture
def space(kvlayer_store: Store) -> Iterator[Space]:
    """An empty place in the store, for this test alone."""
    with open_space(kvlayer_store) as space:
        yield space


@pytest.fixture
def kvl(space: Space) -> kvlayer.Client:
    """A client of an empty namespace."""
    return space.client()


@pytest.fixture(scope="class")
def common_space(kvlayer_store: Store) -> Iterator[Space]:
    """A place for the tests of a class that leave its tables as they found them.

    Some stores take far longer to make and drop a table than such a test to do all else.
    """
    with open_space(kvlayer_store) as space:
        yield space


@pytest.fixture(scope="class")
def common(common_space: Space) -> kvlayer.Client:
    """A client of `common_space`; each test sets up what it needs, which the next one finds there."""
    return common_space.client()


@pytest.fixture(scope="module")
def workers(kvlayer_store: Store) -> Iterator[Workers]:
    """Other processes that use the store."""
    with Workers(kvlayer_store) as workers:
        yield workers
