"""`config`: the effective configuration, and where each value came from."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

import kvlayer
import yakonfig
from kvlayer.cli.commands.arguments import add_table_format
from kvlayer.cli.failures import DONE
from kvlayer.cli.parser import Commands
from kvlayer.cli.store import settings
from kvlayer.cli.terminal import print_table
from kvlayer.config import PASSWORD_VARIABLE, CommonOptions, Settings

if TYPE_CHECKING:
    from kvlayer.cli.lines import Lines

_REFERENCE: Final = re.compile(r"(?<!\$)\$\{(\w+)\}")


def add_commands(commands: Commands) -> None:
    """Enters the command of this module."""
    config = commands.add(
        "config",
        _config,
        summary="show the effective configuration, and where each value came from",
        usage="[--format table|json]",
        details="Does not connect. Secrets are hidden, and ${NAME} stays as it stands in the file.",
        example="kvlayer --config kvlayer.yaml --namespace test config",
    )
    add_table_format(config)


@dataclass(frozen=True)
class _Value:
    """One option with its value, fit to be shown, and where that came from."""

    option: str
    value: Any
    source: str


def _config(arguments: argparse.Namespace) -> int:
    values = list(_values(settings(arguments), arguments))
    if arguments.format == "json":
        shown = {found.option: {"value": found.value, "source": found.source} for found in values}
        sys.stdout.write(json.dumps(shown, indent=2, default=str) + "\n")
        return DONE
    print_table(
        ["option", "value", "from"],
        [[found.option, _as_text(found.value), found.source] for found in values],
    )
    return DONE


def _values(checked: Settings, arguments: argparse.Namespace) -> Iterator[_Value]:
    """All options that the store has, those of kvlayer first."""
    given = _Given(checked, arguments)
    names = {"app_name": checked.app_name, "namespace": checked.namespace}
    defaults = {**msgspec.structs.asdict(checked.common), **msgspec.structs.asdict(checked.options), **names}
    if given.value("password_file") is not None:
        defaults["password_file"] = None
    for option, effective in defaults.items():
        source = given.source(option)
        value = effective if source is None else given.value(option)
        if option == "password" and source is None and effective is not None:
            in_file = given.value("password_file") is not None
            source = "password_file" if in_file else f"environment, {PASSWORD_VARIABLE}"
        hidden = yakonfig.redact({option: value})[option]
        yield _Value(option, hidden, source or "default")


class _Given:
    """What was said about the options: by flags, by the file or by a URL."""

    def __init__(self, checked: Settings, arguments: argparse.Namespace) -> None:
        self._block = checked.given
        self._store = checked.common.storage_type
        self._arguments = arguments
        self._lines = _lines_of(arguments)

    def value(self, option: str) -> Any:
        """The value as it was given; None where nothing was said."""
        own = self._block.get(self._store)
        if isinstance(own, Mapping) and own.get(option) is not None:
            return own[option]
        return self._block.get(option)

    def source(self, option: str) -> str | None:
        """Where a value came from; None for a default."""
        value = self.value(option)
        if value is None:
            return None
        place = self._place(option)
        # What is kvlayer's own is taken as it stands.
        common = option in CommonOptions.__struct_fields__
        names = [] if common else _REFERENCE.findall(json.dumps(value, default=str))
        return f"environment, {', '.join(names)} ({place})" if names and place else place

    def _place(self, option: str) -> str | None:
        own = self._block.get(self._store)
        in_own_block = isinstance(own, Mapping) and own.get(option) is not None
        flag = next((flag for flag, key in kvlayer.runtime_keys.items() if key == option), None)
        if flag is not None and not in_own_block and getattr(self._arguments, flag) is not None:
            return f"flag --{flag.replace('_', '-')}"
        if self._arguments.url is not None:
            return "flag --url"
        path = (kvlayer.config_name, self._store, option) if in_own_block else (kvlayer.config_name, option)
        return None if self._lines is None else self._lines.place(path)


def _lines_of(arguments: argparse.Namespace) -> Lines | None:
    if arguments.config is None:
        return None
    from kvlayer.cli.lines import Lines

    return Lines(arguments.config)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isprintable() and value else json.dumps(value)
    if value is None:
        return "-"
    return json.dumps(value, default=str)
