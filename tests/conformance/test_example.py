"""The backend in docs/writing-a-backend.md passes the conformance suite, as it stands there.

It is installed the way that the document describes: by the entry point of a package.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvlayer.testing import Store
from kvlayer.testing.suite import *  # noqa: F403

DOCUMENT = Path(__file__).parents[2] / "docs" / "writing-a-backend.md"


@pytest.fixture(scope="module")
def kvlayer_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("example")
    (folder / "dict_backend.py").write_text(_first_code_block(), encoding="utf-8")
    metadata = folder / "dict_backend-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dict-backend\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[kvlayer.backends]\ndict = dict_backend:DictBackend\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield Store({"storage_type": "dict"})
    sys.modules.pop("dict_backend", None)


def _first_code_block() -> str:
    block = re.search(
        r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert block is not None
    return block[1]
