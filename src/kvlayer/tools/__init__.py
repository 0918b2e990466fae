"""Whole tables: counted, measured, moved from store to store and compared.

The command line is made of these functions; programs use them the same way::

    from kvlayer import client, tools

    with client("sqlite:///a.db", app_name="x", namespace="y") as a, client("redis://…", …) as b:
        tools.copy(a, b)
"""

from kvlayer.tools.comparing import verify
from kvlayer.tools.copying import copy
from kvlayer.tools.dumping import dump, inspect_dump, load
from kvlayer.tools.errors import BrokenDump, Differing, TransferError
from kvlayer.tools.filling import accept_incomplete
from kvlayer.tools.json_rows import from_json, key_from_json, key_to_json, read_ndjson, to_json, write_ndjson
from kvlayer.tools.measuring import count, measure
from kvlayer.tools.records import (
    ComparedTable,
    Comparison,
    Difference,
    DumpedTable,
    Measurement,
    Prefix,
    Progress,
    ProgressReport,
    Transferred,
)

__all__ = [
    "BrokenDump",
    "ComparedTable",
    "Comparison",
    "Difference",
    "Differing",
    "DumpedTable",
    "Measurement",
    "Prefix",
    "Progress",
    "ProgressReport",
    "TransferError",
    "Transferred",
    "accept_incomplete",
    "copy",
    "count",
    "dump",
    "from_json",
    "inspect_dump",
    "key_from_json",
    "key_to_json",
    "load",
    "measure",
    "read_ndjson",
    "to_json",
    "verify",
    "write_ndjson",
]
