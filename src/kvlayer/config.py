"""The configuration of a client: from the `kvlayer:` block, a dict or a URL to a backend's options.

`config_name`, `default_config`, `add_arguments`, `runtime_keys` and `check_config` make the package
a yakonfig module (docs/yakonfig.md). Any configured value may be a secret, so no message holds one,
except for the name of an unknown storage type.
"""

from __future__ import annotations

import argparse
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints
from urllib.parse import parse_qsl, urlsplit

import msgspec

import yakonfig
from kvlayer import backends
from kvlayer.backends.base import Backend
from kvlayer.errors import ConfigurationError

config_name: Final = "kvlayer"
default_config: Final[dict[str, Any]] = {"storage_type": "local"}
runtime_keys: Final = {
    "storage_type": "storage_type",
    "storage_address": "storage_addresses",
    "filename": "filename",
    "app_name": "app_name",
    "namespace": "namespace",
}

PASSWORD_VARIABLE: Final = "KVLAYER_PASSWORD"  # noqa: S105 - its name, not its value
"""The environment variable with the password of a store, where the configuration names none."""

_NAME_WHERE_NONE_IS_REQUIRED: Final = "kvlayer"

_OF_KVLAYER_0_5: Final = frozenset(
    {
        "connection_pool_size",
        "encoder",
        "max_consistency_delay",
        "replication_factor",
        "thrift_framed_transport_size_in_mb",
    }
)

# msgspec speaks of JSON where it reports a wrong type.
_WORDS: Final = (("`object", "`mapping"), ("`array", "`list"), (" | null`", "`"), ("`", ""))

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Positive = Annotated[float, msgspec.Meta(gt=0)]


class CommonOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration may say whatever the store."""

    storage_type: str = "local"
    app_name: str | None = None
    namespace: str | None = None
    table_options: dict[str, dict[str, Any]] = {}
    """Table name → what `setup_namespace` takes as the options of that table."""
    log_stats: str | None = None
    """A file that statistics are written to: text, or JSON lines if its name ends in .json."""
    log_stats_interval_ops: Annotated[int, msgspec.Meta(gt=0)] | None = None
    log_stats_interval_seconds: _Positive | None = None


@dataclass(frozen=True)
class Settings:
    """A checked configuration: what a client is made from."""

    common: CommonOptions
    backend: type[Backend]
    options: msgspec.Struct = field(repr=False)
    app_name: str
    namespace: str
    given: dict[str, Any] = field(repr=False)
    """The block as it was given, with references to secrets where it had them."""

    def open_backend(self) -> Backend:
        """Connects."""
        return self.backend(self.options, self.app_name, self.namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a program that uses kvlayer. A password is no flag: other users would see it."""
    parser.add_argument("--storage-type", metavar="NAME", help="the store: local, sqlite, ...")
    parser.add_argument(
        "--storage-address", metavar="ADDRESS", action="append", help="where the store is; may be repeated"
    )
    parser.add_argument("--filename", metavar="FILE", help="the file of storage type sqlite")
    parser.add_argument("--app-name", metavar="NAME", help="keeps applications apart that share a store")
    parser.add_argument("--namespace", metavar="NAME", help="keeps the data sets of an application apart")


def check_config(config: Mapping[str, Any], name: str) -> None:
    """Raises ConfigurationError for a block that no client can be made from.

    App name and namespace may still be missing: a program may give them to `kvlayer.client`.
    """
    _check(config, name)


def resolve(
    config: Mapping[str, Any] | str | None,
    storage_type: str | None = None,
    app_name: str | None = None,
    namespace: str | None = None,
) -> Settings:
    """The settings of a client, from the arguments of `kvlayer.client`."""
    given = _block(config)
    overrides = {"storage_type": storage_type, "app_name": app_name, "namespace": namespace}
    overrides = {key: value for key, value in overrides.items() if value is not None}
    given.update(overrides)
    chosen = given.get("storage_type", CommonOptions().storage_type)
    own = given.get(chosen) if isinstance(chosen, str) else None
    if isinstance(own, Mapping):  # which would outweigh the arguments
        given[chosen] = {key: value for key, value in own.items() if key not in overrides}
    common, backend, options = _check(given, config_name)

    def name_of(key: str, name: str | None) -> str:
        if name is None and not backend.app_name_required:
            return _NAME_WHERE_NONE_IS_REQUIRED
        if name is None:
            raise ConfigurationError(f"{config_name}.{key} is missing: {common.storage_type} needs one")
        return check_name(f"{config_name}.{key}", name)

    return Settings(
        common,
        backend,
        options,
        app_name=name_of("app_name", common.app_name),
        namespace=name_of("namespace", common.namespace),
        given=given,
    )


def check_name(what: str, name: object) -> str:
    """A name that every store can tell from all others; raises ConfigurationError for anything else."""
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{what}: a name is a str of at least one character")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{what}: a lone surrogate is no character") from None
    return str.__str__(name)


def refuse_unknown(key: str, known: frozenset[str], message: str) -> None:
    """Raises ConfigurationError for a key that isn't known, with the nearest one that is."""
    if key not in known:
        from difflib import get_close_matches  # only for this message

        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
        raise ConfigurationError(f"{message}; {hint}")


def _block(config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if config is None:
        try:
            config = yakonfig.get_global_config(config_name)
        except KeyError:
            config = default_config
    if isinstance(config, str):
        return _block_of_url(config)
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            "a configuration is a mapping, the contents of a kvlayer: block, or a URL;"
            f" not a {type(config).__name__}"
        )
    return dict(config)


