"""overlay_config and diff_config: laying configurations over each other, and taking them apart."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yakonfig import diff_config, overlay_config

# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
keys = st.sampled_from(["a", "b", "c", "d", "é"])


def configs(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
        max_leaves=12,
    )
    return st.dictionaries(keys, values, max_size=4)


def shows_no_none(value: Any) -> bool:
    """No mapping that could be merged holds a None; what stands in lists is not merged."""
    if isinstance(value, dict):
        return all(item is not None and shows_no_none(item) for item in value.values())
    return True


@pytest.mark.parametrize(
    ("base", "overlay", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({}, {"a": None}, {}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1}}, {"a": 5}, {"a": 5}),
        ({"a": 5}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": None}, {}, {"a": None}),
        ({"a": [None]}, {"b": [{"c": None}]}, {"a": [None], "b": [{"c": None}]}),
        ({"a": 1}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": ""}, {"a": ""}),
    ],
)
def test_overlay(base: dict[str, Any], overlay: dict[str, Any], expected: dict[str, Any]) -> None:
    assert overlay_config(base, overlay) == expected


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({}, {"a": None}, {}),
        ({"a": None}, {"a": None}, {}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": [1, {"b": 1}]}, {"a": [1, {"b": 1.0}]}, {"a": [1, {"b": 1.0}]}),
    ],
)
def test_diff(base: dict[str, Any], target: dict[str, Any], expected: dict[str, Any]) -> None:
    difference = diff_config(base, target)
    assert difference == expected
    assert repr(difference) == repr(expected)


@patient
@given(configs(scalars | st.none()), configs(scalars))
def test_laying_the_difference_over_the_base_gives_the_target(
    base: dict[str, Any], target: dict[str, Any]
) -> None:
    assert overlay_config(base, diff_config(base, target)) == target


@patient
@given(configs(scalars | st.none()))
def test_nothing_differs_from_itself(config: dict[str, Any]) -> None:
    assert diff_config(config, config) == {}


@patient
@given(configs(scalars | st.none()), configs(scalars | st.none()))
def test_an_overlay_is_idempotent_and_leaves_no_none_of_its_own(
    base: dict[str, Any], overlay: dict[str, Any]
) -> None:
    once = overlay_config(base, overlay)
    assert overlay_config(once, overlay) == once
    assert shows_no_none(overlay_config({}, overlay))


@patient
@given(configs(scalars | st.none()), configs(scalars | st.none()))
def test_neither_argument_is_changed_nor_shared(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    before = copy.deepcopy((base, overlay))
    for result in (overlay_config(base, overlay), diff_config(base, overlay)):
        spoil(result)
        assert (base, overlay) == before


def spoil(value: Any) -> None:
    """Changes every container in a value."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in list(items):
        spoil(item)
    if isinstance(value, dict):
        value["spoilt"] = True
    elif isinstance(value, list):
        value.append("spoilt")


def test_any_mapping_will_do_and_comes_back_as_a_dict() -> None:
    frozen = MappingProxyType({"a": MappingProxyType({"b": 1})})
    result = overlay_config(frozen, {"c": frozen})
    assert result == {"a": {"b": 1}, "c": {"a": {"b": 1}}}
    assert type(result["a"]) is dict
    assert type(result["c"]["a"]) is dict


def test_no_container_is_shared() -> None:
    base: dict[str, Any] = {"set": {1}, "list": [1], "tuple": ([1],)}
    result = overlay_config(base, {"again": base})
    for copied in (result, result["again"]):
        copied["set"].add(2)
        copied["list"].append(2)
        copied["tuple"][0].append(2)
    assert base == {"set": {1}, "list": [1], "tuple": ([1],)}


def test_objects_are_handed_on_as_they_are() -> None:
    lock = object()
    assert overlay_config({"a": lock}, {"b": (lock, [lock])}) == {"a": lock, "b": (lock, [lock])}
