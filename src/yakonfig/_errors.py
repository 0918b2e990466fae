"""The two errors of yakonfig: one for who writes configurations, one for who writes programs."""


class ConfigurationError(Exception):
    """A configuration that can't work: a key, a value or a file is not what it must be.

    The message says where and what was expected. It never holds a value of the configuration,
    which might be a secret.
    """


class ProgrammerError(Exception):
    """A use of yakonfig that can't mean anything, such as two modules of one name."""
