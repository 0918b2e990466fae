"""A client that a forked child has inherited."""

from __future__ import annotations

import pytest

from kvlayer.testing.rules import lacks, needs, rule
from kvlayer.testing.space import Space
from kvlayer.testing.tasks import SCANNED_ROWS
from kvlayer.testing.workers import Workers

FORKS = 10


@rule("S15")
class TestFork:
    """S15. Each test forks in a process of its own, so that the tests' own process never does."""

    @needs("fork_safe")
    @pytest.mark.parametrize("close_in_child", [False, True])
    def test_both_sides_go_on(self, space: Space, workers: Workers, close_in_child: bool) -> None:
        [[child, child_scanned, parent, scanned]] = workers.run(
            "fork", space.config(), close_in_child=close_in_child
        )
        assert child == ["before", "after"]
        assert parent == ["before", "after"]
        assert child_scanned == SCANNED_ROWS
        assert scanned in (SCANNED_ROWS, SCANNED_ROWS + 1)  # the child's row may show

    @needs("fork_safe", "concurrent_processes")
    def test_the_parent_sees_what_the_child_wrote(self, space: Space, workers: Workers) -> None:
        workers.run("fork", space.config(), close_in_child=True)
        assert list(space.client().scan("t", (("a",), None))) == [
            (("child",), b"after"),
            (("parent",), b"after"),
        ]

    @needs("fork_safe")
    def test_a_fork_while_other_threads_work(self, space: Space, workers: Workers) -> None:
        [children] = workers.run("fork_among_threads", space.config(), forks=FORKS)
        assert children == [["before", "after"]] * FORKS

    @lacks("fork_safe")
    def test_the_child_is_told(self, space: Space, workers: Workers) -> None:
        [[child, child_scanned, parent, scanned]] = workers.run("fork", space.config(), close_in_child=True)
        assert child == child_scanned == "StorageError"
        assert parent == ["before", "after"]
        assert scanned == SCANNED_ROWS
