"""The store that a command line speaks of."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kvlayer
import yakonfig
from kvlayer.cli.failures import CommandError
from kvlayer.cli.terminal import say
from kvlayer.config import Settings, resolve

_CHOOSE_A_STORE = ("config", "storage_type", "storage_address", "filename")


def open_client(arguments: argparse.Namespace) -> kvlayer.Client:
    """A client of the store that the flags name."""
    checked = settings(arguments)
    if checked.common.storage_type == "local":
        say("storage type local is the memory of this command alone: --config or --url names another store")
    return kvlayer.Client(checked)


def settings(arguments: argparse.Namespace) -> Settings:
    """The checked configuration of the store that the flags name."""
    return resolve(chosen(arguments), app_name=arguments.app_name, namespace=arguments.namespace)


def chosen(arguments: argparse.Namespace) -> Mapping[str, Any] | str:
    """What `kvlayer.client` takes: the URL that was given, or else the merged configuration."""
    if arguments.url is None:
        block: Mapping[str, Any] = yakonfig.get_global_config("kvlayer")
        return block
    for flag in _CHOOSE_A_STORE:
        if getattr(arguments, flag) is not None:
            raise CommandError(
                f"--url names a store, and so does --{flag.replace('_', '-')}: give one of them"
            )
    url: str = arguments.url
    return url


def open_store(named: str, arguments: argparse.Namespace) -> kvlayer.Client:
    """A client of a store that is named by a URL or by a YAML file with a `kvlayer:` block."""
    config: Mapping[str, Any] | str = named
    if "://" not in named:
        with yakonfig.defaulted_config([kvlayer], filename=Path(named)) as merged:
            config = merged["kvlayer"]
    return kvlayer.client(config, app_name=arguments.app_name, namespace=arguments.namespace)


def refuse_store_flags(arguments: argparse.Namespace) -> None:
    """Raises CommandError for flags that name a store, in a command that takes its stores otherwise."""
    for flag in ("url", *_CHOOSE_A_STORE):
        if getattr(arguments, flag) is not None:
            raise CommandError(f"this command takes its stores by position: no --{flag.replace('_', '-')}")
