"""What programs call: setting the global configuration from a command line, or without one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from yakonfig import _build, _global, protocols
from yakonfig._configurable import require_mapping
from yakonfig._errors import ConfigurationError, ProgrammerError
from yakonfig._merge import diff_config
from yakonfig._redact import redact
from yakonfig._tree import Block, build_tree, claimed_flags, every_block

if TYPE_CHECKING:
    import argparse

config_name = "yakonfig"
runtime_keys = {"config": "config"}

_DUMPS = ("default", "effective", "full")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds yakonfig's own flags, where `yakonfig` is among the modules of a program."""
    parser.add_argument("--config", "-c", metavar="FILE", help="read the configuration from this YAML file")
    parser.add_argument(
        "--dump-config",
        choices=_DUMPS,
        help="print the configuration without its secrets and exit: what holds by default, what differs "
        "from that (effective), or both (full)",
    )


def parse_args(
    parser: argparse.ArgumentParser, modules: Iterable[protocols.Module], args: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parses a command line and sets the global configuration.

    Lets all modules add their flags to `parser`, parses `args` (None: those of the process), merges
    and checks. Returns the namespace, for flags of the program's own. A ConfigurationError ends the
    program as a wrong flag does, by ``parser.error``; the flag ``--dump-config`` ends it as well.
    Raises ProgrammerError for modules that don't fit together.
    """
    modules = tuple(modules)
    blocks = build_tree(modules)
    _add_arguments(parser, blocks)
    namespace = parser.parse_args(args)
    dump = getattr(namespace, "dump_config", None) if _has_own_flags(blocks) else None
    problem = None
    try:
        if dump is None:
            set_default_config(modules, params=vars(namespace))
        else:
            _dump(_merge(modules, vars(namespace)), dump)
    except ConfigurationError as error:
        problem = " ".join(str(error).split())
    if problem is not None:
        parser.error(problem)
    if dump is not None:
        parser.exit()
    return namespace


def set_default_config(
    modules: Iterable[protocols.Module],
    params: Mapping[str, Any] | None = None,
    yaml: str | bytes | None = None,
    filename: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | None = None,
    validate: bool = True,
) -> dict[str, Any]:
    """Sets the global configuration without a command line; returns a copy of it.

    `params` are flags by their argparse names; None means not given. At most one of these says
    what a file would: `yaml` (a text), `filename`, `config` (a mapping), and ``config`` in `params`
    (a file's name, if `yakonfig` is among the modules). Without `validate`, the modules' checks are
    left out.

    Raises ConfigurationError for a configuration that can't work, and ProgrammerError for modules
    that don't fit together; the global configuration then stays as it was.
    """
    ready = _ready(modules, params, yaml, filename, config, validate)
    return _global.set_global_config(ready)


@contextmanager
def defaulted_config(
    modules: Iterable[protocols.Module],
    params: Mapping[str, Any] | None = None,
    yaml: str | bytes | None = None,
    filename: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | None = None,
    validate: bool = True,
) -> Iterator[dict[str, Any]]:
    """As `set_default_config`, until the end of a ``with`` block; gives a copy of the configuration.

    The calling thread or task sees this configuration in the block whatever others do. Threads
    without a block of their own see the one that was begun last.
    """
    ready = _ready(modules, params, yaml, filename, config, validate)
    with _global.configured(ready, shared=True):
        yield _global.get_global_config()


_being_checked: ContextVar[frozenset[str]] = ContextVar("yakonfig_being_checked", default=frozenset())


def check_toplevel_config(module: protocols.Module, who: str) -> None:
    """Checks that a module is configured, for the `check_config` of another one that needs it.

    `who` names that other one. Raises ConfigurationError if the global configuration has no block
    for `module`, or if the module's own `check_config` finds fault with it.
    """
    name = module.config_name
    try:
        config = _global.get_global_config(name)
    except KeyError:
        raise ConfigurationError(f"{who} needs a configuration of {name}, which is missing") from None
    require_mapping(config, name)
    under_way = _being_checked.get()
    # Two modules may need each other.
    if name not in under_way and isinstance(module, protocols.ChecksConfig):
        token = _being_checked.set(under_way | {name})
        try:
            module.check_config(config, name)
        finally:
            _being_checked.reset(token)


def _add_arguments(parser: argparse.ArgumentParser, blocks: Sequence[Block]) -> None:
    """Adds the flags of all modules; those of one that has several places only once."""
    added: list[protocols.Module] = []
    for block in every_block(blocks):
        module = block.module
        if isinstance(module, protocols.AddsArguments) and not any(module is other for other in added):
            module.add_arguments(parser)
            added.append(module)
    from argparse import SUPPRESS

    for flag in sorted(claimed_flags(blocks)):
        if parser.get_default(flag) not in (None, SUPPRESS):
            raise ProgrammerError(
                f"the flag {flag!r} has a default, so the file could never set it: "
                "let it default to None and name the value in default_config"
            )


def _has_own_flags(blocks: Iterable[Block]) -> bool:
    return any(block.key == config_name for block in blocks)


def _ready(
    modules: Iterable[protocols.Module],
    params: Mapping[str, Any] | None,
    yaml: str | bytes | None,
    filename: str | os.PathLike[str] | None,
    config: Mapping[str, Any] | None,
    validate: bool,
) -> dict[str, Any]:
    merged = _merge(tuple(modules), params or {}, yaml, filename, config)
    if validate:
        _build.check(merged)
    _build.normalize(merged)
    return merged.config


def _merge(
    modules: Sequence[protocols.Module],
    params: Mapping[str, Any],
    yaml: str | bytes | None = None,
    filename: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> _build.Merged:
    flagged = params.get("config") if _has_own_flags(build_tree(modules)) else None
    if sum(source is not None for source in (yaml, filename, config, flagged)) > 1:
        raise ProgrammerError("only one of yaml, filename, config and the flag config can be given")
    path = filename if filename is not None else flagged
    given = _read(path, yaml) if config is None else _global.copy_given(config)
    return _build.merge(modules, given, params)


def _read(path: str | os.PathLike[str] | None, text: str | bytes | None) -> dict[str, Any]:
    if path is None and text is None:
        return {}
    from yakonfig import _yaml  # PyYAML takes longer to import than all of yakonfig

    if path is not None:
        return _yaml.read_file(path)
    return _yaml.read_text(text or "")


def _dump(merged: _build.Merged, what: str) -> None:
    from yakonfig import _yaml

    dumps = {"default": lambda: merged.defaults, "full": lambda: merged.config}
    shown = dumps.get(what, lambda: diff_config(merged.defaults, merged.config))()
    _yaml.print_yaml(redact(shown))
