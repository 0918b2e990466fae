"""Counters in the form in which Riak stores them: its own header, then an Erlang term."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

HEADER = b"\x45\x02\x00\x00\x00\x11riak_dt_pncounter\x47\x02"


def stored_counter(parts: Mapping[bytes, tuple[int, int]], *, packed: bool) -> bytes:
    """[{Actor, P, N}, ...]; `packed` as Erlang does with large terms."""
    items = [
        b"\x68\x03" + b"\x6d" + len(actor).to_bytes(4, "big") + actor + _integer(plus) + _integer(minus)
        for actor, (plus, minus) in parts.items()
    ]
    term = b"\x6c" + len(items).to_bytes(4, "big") + b"".join(items) + b"\x6a" if items else b"\x6a"
    if packed:
        return HEADER + b"\x83\x50" + len(term).to_bytes(4, "big") + zlib.compress(term)
    return HEADER + b"\x83" + term


def _integer(number: int) -> bytes:
    if number < 256:
        return b"\x61" + bytes((number,))
    if number < 2**31:
        return b"\x62" + number.to_bytes(4, "big")
    magnitude = number.to_bytes((number.bit_length() + 7) // 8, "little")
    return b"\x6e" + bytes((len(magnitude), 0)) + magnitude
