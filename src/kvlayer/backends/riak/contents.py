"""What a stored object holds: one content, none (never written), a tombstone, or several siblings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kvlayer.backends.riak.erlang import decode_term
from kvlayer.errors import SerializationError

# A data type of Riak: tag, version, length of its name, name; then the counter's own tag and version.
_DATATYPE_TAG: Final = b"\x45\x02"
_COUNTER_NAME: Final = b"riak_dt_pncounter"
_COUNTER_HEADER: Final = _DATATYPE_TAG + len(_COUNTER_NAME).to_bytes(4, "big") + _COUNTER_NAME + b"\x47\x02"


def newest(contents: Sequence[Any]) -> Any:
    """The content that counts, None for a row that is not there.

    Of siblings it is the one written last, by the clocks of the nodes. Where two were written in the same
    microsecond, a value counts before a tombstone, and the larger value: so all readers agree.
    """
    if len(contents) == 1:
        winner = contents[0]
    elif contents:
        winner = max(contents, key=lambda one: (one.last_mod, one.last_mod_usecs, not one.deleted, one.value))
    else:
        return None
    return None if winner.deleted else winner


def counter_of(contents: Sequence[Any]) -> int | None:
    """The value of a counter as a scan shows it, None for one that is not there.

    A counter is what each of its writers has added and subtracted; siblings are joined, not chosen from.
    Raises SerializationError for what is no counter.
    """
    added: dict[Any, int] = {}
    subtracted: dict[Any, int] = {}
    alive = [one.value for one in contents if not one.deleted]
    for value in alive:
        for writer, plus, minus in _parts(value):
            added[writer] = max(plus, added.get(writer, 0))
            subtracted[writer] = max(minus, subtracted.get(writer, 0))
    return sum(added.values()) - sum(subtracted.values()) if alive else None


def _parts(value: bytes) -> list[tuple[Any, int, int]]:
    if not value.startswith(_COUNTER_HEADER):
        raise SerializationError(f"riak: {len(value)} stored bytes are no counter")
    try:
        return [
            (repr(writer), plus, minus) for writer, plus, minus in decode_term(value[len(_COUNTER_HEADER) :])
        ]
    except (ValueError, TypeError) as error:
        raise SerializationError(f"riak: {len(value)} stored bytes are no counter: {error}") from error
