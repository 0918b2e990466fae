"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from yakonfig import _global, _redact


@pytest.mark.parametrize("module", [_global, _redact], ids=lambda module: module.__name__)
def test_docstrings(module: ModuleType) -> None:
    failed, attempted = doctest.testmod(module)
    assert attempted > 0
    assert failed == 0
