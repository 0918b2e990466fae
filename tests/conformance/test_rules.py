"""Every rule of docs/semantics.md is proved by a test of the suite, and every test names its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvlayer.backends.base import Capabilities
from kvlayer.testing import suite
from kvlayer.testing.rules import RULES, noted, rule

SEMANTICS = Path(__file__).parents[2] / "docs" / "semantics.md"


def _tests() -> Iterator[tuple[str, type, Any]]:
    for name in suite.__all__:
        if name.startswith("Test"):
            topic = getattr(suite, name)
            for method in vars(topic):
                if method.startswith("test_"):
                    yield f"{name}.{method}", topic, getattr(topic, method)


def test_the_document_has_the_same_rules() -> None:
    headings = re.findall(r"^## (S\d+): (.+)$", SEMANTICS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(number, title.replace("`", "")) for number, title in headings] == list(RULES.items())


def test_every_rule_is_proved() -> None:
    proved = {
        name
        for _, topic, test in _tests()
        for name in noted(topic, "kvlayer_rules") + noted(test, "kvlayer_rules")
    }
    assert proved == set(RULES)


@pytest.mark.parametrize(("topic", "test"), [pytest.param(t, f, id=name) for name, t, f in _tests()])
def test_every_test_names_its_rules(topic: type, test: Any) -> None:
    assert noted(topic, "kvlayer_rules") or noted(test, "kvlayer_rules")


def test_tests_are_skipped_by_what_capabilities_there_are() -> None:
    known = set(Capabilities.__dataclass_fields__)
    for name, topic, test in _tests():
        for note in ("kvlayer_needs", "kvlayer_lacks"):
            assert known >= {*noted(topic, note), *noted(test, note)}, name


@pytest.mark.parametrize(
    "capability", ["reverse", "compare_and_put", "atomic_increment", "accumulate", "fork_safe"]
)
def test_the_absence_of_each_operation_is_tested(capability: str) -> None:
    assert any(capability in noted(test, "kvlayer_lacks") for _, _, test in _tests())


def test_the_suite_names_no_store() -> None:
    for source in Path(suite.__file__).parent.rglob("*.py"):
        if source.name != "nasty.py":  # where the name of a store is a nasty name
            words = source.read_text(encoding="utf-8").lower()
            assert not re.search(
                r"sqlite|redis|postgres|accumulo|riak|localbackend|['\"]local['\"]", words
            ), source


def test_a_rule_must_exist() -> None:
    with pytest.raises(ValueError, match="S17"):
        rule("S17")


def test_every_topic_is_in_the_suite() -> None:
    """A test class that was forgotten in the suite would never run."""
    topics = Path(suite.__file__).parent / "topics"
    classes = {
        name
        for source in topics.glob("*.py")
        for name in re.findall(r"^class (Test\w+)", source.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert classes == {name for name in suite.__all__ if name.startswith("Test")}
