"""Both ways in which key codecs work: in C, and in Python made for the schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlayer import keys


@pytest.fixture(params=["c", "python"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The tests of a module that imports this run twice; codecs that they make work in the way named."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "ACCELERATED", request.param == "c")
        yield request.param
