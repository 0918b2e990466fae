"""What a configurable module looks like to a type checker.

Only `config_name` is required; each hook has a protocol of its own, since each is optional. Python
modules, classes and instances all take part, so a program can state that one of its modules keeps
to a hook's signature: ``_: yakonfig.protocols.ChecksConfig = sys.modules[__name__]``, or leave that
to a subclass of `yakonfig.Configurable`, which has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import argparse


@runtime_checkable
class Module(Protocol):
    """Whatever can be configured: it has the name of its block in the configuration."""

    @property
    def config_name(self) -> str:
        """The key of this module's block. Unique among its neighbours."""


@runtime_checkable
class HasDefaultConfig(Protocol):
    """A module with defaults."""

    @property
    def default_config(self) -> Mapping[str, Any]:
        """What holds where nothing else is said. It is copied, never changed."""


@runtime_checkable
class HasSubModules(Protocol):
    """A module that holds others."""

    @property
    def sub_modules(self) -> Iterable[Module]:
        """Modules whose blocks stand inside this one's block. It is iterated over several times."""


@runtime_checkable
class AddsArguments(Protocol):
    """A module with command line flags."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds flags. Those named in `runtime_keys` have no default, or None."""


@runtime_checkable
class HasRuntimeKeys(Protocol):
    """A module whose configuration can be given by flags."""

    @property
    def runtime_keys(self) -> Mapping[str, str]:
        """The flag's name in the argparse namespace → the key of this module's block."""


@runtime_checkable
class ReplacesConfig(Protocol):
    """A module that may put another one into its place, such as a plug-in."""

    def replace_config(self, config: dict[str, Any], name: str) -> Module:
        """The module to go on with: this one or another of the same `config_name`."""


@runtime_checkable
class DiscoversConfig(Protocol):
    """A module that can find configuration elsewhere: in the environment, on the network."""

    def discover_config(self, config: dict[str, Any], name: str) -> None:
        """Adds to `config`, which holds what the file and the flags say, what they don't say."""


@runtime_checkable
class ChecksConfig(Protocol):
    """A module that checks its configuration."""

    def check_config(self, config: dict[str, Any], name: str) -> None:
        """Raises `yakonfig.ConfigurationError` where `config` can't work."""


@runtime_checkable
class NormalizesConfig(Protocol):
    """A module that rewrites its configuration for its own use."""

    def normalize_config(self, config: dict[str, Any]) -> None:
        """Changes `config` in place."""
