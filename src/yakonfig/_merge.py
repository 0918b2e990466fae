"""Laying one configuration over another, and finding what such an overlay would have to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain_copy(value: Any) -> Any:
    """A copy that shares no container with its origin; any mapping comes back as a dict.

    Other values are handed on as they are: a configuration given by a program may hold objects
    that can't be copied.
    """
    if isinstance(value, Mapping):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(plain_copy, value))
    if type(value) is tuple:
        return tuple(map(plain_copy, value))
    if isinstance(value, set):
        return set(value)
    return value


def overlay_config(base: Any, overlay: Any) -> Any:
    """Lays `overlay` over `base` and returns the result, which shares no container with either.

    Mappings are merged key by key, at any depth; everything else, lists too, is replaced. A key
    that is None in `overlay` is not in the result.
    """
    if not isinstance(overlay, Mapping):
        return plain_copy(overlay)
    below = base if isinstance(base, Mapping) else {}
    result = {key: plain_copy(value) for key, value in below.items() if key not in overlay}
    for key, value in overlay.items():
        if value is not None:
            result[key] = overlay_config(below.get(key), value)
    return result


def diff_config(base: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest overlay that turns `base` into `target`.

    ``overlay_config(base, diff_config(base, target)) == target`` holds for every target without a
    None in its mappings: an overlay has no way to say None, which counts as absent.
    """
    result: dict[str, Any] = {key: None for key in base if key not in target}
    for key, value in target.items():
        if key not in base:
            if value is not None:
                result[key] = plain_copy(value)
        elif isinstance(value, Mapping) and isinstance(base[key], Mapping):
            if nested := diff_config(base[key], value):
                result[key] = nested
        elif not _same(base[key], value):
            result[key] = plain_copy(value)
    return result


def _same(left: Any, right: Any) -> bool:
    """Equality for which 1, 1.0 and True differ: they mean different things to a module."""
    if isinstance(left, (list, tuple)) and type(left) is type(right):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)
