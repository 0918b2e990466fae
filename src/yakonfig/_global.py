"""The global configuration: one for the process, and one for each `with defaulted_config(...)`.

Configurations are held in layers. The bottom layer lasts as long as the process; a `with` block
puts one on top for its duration. A thread or task inside such a block sees its own layer, whatever
others do meanwhile; all others see the topmost one, so that threads started within a block, which
don't inherit its context, are configured too. A block that ends takes away its own layer, wherever
it lies: blocks of several threads may end in any order.

There is no lock: a layer's configuration is never changed, only swapped for another, and appending
to a list, removing an object from it and reading its last item are atomic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any

from yakonfig._errors import ConfigurationError
from yakonfig._merge import plain_copy


class _Layer:
    __slots__ = ("below", "config", "ended")

    def __init__(self, config: dict[str, Any] | None, below: _Layer | None) -> None:
        self.config = config
        self.below = below
        self.ended = False


_shared = [_Layer(None, None)]
_own: ContextVar[_Layer | None] = ContextVar("yakonfig_layer", default=None)


def _own_layer() -> _Layer | None:
    layer = _own.get()
    while layer is not None and layer.ended:
        layer = layer.below
    return layer


def _layer() -> _Layer:
    return _own_layer() or _shared[-1]


@contextmanager
def configured(config: dict[str, Any], *, shared: bool) -> Iterator[None]:
    """Makes `config` the global configuration for a while; if not shared, to the caller alone."""
    layer = _Layer(config, _own_layer())
    # The variable isn't reset at the end: a generator may end in another context than it began in.
    _own.set(layer)
    if shared:
        _shared.append(layer)
    try:
        yield
    finally:
        layer.ended = True
        if shared:
            _shared.remove(layer)
        layer.config = None


def get_global_config(*path: str) -> Any:
    """The global configuration, or what it holds at a path of keys.

    Returns a copy: changing it changes nothing for anybody else. Raises KeyError if no
    configuration is set or nothing is at the path.

    >>> _ = set_global_config({"app": {"workers": 4}})
    >>> get_global_config("app", "workers")
    4
    >>> clear_global_config()
    """
    found: Any = _layer().config
    if found is None:
        raise KeyError("no global configuration is set")
    for depth, key in enumerate(path, start=1):
        if not isinstance(found, Mapping) or key not in found:
            raise KeyError(f"{'.'.join(map(str, path[:depth]))} is not in the global configuration")
        found = found[key]
    return plain_copy(found)


def set_global_config(source: str | os.PathLike[str] | Mapping[str, Any] | IO[Any]) -> dict[str, Any]:
    """Sets the global configuration as it is, without modules, defaults or checks.

    `source` is a mapping, the path of a YAML file, or an open YAML file. Returns a copy of the
    configuration. Raises ConfigurationError for a file that can't be read or understood.
    """
    config: dict[str, Any]
    if isinstance(source, Mapping):
        config = copy_given(source)
    else:
        from yakonfig import _yaml

        if isinstance(source, (str, os.PathLike)):
            config = _yaml.read_file(source)
        else:
            config = _yaml.read_stream(source)
    _layer().config = config
    return copy_given(config)


def clear_global_config() -> None:
    """Unsets the global configuration; within `with defaulted_config(...)`, until its end."""
    _layer().config = None


def copy_given(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a mapping that a program has given. Raises ConfigurationError if it holds itself."""
    try:
        copied: dict[str, Any] = plain_copy(config)
    except RecursionError:
        raise ConfigurationError("the configuration contains itself or is nested too deeply") from None
    return copied
