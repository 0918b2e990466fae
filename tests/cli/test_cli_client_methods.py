"""The two methods of the client that the command line asks for: estimates of rows, and namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import kvlayer


@pytest.fixture
def kvl(tmp_path: Path) -> Iterator[kvlayer.Client]:
    with kvlayer.client(f"sqlite:///{tmp_path}/a.db", app_name="app", namespace="one") as client:
        client.setup_namespace({"rows": (int,)})
        yield client


def test_estimate_rows(kvl: kvlayer.Client) -> None:
    assert kvl.estimate_rows("rows") == 0
    kvl.put("rows", *(((number,), b"") for number in range(500)))
    estimate = kvl.estimate_rows("rows")
    assert estimate is not None
    assert 250 <= estimate <= 1000


def test_estimate_rows_of_no_table(kvl: kvlayer.Client) -> None:
    with pytest.raises(kvlayer.NoSuchTable, match="'nothing'"):
        kvl.estimate_rows("nothing")


def test_namespaces(kvl: kvlayer.Client, tmp_path: Path) -> None:
    with kvlayer.client(f"sqlite:///{tmp_path}/a.db", app_name="app", namespace="another") as other:
        other.setup_namespace({"rows": (int,)})
        assert kvl.namespaces() == other.namespaces() == [("app", "another"), ("app", "one")]
