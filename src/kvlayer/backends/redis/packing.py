"""Commands as the bytes that the server takes, made several times faster than by the driver.

A command is an array of strings: `*2`, `$3`, `GET`, `$1`, `a`, each followed by CR LF. See
https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Any, Final

import redis

_LONGEST_KEPT: Final = 8192
_SENT_ALONE: Final = 65_536
"""Bytes of a word from which on copying it costs more than sending it by itself."""


class _Headers(dict[int, bytes]):
    """By its length, what stands between a word and the one before it."""

    def __missing__(self, length: int) -> bytes:
        header = b"\r\n$%d\r\n" % length
        if length <= _LONGEST_KEPT:
            self[length] = header
        return header


_header: Final = _Headers().__getitem__


class Packer:
    """What connections of the driver take as their `command_packer`.

    The driver looks at each word of a command for itself; here all words go through functions of
    Python's own at once, which matters in batches.
    """

    @staticmethod
    def pack(*words: Any) -> list[bytes]:
        """One command, of bytes, str and numbers, in the pieces to send. A first word of type str may be
        several, such as "CONFIG GET", as the driver writes them. Raises redis.DataError for another type."""
        if type(words[0]) is str:
            words = (*words[0].encode().split(), *words[1:])
        if {*map(type, words)} != {bytes}:
            words = tuple([word if type(word) is bytes else _word(word) for word in words])
        lengths = [*map(len, words)]
        pieces = [b"\r\n"] * (2 * len(words) + 1)
        pieces[:-1:2] = map(_header, lengths)
        pieces[1::2] = words
        pieces[0] = b"*%d%b" % (len(words), pieces[0])
        if max(lengths) < _SENT_ALONE:
            return [b"".join(pieces)]
        chunks: list[bytes] = []
        first = 0
        for place, length in enumerate(lengths):
            if length >= _SENT_ALONE:
                chunks += (b"".join(pieces[first : 2 * place + 1]), words[place])
                first = 2 * place + 2
        return [*chunks, b"".join(pieces[first:])]


def _word(word: object) -> bytes:
    if isinstance(word, str):
        return word.encode()
    if isinstance(word, (int, float)) and not isinstance(word, bool):
        return repr(word).encode()
    raise redis.DataError(f"a {type(word).__name__} is no part of a command")
