"""Base classes for modules that are objects, and what their hooks may call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from yakonfig import protocols
from yakonfig._errors import ConfigurationError

if TYPE_CHECKING:
    import argparse


class Configurable(ABC):
    """A module that takes part with every hook, each of which does nothing by default.

    Subclassing it is never required: a Python module or any object that has a `config_name` will
    do. Instances of subclasses are modules, the subclasses themselves aren't.
    """

    @property
    @abstractmethod
    def config_name(self) -> str:
        """The key of this module's block in the configuration."""

    @property
    def default_config(self) -> Mapping[str, Any]:
        """What holds where nothing else is said; copied, never changed."""
        return {}

    @property
    def sub_modules(self) -> Iterable[protocols.Module]:
        """Modules whose blocks stand inside this one's."""
        return ()

    @property
    def runtime_keys(self) -> Mapping[str, str]:
        """The name of a flag in the argparse namespace → the key of this block that it sets."""
        return {}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027
        """Adds flags to the program's parser; those in `runtime_keys` without a default."""

    def replace_config(self, config: dict[str, Any], name: str) -> protocols.Module:
        """Returns the module to go on with: this one, or another one of the same `config_name`.

        `config` is the merged block, but for what `discover_config` will find. `name` is the path
        of the block, with dots, here and below.
        """
        return self

    def discover_config(self, config: dict[str, Any], name: str) -> None:  # noqa: B027
        """Adds what can be found elsewhere, say in the environment, to `config`.

        `config` holds what the file and the flags say, without defaults. Whatever they say, even
        None, outweighs what is put there.
        """

    def check_config(self, config: dict[str, Any], name: str) -> None:  # noqa: B027
        """Raises ConfigurationError if the merged block can't work.

        `get_global_config` gives the whole merged configuration meanwhile.
        """

    def normalize_config(self, config: dict[str, Any]) -> None:  # noqa: B027
        """Rewrites the checked block in place: makes paths absolute, fills sub modules' blocks."""


class ProxyConfigurable(Configurable):
    """A module that stands for another one and does as it does; the base of partial changes.

    `config` is the other module, of any kind; hooks that it doesn't have do nothing.
    """

    def __init__(self, config: protocols.Module) -> None:
        self.config = config

    @property
    def config_name(self) -> str:
        return self.config.config_name

    @property
    def default_config(self) -> Mapping[str, Any]:
        if isinstance(self.config, protocols.HasDefaultConfig):
            return self.config.default_config
        return super().default_config

    @property
    def sub_modules(self) -> Iterable[protocols.Module]:
        if isinstance(self.config, protocols.HasSubModules):
            return self.config.sub_modules
        return super().sub_modules

    @property
    def runtime_keys(self) -> Mapping[str, str]:
        if isinstance(self.config, protocols.HasRuntimeKeys):
            return self.config.runtime_keys
        return super().runtime_keys

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        if isinstance(self.config, protocols.AddsArguments):
            self.config.add_arguments(parser)

    def replace_config(self, config: dict[str, Any], name: str) -> protocols.Module:
        """What the other module answers; this proxy if it wants to stay."""
        if isinstance(self.config, protocols.ReplacesConfig):
            replacement = self.config.replace_config(config, name)
            return self if replacement is self.config else replacement
        return self

    def discover_config(self, config: dict[str, Any], name: str) -> None:
        if isinstance(self.config, protocols.DiscoversConfig):
            self.config.discover_config(config, name)

    def check_config(self, config: dict[str, Any], name: str) -> None:
        if isinstance(self.config, protocols.ChecksConfig):
            self.config.check_config(config, name)

    def normalize_config(self, config: dict[str, Any]) -> None:
        if isinstance(self.config, protocols.NormalizesConfig):
            self.config.normalize_config(config)


class NewSubModules(ProxyConfigurable):
    """A module as it is, but with other sub modules: what `replace_config` most often returns."""

    def __init__(self, config: protocols.Module, sub_modules: Iterable[protocols.Module] = ()) -> None:
        super().__init__(config)
        self._sub_modules = tuple(sub_modules)

    @property
    def sub_modules(self) -> Iterable[protocols.Module]:
        return self._sub_modules


def check_subconfig(config: Mapping[str, Any], name: str, sub: protocols.Module) -> None:
    """Checks the block of `sub` inside of `config`, the block called `name`.

    For a `check_config` that looks after modules which aren't in its `sub_modules`; those are
    checked without it. A missing block counts as an empty one. Raises ConfigurationError for a
    block that is not a mapping, and whatever the `check_config` of `sub` raises.
    """
    path = f"{name}.{sub.config_name}"
    block = config.get(sub.config_name)
    if block is None:
        block = {}
    require_mapping(block, path)
    if isinstance(sub, protocols.ChecksConfig):
        sub.check_config(block, path)


def require_mapping(block: object, path: str) -> None:
    """Raises ConfigurationError unless a module's block is a mapping."""
    if not isinstance(block, Mapping):
        raise ConfigurationError(f"{path}: must be a mapping of keys to values, not a {type(block).__name__}")
