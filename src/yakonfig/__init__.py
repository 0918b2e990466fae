"""Configuration of a program made of several modules, from defaults, a YAML file and flags."""


class ConfigurationError(Exception):
    """A configuration that can't work."""


class ProgrammerError(Exception):
    """A use of yakonfig that can't mean anything."""
