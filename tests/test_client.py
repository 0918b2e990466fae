"""What a client does between its tables and its backend, where only a certain moment shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

import kvlayer
from kvlayer import backends
from kvlayer.backends.base import BackendTable
from kvlayer.backends.local import LocalBackend
from kvlayer.catalog import CATALOG


class DroppedMeanwhile(LocalBackend):
    """Another client drops the namespace after the tables were entered and before they are made."""

    drops = 0

    def create_tables(self, tables: Sequence[BackendTable]) -> None:
        if CATALOG not in tables and type(self).drops > 0:
            type(self).drops -= 1
            self.drop_namespace()
        super().create_tables(tables)


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[kvlayer.Client]:
    monkeypatch.setitem(backends._targets, "dropped", f"{__name__}:DroppedMeanwhile")
    with kvlayer.client({"storage_type": "dropped", "app_name": "test_client"}) as kvl:
        yield kvl
        kvl.delete_namespace()


@pytest.mark.parametrize("drops", [0, 1, 3])
def test_a_namespace_dropped_while_it_is_set_up(dropped: kvlayer.Client, drops: int) -> None:
    """What is written afterwards is where others look (S14)."""
    DroppedMeanwhile.drops = drops
    dropped.setup_namespace({"t": (str,)})
    dropped.put("t", (("k",), b"v"))
    with kvlayer.client("local://", app_name="test_client") as other:
        assert dict(other.get("t", ("k",))) == {("k",): b"v"}


def test_a_namespace_that_is_dropped_for_ever(dropped: kvlayer.Client) -> None:
    DroppedMeanwhile.drops = 1000
    with pytest.raises(kvlayer.StorageError, match="kept being dropped") as caught:
        dropped.setup_namespace({"t": (str,)})
    assert caught.value.retryable
    DroppedMeanwhile.drops = 0
