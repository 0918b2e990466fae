"""The errors of moving whole tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvlayer.errors import KvlayerError

if TYPE_CHECKING:
    from kvlayer.tools.records import Comparison


class TransferError(KvlayerError):
    """Rows can't be moved as asked: both ends are the same, a table is not empty, a line can't be read."""


class BrokenDump(TransferError):
    """A file is no dump, or was cut or changed; `offset` is the byte at which the bad block begins."""

    offset: int

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        return BrokenDump, (str(self), self.offset)


class Differing(TransferError):
    """A copy was made, and comparing both sides afterwards found differences; see `comparison`."""

    comparison: Comparison

    def __init__(self, message: str, comparison: Comparison) -> None:
        super().__init__(message)
        self.comparison = comparison

    def __reduce__(self) -> tuple[object, ...]:
        return Differing, (str(self), self.comparison)
