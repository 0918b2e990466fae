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
    drawn = tmp_path / "drawn.svg"
    program = DOCS / "command_line_picture.py"
    subprocess.run([sys.executable, program, drawn], check=True)
    shown = text_of(DOCS / "command-line.svg")
    assert "kvlayer" in shown
    assert text_of(drawn) == shown, f"run: python {program.name}"


def text_of(picture: Path) -> str:
    """What is written in a picture, without spaces; where exactly each letter stands is rich's matter."""
    words = re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text())
    return "".join(unescape("".join(words)).split())