def _block_of_url(text: str) -> dict[str, Any]:
    try:
        url = urlsplit(text)
        query = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True) if url.query else []
    except ValueError:
        raise ConfigurationError("the URL of a store can't be parsed; it is like sqlite:///file.db") from None
    if not url.scheme:
        raise ConfigurationError("the URL of a store begins with its storage type, like sqlite:///file.db")
    storage_type = backends.storage_type_of_scheme(url.scheme)
    address = backends.load(storage_type).options_from_url(url)
    return {"storage_type": storage_type, **address, **{key: _scalar(value) for key, value in query}}


def _scalar(text: str) -> Any:
    """A value from the query of a URL, read as YAML reads it."""
    import yaml  # not needed by most programs that import kvlayer

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _check(config: Mapping[str, Any], place: str) -> tuple[CommonOptions, type[Backend], msgspec.Struct]:
    block = _without_none(config, place)
    old = sorted(_OF_KVLAYER_0_5 & block.keys())
    if old:
        warnings.warn(f"{place}: no longer of any meaning, ignored: {', '.join(old)}", stacklevel=2)
    storage_type = _convert(
        {key: block[key] for key in ("storage_type",) if key in block}, CommonOptions, place
    ).storage_type
    backend = backends.load(storage_type)
    merged = _overlaid(block, storage_type, place)
    common_keys = frozenset(CommonOptions.__struct_fields__)
    own_keys = frozenset(backend.Options.__struct_fields__)
    known = common_keys | own_keys | ({"password_file"} if "password" in own_keys else set())
    for key in merged:
        refuse_unknown(
            key,
            known,
            f"{place}: {key!r} is no option of storage type {storage_type!r}"
            " (options of another store may stand in a block named after it)",
        )
    common = _convert({key: merged[key] for key in merged.keys() & common_keys}, CommonOptions, place)
    own = {key: _with_environment(merged[key], f"{place}.{key}") for key in merged if key not in common_keys}
    if "password" in own_keys:
        _find_password(own, place)
    return common, backend, _convert(own, backend.Options, place)


def _without_none(mapping: Mapping[Any, Any], place: str) -> dict[str, Any]:
    """A value of None stands for the default, as if the key weren't there."""
    for key in mapping:
        if not isinstance(key, str):
            raise ConfigurationError(f"{place}: a key must be a str, not a {type(key).__name__}")
    return {key: value for key, value in mapping.items() if value is not None}


def _overlaid(block: dict[str, Any], storage_type: str, place: str) -> dict[str, Any]:
    """The block without the blocks of single stores, overlaid with that of the chosen store."""
    own = block.get(storage_type, {})
    if not isinstance(own, Mapping):
        raise ConfigurationError(f"{place}.{storage_type}: expected a mapping, got {type(own).__name__}")
    nested = [key for key, value in block.items() if isinstance(value, Mapping) and key != "table_options"]
    of_stores = set(backends.storage_types()) if nested else set()
    rest = {
        key: value
        for key, value in block.items()
        if key not in _OF_KVLAYER_0_5 and not (key in nested and key in of_stores)
    }
    return {**rest, **_without_none(own, f"{place}.{storage_type}")}


def _with_environment(value: Any, place: str) -> Any:
    """The value with each ${NAME} in it replaced from the environment; $${ stands for ${ itself."""
    if isinstance(value, str):

        def replace(match: re.Match[str]) -> str:
            if match[1] is None:
                return "${"
            if match[1] not in os.environ:
                raise ConfigurationError(f"{place}: the environment variable {match[1]} is not set")
            return os.environ[match[1]]

        return re.sub(r"\$\$\{|\$\{(\w+)\}", replace, value)
    if isinstance(value, Mapping):
        return {key: _with_environment(item, place) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_environment(item, place) for item in value]
    return value


def _find_password(options: dict[str, Any], place: str) -> None:
    """Fills in the password: as given, else from its file, else from the environment."""
    filename = options.pop("password_file", None)
    if filename is not None and "password" in options:
        raise ConfigurationError(f"{place}: give a password or a password_file, not both")
    if filename is not None:
        try:
            with open(filename, encoding="utf-8") as file:
                options["password"] = file.read().rstrip("\r\n")
        except (OSError, ValueError, TypeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigurationError(f"{place}.password_file can't be read: {reason}") from None
    elif PASSWORD_VARIABLE in os.environ:
        options.setdefault("password", os.environ[PASSWORD_VARIABLE])


def _convert(values: dict[str, Any], kind: type[_Struct], place: str) -> _Struct:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        found = re.fullmatch(r"(.*?)(?: - at `\$([^`]*)`)?", str(error), re.DOTALL)
        reason, path = (found[1], found[2] or "") if found else ("not valid", "")
    # Beyond the handler, since msgspec's error may hold the value.
    if reason.startswith("Invalid enum value"):
        allowed = get_args(get_type_hints(kind)[path.lstrip(".").partition("[")[0].partition(".")[0]])
        reason = f"expected one of {', '.join(map(str, allowed))}"
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", reason):
        raise ConfigurationError(f"{place}{path}.{missing[1]} is missing")
    for theirs, ours in _WORDS:
        reason = reason.replace(theirs, ours)
    raise ConfigurationError(f"{place}{path}: {reason[0].lower()}{reason[1:]}")
