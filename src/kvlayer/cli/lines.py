"""The lines of a YAML file at which a configuration's keys stand."""

from __future__ import annotations

import os
from collections.abc import Sequence

import yaml

_INCLUDE = "!include_yaml"


class Lines:
    """Finds keys in a file that yakonfig could read, and in the files that it includes."""

    def __init__(self, filename: str) -> None:
        self._filename = filename

    def place(self, path: Sequence[str]) -> str | None:
        """file:line of the key at a path of keys; the file alone where a merge (<<) hides it; None where
        the file doesn't have it."""
        return _place(_root(self._filename), self._filename, path)


def _root(filename: str) -> yaml.Node | None:
    with open(filename, "rb") as file:
        root: yaml.Node | None = yaml.compose(file, Loader=yaml.SafeLoader)
    return root


def _place(node: yaml.Node | None, filename: str, path: Sequence[str]) -> str | None:
    if isinstance(node, yaml.ScalarNode) and node.tag == _INCLUDE:
        filename = os.path.join(os.path.dirname(filename), node.value)
        node = _root(filename)
    if not isinstance(node, yaml.MappingNode):
        return None
    merged = False
    for key, value in node.value:
        merged = merged or key.value == "<<"
        if key.value == path[0]:
            if len(path) > 1:
                return _place(value, filename, path[1:])
            is_null = value.tag == "tag:yaml.org,2002:null"
            return None if is_null else f"{filename}:{key.start_mark.line + 1}"
    return filename if merged else None
