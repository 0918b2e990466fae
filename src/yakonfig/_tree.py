"""The tree of modules that a program is made of, with the place of each in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from yakonfig import protocols
from yakonfig._configurable import require_mapping
from yakonfig._errors import ProgrammerError
from yakonfig._merge import overlay_config


class Block(NamedTuple):
    """A module, the path of its block in the configuration, and the blocks inside of that."""

    module: protocols.Module
    keys: tuple[str, ...]
    children: tuple[Block, ...]

    @property
    def key(self) -> str:
        """The key of this block in the one around it."""
        return self.keys[-1]

    @property
    def path(self) -> str:
        """The name of this block in messages and for hooks."""
        return ".".join(self.keys)


Replace = Callable[[protocols.Module, tuple[str, ...]], protocols.Module]


def build_tree(modules: Iterable[protocols.Module], replace: Replace | None = None) -> tuple[Block, ...]:
    """The blocks of modules and all their sub modules.

    `replace` is asked for the module that takes a module's place, before the sub modules of that
    are looked at. Raises ProgrammerError for modules that don't fit together.
    """
    return _blocks(modules, replace or (lambda module, keys: module), (), ())


def _blocks(
    modules: Iterable[protocols.Module],
    replace: Replace,
    above: tuple[str, ...],
    holders: tuple[protocols.Module, ...],
) -> tuple[Block, ...]:
    blocks: dict[str, Block] = {}
    for declared in modules:
        keys = (*above, _config_name(declared))
        path = ".".join(keys)
        if keys[-1] in blocks:
            raise ProgrammerError(f"two modules, or one given twice, have the config_name {path!r}")
        if any(declared is holder for holder in holders):
            raise ProgrammerError(f"the module {path!r} is a sub module of itself")
        module = replace(declared, keys)
        if _config_name(module) != keys[-1]:
            raise ProgrammerError(f"replace_config of {path!r} returned a module of another config_name")
        sub_modules = module.sub_modules if isinstance(module, protocols.HasSubModules) else ()
        children = _blocks(sub_modules, replace, keys, (*holders, declared))
        blocks[keys[-1]] = Block(module, keys, children)
    return tuple(blocks.values())


def _config_name(module: object) -> str:
    name = getattr(module, "config_name", None)
    if not isinstance(name, str) or not name:
        kind = module.__name__ if isinstance(module, type) else type(module).__name__
        raise ProgrammerError(
            f"a module needs a config_name that is a str; {kind} has none"
            + (": give an instance of the class" if isinstance(module, type) else "")
        )
    return name


def every_block(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks, each before those inside of it, as in `walk`."""
    for block in blocks:
        yield block
        yield from every_block(block.children)


def walk(blocks: Iterable[Block], config: dict[str, Any]) -> Iterator[tuple[Block, dict[str, Any]]]:
    """All blocks with their configurations, which are made where they are missing or None.

    Raises ConfigurationError for a block that is not a mapping.
    """
    for block in blocks:
        if config.get(block.key) is None:
            config[block.key] = {}
        inside = config[block.key]
        require_mapping(inside, block.path)
        yield block, inside
        yield from walk(block.children, inside)


def default_config(blocks: Iterable[Block]) -> dict[str, Any]:
    """The defaults of all modules. What a module says about its sub modules outweighs theirs."""
    result: dict[str, Any] = {}
    for block in blocks:
        module = block.module
        defaults = module.default_config if isinstance(module, protocols.HasDefaultConfig) else {}
        if not isinstance(defaults, Mapping):
            raise ProgrammerError(f"default_config of {block.path!r} must be a mapping")
        own = dict(defaults)
        for key, below in default_config(block.children).items():
            if not isinstance(own.get(key, {}), Mapping):
                raise ProgrammerError(f"default_config of {block.path!r}: {key!r} is a sub module's block")
            own[key] = overlay_config(below, own.get(key, {}))
        result[block.key] = own
    return result


def flag_config(blocks: Iterable[Block], params: Mapping[str, Any]) -> dict[str, Any]:
    """What flags say, as a configuration; a flag that is None or absent says nothing."""
    result: dict[str, Any] = {}
    for block in blocks:
        own = flag_config(block.children, params)
        for flag, key in _runtime_keys(block).items():
            if params.get(flag) is not None:
                own[key] = params[flag]
        if own:
            result[block.key] = own
    return result


def claimed_flags(blocks: Iterable[Block]) -> set[str]:
    """The argparse names of all flags that set a key of some block."""
    return {flag for block in every_block(blocks) for flag in _runtime_keys(block)}


def _runtime_keys(block: Block) -> Mapping[str, str]:
    module = block.module
    return module.runtime_keys if isinstance(module, protocols.HasRuntimeKeys) else {}
