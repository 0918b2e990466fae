"""Requests of the interface → the messages that answer them."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Iterator, Sequence

from riak_double.encoding import Fields, Malformed, decode, field, unzigzag, zigzag
from riak_double.store import Bucket, Store, Stored

Message = tuple[int, bytes]
"""Code and body."""

LONGEST = 65_536
LARGEST = 50 * 2**20

_SYMBOLIC = 4294967291  # numbers from here on are names: default, all, quorum, one
_STARTING = b"{insufficient_vnodes,0,need,2}"


class Error(Exception):
    """An answer of code 0."""


class ClosingError(Exception):
    """One after which a node closes the connection."""


class Service:
    """Answers requests; one at a time, whichever connection they come from."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock = threading.Lock()
        self._answers: dict[int, Callable[[Fields], Iterator[Message]]] = {
            1: self._ping,
            7: self._server_info,
            9: self._get,
            11: self._put,
            13: self._delete,
            19: self._get_bucket,
            21: self._set_bucket,
            25: self._index,
            40: self._cs_bucket,
            80: self._fetch,
            82: self._update,
        }

    def answer(self, code: int, body: bytes) -> tuple[list[Message], bool]:
        """The messages, and whether the connection is closed after them."""
        try:
            fields = decode(body)
            with self.lock:
                if self.store.knobs.starting and code not in (1, 7, 19, 21):
                    raise Error(_STARTING.decode())
                return list(self._answers[code](fields)), False
        except KeyError:
            return [error(f"Unknown message code: {code}")], False
        except Error as failure:
            return [error(str(failure))], False
        except (ClosingError, Malformed) as failure:
            return [error(f"Error processing incoming message: {failure}")], True

    def _ping(self, fields: Fields) -> Iterator[Message]:
        yield 2, b""

    def _server_info(self, fields: Fields) -> Iterator[Message]:
        yield 8, field(1, b"riak@double") + field(2, b"3.2.0-double")

    def _get(self, fields: Fields) -> Iterator[Message]:
        bucket, key = self._bucket(fields, 13), _key(fields)
        self._check_quorums(bucket, fields, (3, 4))
        stored = self.store.get(bucket, key)
        if stored is None:
            yield 10, b""
        elif stored.is_tombstone:
            yield 10, field(2, _clock(stored)) if _number(fields, 9) else b""
        else:
            yield 10, _object(stored, with_values=not _number(fields, 8))

    def _put(self, fields: Fields) -> Iterator[Message]:
        bucket, key = self._bucket(fields, 16), _key(fields)
        self._check_quorums(bucket, fields, (5, 6, 8))
        value = _bytes(decode(_bytes(fields, 4)), 1)
        if len(value) > LARGEST:
            raise Error(f"{{too_large,{len(value)}}}")
        present = self.store.get(bucket, key)
        alive = present is not None and not present.is_tombstone
        if _number(fields, 10) and alive:
            raise Error("match_found")
        if _number(fields, 9):
            if present is None or not alive:
                raise Error("notfound")
            if _clock(present) != _bytes(fields, 3):
                raise Error("modified")
        stored = self.store.put(bucket, key, value, _seen(fields, 3))
        yield 12, _object(stored, with_values=True) if _number(fields, 7) else b""

    def _delete(self, fields: Fields) -> Iterator[Message]:
        bucket, key = self._bucket(fields, 13), _key(fields)
        self._check_quorums(bucket, fields, (5, 6, 7, 8, 9))
        self.store.delete(bucket, key, _seen(fields, 4))
        yield 14, b""

    def _get_bucket(self, fields: Fields) -> Iterator[Message]:
        bucket = self._bucket(fields, 2)
        kind = self.store.types[bucket[0]]
        properties = field(1, self._n_val(bucket)) + field(2, kind.allow_mult)
        properties += b"".join(field(number, _SYMBOLIC + 2) for number in (15, 16, 18))
        properties += field(14, 0) + field(17, kind.pw)
        if kind.datatype:
            properties += field(26, kind.datatype)
        yield 20, field(1, properties)

    def _set_bucket(self, fields: Fields) -> Iterator[Message]:
        bucket, properties = self._bucket(fields, 3), decode(_bytes(fields, 2))
        if 1 in properties:
            self.store.n_vals[bucket] = _number(properties, 1)
        yield 22, b""

    def _index(self, fields: Fields) -> Iterator[Message]:
        bucket = self._scanned_bucket(fields, 12)
        if _bytes(fields, 2) != b"$key" or _number(fields, 3) != 1:
            raise ClosingError("{unknown_field_type,<<...>>}")
        most = _number(fields, 9) or None
        start, end = _bytes(fields, 5), _bytes(fields, 6)
        items = self.store.items(bucket, start, end, (True, True), _behind(fields, 10), most)
        keys = [field(1, key) for key, _ in items]
        more = field(3, _continuation(items[-1][0])) if most is not None and len(items) == most else b""
        if _number(fields, 8):
            yield from self._stream(26, keys, more, field(4, 1))
        else:
            yield 26, b"".join(keys) + more

    def _cs_bucket(self, fields: Fields) -> Iterator[Message]:
        bucket = self._scanned_bucket(fields, 9)
        most = _number(fields, 7) or None
        inclusive = (bool(_number(fields, 4, 1)), bool(_number(fields, 5, 0)))
        end = _bytes(fields, 3) if 3 in fields else None
        items = self.store.items(bucket, _bytes(fields, 2), end, inclusive, _behind(fields, 6), most)
        objects = [
            field(1, field(1, key) + field(2, _object(stored, with_values=True))) for key, stored in items
        ]
        more = field(2, _continuation(items[-1][0])) if most is not None and len(items) == most else b""
        yield from self._stream(41, objects, more, field(3, 1))

    def _fetch(self, fields: Fields) -> Iterator[Message]:
        bucket, key = self._counter_bucket(fields), _key(fields)
        stored = self.store.get(bucket, key)
        if stored is None or stored.counts is None:
            yield 81, field(2, 1)
        else:
            yield 81, field(2, 1) + field(3, field(1, zigzag(self.store.counter(stored.counts))))

    def _update(self, fields: Fields) -> Iterator[Message]:
        bucket, key = self._counter_bucket(fields), _key(fields)
        self._check_quorums(bucket, fields, (6, 7, 8))
        operation = decode(_bytes(decode(_bytes(fields, 5)), 1))
        value = self.store.count(bucket, key, unzigzag(_number(operation, 1, 2)))
        yield 83, field(3, zigzag(value)) if _number(fields, 9) else b""

    def _stream(self, code: int, items: Sequence[bytes], more: bytes, done: bytes) -> Iterator[Message]:
        size = self.store.knobs.rows_per_frame
        frames = [b"".join(items[first : first + size]) for first in range(0, len(items), size)]
        if frames and not self.store.knobs.last_frame_is_empty:
            done = frames.pop() + more + done
        else:
            done = more + done
        for frame in frames:
            yield code, frame
        yield code, done

    def _bucket(self, fields: Fields, type_field: int) -> Bucket:
        kind = _bytes(fields, type_field) or b"default"
        if kind not in self.store.types:
            raise Error("no_type")
        name = _bytes(fields, 1)
        if not name or len(name) > LONGEST:
            raise ClosingError("a bucket of no length, or of too much")
        return kind, name

    def _scanned_bucket(self, fields: Fields, type_field: int) -> Bucket:
        if not self.store.knobs.scans:
            raise Error("{error,{indexes_not_supported,riak_kv_bitcask_backend}}")
        try:
            return self._bucket(fields, type_field)
        except Error as failure:
            raise ClosingError(str(failure)) from failure

    def _counter_bucket(self, fields: Fields) -> Bucket:
        bucket = self._bucket(fields, 3)
        if self.store.types[bucket[0]].datatype != b"counter":
            raise Error("`undefined` is not a supported type")
        return bucket

    def _n_val(self, bucket: Bucket) -> int:
        return self.store.n_vals.get(bucket, self.store.types[bucket[0]].n_val)

    def _check_quorums(self, bucket: Bucket, fields: Fields, numbers: Sequence[int]) -> None:
        n_val = self._n_val(bucket)
        if any(n_val < _number(fields, number) < _SYMBOLIC for number in numbers):
            raise Error(f"{{n_val_violation,{n_val}}}")


