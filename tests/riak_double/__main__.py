"""The command `python tests/riak_double`: one cluster, of as many nodes as ports are given."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from riak_double import Knobs, RiakDouble


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/riak_double", description=__doc__)
    parser.add_argument(
        "--port", type=int, action="append", help="of a node; may be repeated (default: 8087)"
    )
    parser.add_argument("--knobs", type=json.loads, default={}, help="JSON, the fields of riak_double.Knobs")
    options = parser.parse_args()
    with RiakDouble(options.port or [8087], Knobs(**options.knobs)):
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
