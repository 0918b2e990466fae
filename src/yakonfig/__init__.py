"""Configuration of a program made of several modules: from their defaults, a YAML file and flags.

::

    parser = argparse.ArgumentParser()
    yakonfig.parse_args(parser, [yakonfig, first_module, second_module])
    yakonfig.get_global_config("first_module", "some_key")

A module has a `config_name` and any of the hooks described in `yakonfig.protocols` and in
docs/yakonfig.md. This package is one itself: it adds the flags ``--config`` and ``--dump-config``.

Importing it is quick; PyYAML is imported when the first file is read.
"""

from yakonfig._configurable import Configurable, NewSubModules, ProxyConfigurable, check_subconfig
from yakonfig._errors import ConfigurationError, ProgrammerError
from yakonfig._global import clear_global_config, get_global_config, set_global_config
from yakonfig._merge import diff_config, overlay_config
from yakonfig._redact import redact
from yakonfig._toplevel import (
    add_arguments,
    check_toplevel_config,
    config_name,
    defaulted_config,
    parse_args,
    runtime_keys,
    set_default_config,
)
from yakonfig.protocols import Module

__all__ = [
    "Configurable",
    "ConfigurationError",
    "Module",
    "NewSubModules",
    "ProgrammerError",
    "ProxyConfigurable",
    "add_arguments",
    "check_subconfig",
    "check_toplevel_config",
    "clear_global_config",
    "config_name",
    "defaulted_config",
    "diff_config",
    "get_global_config",
    "overlay_config",
    "parse_args",
    "redact",
    "runtime_keys",
    "set_default_config",
    "set_global_config",
]