def error(text: str) -> Message:
    """An answer that is an error."""
    return 0, field(1, text.encode()) + field(2, 0)


def _object(stored: Stored, *, with_values: bool) -> bytes:
    contents = [
        field(1, one.value if with_values else b"")
        + field(5, b"vtag%d" % one.number)
        + field(7, one.time // 10**6)
        + field(8, one.time % 10**6)
        + (field(11, 1) if one.deleted else b"")
        for one in stored.contents
    ]
    return b"".join(field(1, content) for content in contents) + field(2, _clock(stored))


def _clock(stored: Stored) -> bytes:
    return b"clock" + stored.clock.to_bytes(8, "big")


def _seen(fields: Fields, number: int) -> int | None:
    return int.from_bytes(_bytes(fields, number)[5:], "big") if number in fields else None


def _continuation(key: bytes) -> bytes:
    return base64.b64encode(b"\x83m" + len(key).to_bytes(4, "big") + key)


def _behind(fields: Fields, number: int) -> bytes | None:
    if number not in fields:
        return None
    try:
        term = base64.b64decode(_bytes(fields, number), validate=True)
    except binascii.Error as failure:
        raise ClosingError("bad continuation") from failure
    if term[:2] != b"\x83m" or len(term) - 6 != int.from_bytes(term[2:6], "big"):
        raise ClosingError("bad continuation")
    return term[6:]


def _key(fields: Fields) -> bytes:
    key = _bytes(fields, 2)
    if not key:
        raise Error("Key cannot be zero-length")
    if len(key) > LONGEST:
        raise ClosingError("key_too_large")
    return key


def _bytes(fields: Fields, number: int) -> bytes:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise Malformed(f"field {number} is a number")
    return value


def _number(fields: Fields, number: int, default: int = 0) -> int:
    value = fields.get(number, [default])[-1]
    if not isinstance(value, int):
        raise Malformed(f"field {number} is no number")
    return value
