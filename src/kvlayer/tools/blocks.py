"""The blocks of a dump, written and read; docs/dump-format.md is the record of the format."""

from __future__ import annotations

import itertools
import json
import operator
import struct
import zlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any, BinaryIO, Final, NamedTuple

from kvlayer.backends.base import Row
from kvlayer.errors import ConfigurationError
from kvlayer.tools.errors import BrokenDump, TransferError

MAGIC: Final = b"\x89KVD\r\n\x1a\n"
"""The first bytes of a dump; as in PNG, a transfer that takes it for text or for 7 bits changes them."""

_HEADER: Final = struct.Struct(">cI")
_CHECKSUM: Final = struct.Struct(">I")
_COUNT: Final = struct.Struct(">I")
_MOST_BYTES: Final = 2**31 - 1  # of a block's content, also when it is decompressed
_READ_BYTES: Final = 2**20


class Block(NamedTuple):
    """A block whose checksums were right."""

    kind: bytes
    content: bytes
    offset: int
    """Where in the dump it begins."""


class BlockWriter:
    """Appends blocks to a binary file, which may be a pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._checksum = 0
        self._compressor = _zstandard().ZstdCompressor()
        self._write(MAGIC)

    def write_json(self, kind: bytes, content: dict[str, Any]) -> None:
        """Writes a block whose content is a JSON object."""
        self._write_block(kind, json.dumps(content).encode())

    def write_rows(self, kind: bytes, rows: Sequence[Row]) -> None:
        """Writes a block of rows, of which there must be one."""
        packed = pack_rows(rows)
        if len(packed) > _MOST_BYTES:
            raise TransferError(f"a page of {len(packed)} bytes; a block of a dump holds {_MOST_BYTES}")
        self._write_block(kind, self._compressor.compress(packed))

    def _write_block(self, kind: bytes, content: bytes) -> None:
        self._write(_HEADER.pack(kind, len(content)))
        self._write(_CHECKSUM.pack(self._checksum), counts=False)
        self._write(content)
        self._write(_CHECKSUM.pack(self._checksum), counts=False)

    def _write(self, data: bytes, *, counts: bool = True) -> None:
        if counts:
            self._checksum = zlib.crc32(data, self._checksum)
        rest = memoryview(data)
        while rest:  # an unbuffered file may take only a part
            rest = rest[self._file.write(rest) :]


class BlockReader:
    """Reads a dump from a binary file, which may be a pipe, and raises BrokenDump where it is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._checksum = 0
        self._offset = 0
        self._number = 0
        self._zstandard = _zstandard()
        self._decompressor = self._zstandard.ZstdDecompressor()

    def next_block(self) -> Block:
        """The next block. Raises BrokenDump where the file ends instead."""
        if self._number == 0:
            self._check_magic()
        self._number += 1
        offset = self._offset
        header = self._checked(_HEADER.size, offset)
        kind, length = _HEADER.unpack(header)
        if length > _MOST_BYTES:
            raise self.broken(offset, f"{length} bytes are more than a block holds")
        return Block(kind, self._checked(length, offset), offset)

    def expect_end(self) -> None:
        """Raises BrokenDump unless the file ends here."""
        offset = self._offset
        self._number += 1
        if self._read(1):
            raise self.broken(offset, "the file goes on behind the end of the dump")

    def rows(self, block: Block) -> list[Row]:
        """The rows of a block, whose keys are in order."""
        try:
            if self._zstandard.get_frame_parameters(block.content).content_size > _MOST_BYTES:
                raise self.broken(block.offset, "more rows than a block holds")
            packed = self._decompressor.decompress(block.content, allow_extra_data=False)
            return unpack_rows(packed)
        except (self._zstandard.ZstdError, ValueError) as error:
            raise self.broken(block.offset, f"its rows can't be read: {error}") from error

    def broken(self, offset: int, problem: str) -> BrokenDump:
        """The error for a block."""
        return BrokenDump(f"block {self._number} of the dump, at byte {offset}: {problem}", offset)

    def json(self, block: Block) -> dict[str, Any]:
        """The JSON object of a block."""
        try:
            content = json.loads(block.content)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self.broken(block.offset, "it holds no JSON object")
        return content

    def _check_magic(self) -> None:
        magic = self._read(len(MAGIC))
        if magic != MAGIC:
            cut = bool(magic) and MAGIC.startswith(magic)
            problem = "the file was cut within its first bytes" if cut else "this is no dump of kvlayer's"
            raise BrokenDump(problem, 0)

    def _checked(self, length: int, offset: int) -> bytes:
        """So many bytes, whose checksum follows."""
        data = self._read(length)
        checksum = self._read(_CHECKSUM.size, counts=False)
        if len(data) < length or len(checksum) < _CHECKSUM.size:
            raise self.broken(offset, f"the file was cut, it ends at byte {self._offset}")
        if _CHECKSUM.unpack(checksum) != (self._checksum,):
            raise self.broken(offset, "its checksum is wrong, the file was changed")
        return data

    def _read(self, length: int, *, counts: bool = True) -> bytes:
        """So many bytes, fewer only at the end of the file."""
        parts = []
        while length and (part := self._file.read(min(length, _READ_BYTES))):
            parts.append(part)
            length -= len(part)
        data = b"".join(parts)
        self._offset += len(data)
        if counts:
            self._checksum = zlib.crc32(data, self._checksum)
        return data


def pack_rows(rows: Sequence[Row]) -> bytes:
    """The uncompressed content of a block of rows."""
    keys = [key for key, _ in rows]
    values = [value for _, value in rows]
    lengths = struct.pack(f">{2 * len(rows)}I", *map(len, keys), *map(len, values))
    return b"".join([_COUNT.pack(len(rows)), lengths, *keys, *values])


def unpack_rows(packed: bytes) -> list[Row]:
    """What `pack_rows` was given. Raises ValueError for anything that it doesn't make."""
    if len(packed) < _COUNT.size:
        raise ValueError("there is no number of rows")
    (count,) = _COUNT.unpack_from(packed)
    begin = _COUNT.size * (1 + 2 * count)
    if not count or len(packed) < begin:
        raise ValueError(f"lengths of {count} rows were expected")
    lengths = struct.unpack_from(f">{2 * count}I", packed, _COUNT.size)
    ends = list(itertools.accumulate(lengths, initial=begin))
    if ends[-1] != len(packed):
        raise ValueError(f"the lengths add up to {ends[-1]} bytes, and there are {len(packed)}")
    pieces = [packed[start:stop] for start, stop in itertools.pairwise(ends)]
    keys = pieces[:count]
    if not all(map(operator.lt, keys, keys[1:])):
        raise ValueError("the keys are not in order")
    return list(zip(keys, pieces[count:], strict=True))


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "dumps need the module 'zstandard', which is not installed: pip install 'kvlayer[cli]'"
        ) from error
    return zstandard
