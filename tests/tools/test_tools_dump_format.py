"""The example of docs/dump-format.md is a dump, and what dump writes is that example."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

import kvlayer
from kvlayer import tools
from kvlayer.tools.blocks import BlockReader, BlockWriter
from kvlayer.tools.dump_contents import write_rows

DOCUMENT = Path(__file__).parents[2] / "docs" / "dump-format.md"
Memory = Callable[[], kvlayer.Client]


def example() -> bytes:
    """The bytes of the hexadecimal listing in the document."""
    found = re.search(r"```text\n(.*?)\n```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    *lines, length = found[1].splitlines()
    content = b"".join(bytes.fromhex(line[10:58]) for line in lines)
    assert len(content) == int(length, 16)
    for line in lines:
        assert line.endswith(
            "|" + "".join(chr(b) if 32 <= b < 127 else "." for b in bytes.fromhex(line[10:58])) + "|"
        )
    return content


def test_the_example_loads(memory: Memory) -> None:
    client = memory()
    tools.load(client, io.BytesIO(example()))
    assert client.tables() == [kvlayer.TableInfo("t", (str,), bytes)]
    assert list(client.scan("t")) == [(("a",), b"one"), (("b",), b"two")]


def test_dump_writes_the_example(memory: Memory) -> None:
    """Block by block; how zstd compresses rows is its own matter."""
    client = memory()
    client.setup_namespace({"t": (str,)})
    client.put("t", (("a",), b"one"), (("b",), b"two"))
    file = io.BytesIO()
    tools.dump(client, file)
    assert [block_of(file.getvalue(), n) for n in range(5)] == [block_of(example(), n) for n in range(5)]


def block_of(dump: bytes, number: int) -> tuple[bytes, Any]:
    reader = BlockReader(io.BytesIO(dump))
    blocks = [reader.next_block() for _ in range(number + 1)]
    block = blocks[-1]
    return block.kind, reader.rows(block) if block.kind == b"R" else block.content


GOOD: list[tuple[bytes, Any]] = [
    (b"S", {"format": 1, "key_format": 1}),
    (b"T", {"name": "t", "key_types": ["str"], "value_type": "bytes"}),
    (b"R", [(b"a", b"one"), (b"b", b"two")]),
    (b"R", [(b"c", b"")]),
    (b"E", {"rows": 3, "bytes": 9}),
    (b"Z", {"tables": 1, "rows": 3}),
]


def written(blocks: list[tuple[bytes, Any]]) -> io.BytesIO:
    """A file of these blocks, with right checksums."""
    file = io.BytesIO()
    writer = BlockWriter(file)
    for kind, content in blocks:
        if isinstance(content, bytes):
            writer._write_block(kind, content)
        elif isinstance(content, list):
            write_rows(writer, content)
        else:
            writer.write_json(kind, content)
    file.seek(0)
    return file


def test_blocks_as_they_should_be() -> None:
    assert tools.inspect_dump(written(GOOD)) == [tools.DumpedTable("t", (str,), bytes, 3, 9)]


@pytest.mark.parametrize(
    ("number", "block", "message"),
    [
        (0, (b"T", {}), "where the dump should begin"),
        (0, (b"S", b"[]"), "it holds no JSON object"),
        (0, (b"S", b"\xff"), "it holds no JSON object"),
        (1, (b"Q", {}), "of kind b'Q', where b'Z' should follow"),
        (1, (b"T", {"name": "t", "key_types": ["str"]}), "describes no table"),
        (1, (b"T", {"name": "", "key_types": ["str"], "value_type": "bytes"}), "describes no table"),
        (1, (b"T", {"name": 1, "key_types": ["str"], "value_type": "bytes"}), "describes no table"),
        (1, (b"T", {"name": "t", "key_types": [], "value_type": "bytes"}), "describes no table"),
        (1, (b"T", {"name": "t", "key_types": ["date"], "value_type": "bytes"}), "describes no table"),
        (1, (b"T", {"name": "t", "key_types": ["str"], "value_type": "date"}), "describes no table"),
        (1, (b"T", {"name": "_kvlayer_x", "key_types": ["str"], "value_type": "str"}), "reserved name"),
        (2, (b"R", [(b"b", b"two"), (b"a", b"one")]), "the keys are not in order"),
        (2, (b"R", [(b"a", b"one"), (b"a", b"two")]), "the keys are not in order"),
        (2, (b"R", []), "lengths of 0 rows were expected"),
        (2, (b"R", b"no zstd"), "its rows can't be read"),
        (2, (b"R", zstandard.compress(b"")), "there is no number of rows"),
        (2, (b"R", zstandard.compress(b"\0\0\0\1\0\0\0\1\0\0\0\1a")), "the lengths add up to 14 bytes"),
        (2, (b"R", zstandard.compress(b"\0\0\0\1\0\0\0\1\0\0\0\1ab") + b"more"), "its rows can't be read"),
        (2, (b"R", zstandard.ZstdCompressor(write_content_size=False).compress(b"x")), "than a block holds"),
        (3, (b"R", [(b"b", b"")]), "its keys are not behind those of the block before"),
        (4, (b"E", {"rows": 4, "bytes": 9}), r"it counts .* and there were \{'rows': 3, 'bytes': 9\}"),
        (4, (b"Z", {"tables": 1, "rows": 3}), "of kind b'Z', where b'E' should follow"),
        (5, (b"Z", {"tables": 1, "rows": 4}), "it counts"),
        (5, (b"T", GOOD[1][1]), "table 't' comes a second time"),
    ],
)
def test_blocks_that_make_no_dump(number: int, block: tuple[bytes, Any], message: str) -> None:
    """Such files have right checksums: another program wrote them, and not as the document says."""
    file = written([*GOOD[:number], block, *GOOD[number + 1 :]])
    with pytest.raises(tools.BrokenDump, match=f"block {number + 1} of the dump, at byte .*{message}"):
        tools.inspect_dump(file)


@pytest.mark.parametrize(
    "versions", [{"format": 2, "key_format": 1}, {"format": 1, "key_format": 2}, {"format": 1}]
)
def test_other_versions(versions: dict[str, int]) -> None:
    with pytest.raises(tools.TransferError, match=r"this kvlayer reads 1: use the version that made it"):
        tools.inspect_dump(written([(b"S", versions), *GOOD[1:]]))


def test_a_length_that_is_damaged_makes_no_room() -> None:
    content = bytearray(written(GOOD).getvalue())
    content[9] = 0x7F
    with pytest.raises(tools.BrokenDump, match="block 1 of the dump, at byte 8: its checksum is wrong"):
        tools.inspect_dump(io.BytesIO(content))
