"""Merging what modules, files and flags say into one configuration, and letting modules check it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from yakonfig import _global, protocols
from yakonfig._configurable import require_mapping
from yakonfig._errors import ConfigurationError
from yakonfig._merge import overlay_config, plain_copy
from yakonfig._tree import Block, build_tree, default_config, flag_config, walk


class Merged(NamedTuple):
    """A merged configuration that has not been checked, and where it comes from."""

    blocks: tuple[Block, ...]
    """The modules, with plug-ins in their places."""
    defaults: dict[str, Any]
    """What those modules' defaults are."""
    config: dict[str, Any]


def merge(modules: Iterable[protocols.Module], given: Mapping[str, Any], params: Mapping[str, Any]) -> Merged:
    """Merges, lowest first: defaults, what modules discover, the file (`given`) and flags."""
    declared = build_tree(modules)
    _check_names(declared, given)
    _open_blocks(declared, given)
    said = overlay_config(given, flag_config(declared, params))
    blocks = _with_replacements(declared, said)
    said = _open_blocks(blocks, overlay_config(said, flag_config(blocks, params)))
    discovered = _discover(blocks, said)
    defaults = default_config(blocks)
    config = overlay_config(overlay_config(defaults, discovered), said)
    return Merged(blocks, defaults, config)


def check(merged: Merged) -> None:
    """Lets every module check its block, with the whole as the caller's global configuration."""
    with _global.configured(merged.config, shared=False):
        for block, config in walk(merged.blocks, merged.config):
            if isinstance(block.module, protocols.ChecksConfig):
                block.module.check_config(config, block.path)


def normalize(merged: Merged) -> None:
    """Lets every module rewrite its block in place."""
    for block, config in walk(merged.blocks, merged.config):
        if isinstance(block.module, protocols.NormalizesConfig):
            block.module.normalize_config(config)


def _check_names(blocks: Iterable[Block], given: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a key that is nearly the name of a module.

    Other keys that no module claims are let be, since several programs may share a file; and so
    is one that resembles the name of a block which the file has as well.
    """
    names = {block.key for block in blocks}
    unclaimed = [key for key in given if isinstance(key, str) and key not in names]
    if not unclaimed:
        return
    import difflib

    missing = {_folded(name): name for name in names if name not in given}
    for key in unclaimed:
        if near := difflib.get_close_matches(_folded(key), missing, n=1, cutoff=0.8):
            raise ConfigurationError(f"{key}: no module has this name; did you mean {missing[near[0]]}?")


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")


def _open_blocks(blocks: Iterable[Block], config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration that has a mapping for each block."""
    opened: dict[str, Any] = plain_copy(config)
    for _ in walk(blocks, opened):
        pass
    return opened


def _with_replacements(declared: Iterable[Block], said: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of the modules that `replace_config` returns, given what file and flags say."""

    def replace(module: protocols.Module, keys: tuple[str, ...]) -> protocols.Module:
        if not isinstance(module, protocols.ReplacesConfig):
            return module
        block: Any = said
        for depth, key in enumerate(keys, start=1):
            block = block.get(key)
            if block is None:
                block = {}
            require_mapping(block, ".".join(keys[:depth]))
        defaults = default_config(build_tree([module]))[keys[-1]]
        return module.replace_config(overlay_config(defaults, block), ".".join(keys))

    return build_tree((block.module for block in declared), replace)


def _discover(blocks: Iterable[Block], said: Mapping[str, Any]) -> dict[str, Any]:
    discovered: dict[str, Any] = plain_copy(said)
    for block, config in walk(blocks, discovered):
        if isinstance(block.module, protocols.DiscoversConfig):
            block.module.discover_config(config, block.path)
    return discovered
