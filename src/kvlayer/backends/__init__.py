"""Which storage types there are: each a name for a `Backend` class, imported only when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from kvlayer.backends.base import Backend
from kvlayer.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

ENTRY_POINT_GROUP: Final = "kvlayer.backends"
"""Where a package of its own names its backends: `storage_type = "package.module:ClassName"`."""

_targets: dict[str, str] = {
    "local": "kvlayer.backends.local:LocalBackend",
    "sqlite": "kvlayer.backends.sqlite:SQLiteBackend",
    "redis": "kvlayer.backends.redis:RedisBackend",
    "postgres": "kvlayer.backends.postgres:PostgresBackend",
    "riak": "kvlayer.backends.riak:RiakBackend",
    "accumulo": "kvlayer.backends.accumulo:AccumuloBackend",
}
_url_schemes: dict[str, str] = {"rediss": "redis", "unix": "redis", "postgresql": "postgres"}
_extras: dict[str, str] = {"redis": "redis", "postgres": "postgres", "riak": "riak", "accumulo": "accumulo"}


def register(storage_type: str, target: str) -> None:
    """Makes a backend known in this process, as an entry point does for all that install a package.

    `target` is "package.module:ClassName". Raises ConfigurationError where the name is taken by
    another backend.
    """
    if _targets.setdefault(storage_type, target) != target:
        raise ConfigurationError(f"storage type {storage_type!r} is taken by {_targets[storage_type]}")


def storage_types() -> list[str]:
    """All names known here: built in, registered, and by entry points; none of them is imported."""
    return sorted({*_targets, *(point.name for point in _entry_points())})


def storage_type_of_scheme(scheme: str) -> str:
    """The storage type of a URL's scheme: usually the same word."""
    return _url_schemes.get(scheme, scheme)


def load(storage_type: str) -> type[Backend]:
    """Imports the backend class of a storage type.

    Raises ConfigurationError for an unknown name, with the nearest known ones; for a driver that is
    not installed, with what to install; and for a plug-in that can't be imported.
    """
    target = _targets.get(storage_type) or _entry_point_target(storage_type)
    module_name, _, class_name = target.partition(":")
    try:
        backend = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        if storage_type in _extras:
            raise ConfigurationError(
                f"storage type {storage_type!r} needs the module {error.name!r},"
                f" which is not installed: pip install 'kvlayer[{_extras[storage_type]}]'"
            ) from error
        raise _broken(storage_type, target, error) from error
    except Exception as error:  # whatever a foreign module does when it is imported
        raise _broken(storage_type, target, error) from error
    if not (isinstance(backend, type) and issubclass(backend, Backend)):
        raise ConfigurationError(f"storage type {storage_type!r}: {target} is no kvlayer Backend class")
    return backend


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # as slow to import as the rest of kvlayer

    return entry_points(group=ENTRY_POINT_GROUP)


def _entry_point_target(storage_type: str) -> str:
    for point in _entry_points().select(name=storage_type):
        return point.value
    import difflib  # only for this message

    known = storage_types()
    near = difflib.get_close_matches(storage_type.lower(), known, n=3, cutoff=0.5)
    # What resembles no name is not shown: it may be a URL with a password, put in the wrong place.
    shown = f" {storage_type!r}" if near else ""
    known_here = ", ".join([*near, *(name for name in known if name not in near)])
    raise ConfigurationError(f"unknown storage type{shown}; known here: {known_here}")


def _broken(storage_type: str, target: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"storage type {storage_type!r}: {target} can't be imported ({type(error).__name__}: {error})"
    )
