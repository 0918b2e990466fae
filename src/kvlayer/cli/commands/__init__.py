"""The commands, a module for each group; `add_commands` of each enters its own into the grammar.

Whatever is slow to import is imported by the functions that run.
"""

from typing import Final

from kvlayer.cli.commands import (
    bench,
    completion,
    configuration,
    measuring,
    moving,
    namespace,
    reading,
    stores,
    writing,
)

GROUPS: Final = tuple(
    group.add_commands
    for group in (namespace, reading, writing, measuring, moving, stores, bench, configuration, completion)
)
"""In the order of `kvlayer --help`."""
