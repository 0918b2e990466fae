"""What the documents say of the code is what the code says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import kvlayer
from kvlayer import backends
from kvlayer.backends.overview import markdown_table

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_the_table_of_stores_is_current() -> None:
    table = re.search(r"<!-- made by: .* -->\n(.*?)<!-- end -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert table is not None
    assert table[1] == markdown_table(), "run: python -m kvlayer.backends.overview"


def test_the_table_of_stores_has_all() -> None:
    for storage_type in backends._targets:
        assert f"[`{storage_type}`](docs/backends/{storage_type}.md)" in markdown_table()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configurations_are_right(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each YAML example with a kvlayer block is one that a client could be made from."""
    for block in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE):
        for name in re.findall(r"\$\{(\w+)\}", block):
            monkeypatch.setenv(name, "value")
        config = yaml.safe_load(block)
        if isinstance(config, dict) and "kvlayer" in config:
            config["kvlayer"].pop("password_file", None)
            kvlayer.check_config(config["kvlayer"], "kvlayer")


def test_public_names_are_documented() -> None:
    for name in kvlayer.__all__:
        public = getattr(kvlayer, name)
        if callable(public):
            assert public.__doc__, name
    for method in ("setup_namespace", "put", "put_many", "get", "scan", "scan_keys", "delete", "delete_range",
                   "compare_and_put", "increment", "clear_table", "delete_namespace", "close", "tables", "table",
                   "ping", "stats", "on_operation"):  # fmt: skip
        assert getattr(kvlayer.Client, method).__doc__, method
