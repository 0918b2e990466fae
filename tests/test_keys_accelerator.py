"""What only the functions in C have: memory of their own, and a compiler that may be missing."""

from __future__ import annotations

import gc
import itertools
import os
import random
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any
from uuid import UUID, SafeUUID, uuid4

import pytest

from kvlayer import keys
from kvlayer._key_accelerator import KeyFunctions
from kvlayer._key_parts import PlainCodec
from kvlayer.errors import BadKey, SerializationError

TYPES = (str, bytes, int, float, UUID, str)


def fresh_key() -> Any:
    """A key of objects that nobody else has."""
    return (f"né\0\1{uuid4()}", os.urandom(9), uuid4().int >> 70, random.random(), uuid4(), f"last {uuid4()}")


class Text(str):
    __slots__ = ()


def functions(types: tuple[type, ...] = TYPES) -> KeyFunctions:
    plain = PlainCodec(types, "t")
    letters = "".join(name[0] for name in keys.type_names(types))
    return KeyFunctions(letters, plain.encode, plain.encode_prefix, plain.decode)


def test_it_was_built() -> None:
    """Elsewhere that is no error; here it would leave the code untested."""
    assert keys._ACCELERATOR_FOUND
    assert (not os.environ.get("KVLAYER_PURE_PYTHON")) == keys.ACCELERATED


@pytest.mark.parametrize(("setting", "accelerated"), [("", True), ("1", False)])
def test_the_environment_can_do_without(setting: str, accelerated: bool) -> None:
    code = "import kvlayer.keys; print(kvlayer.keys.ACCELERATED)"
    environment = {**os.environ, "KVLAYER_PURE_PYTHON": setting}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == str(accelerated)


def test_where_it_was_not_built_python_does_the_same() -> None:
    code = (
        "import sys; sys.modules['kvlayer._key_accelerator'] = None\n"
        "import kvlayer, kvlayer.keys\n"
        "kvl = kvlayer.client('local://'); kvl.setup_namespace({'t': (str, int)})\n"
        "kvl.put('t', (('b', 2), b'2'), (('a', 1), b'1'))\n"
        "print(kvlayer.keys.ACCELERATED, list(kvl.scan('t')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False [(('a', 1), b'1'), (('b', 2), b'2')]"


def test_keys_of_any_length() -> None:
    """Long ones don't fit into the memory that is at hand for each key."""
    plain = PlainCodec((bytes, str, bytes), "t")
    for length in (0, 1, 200, 254, 255, 256, 257, 511, 512, 513, 1024, 100_000):
        for byte in (b"\0", b"\1", b"x"):
            key = (byte * length, "é" * length, byte * length)
            encoded = functions((bytes, str, bytes)).encode(key)
            assert encoded == plain.encode(key)
            assert functions((bytes, str, bytes)).decode(encoded) == key


def test_a_uuid_comes_back_as_a_true_one() -> None:
    made = functions((UUID,)).decode(bytes(range(16)))[0]
    assert type(made) is UUID
    assert (made, made.is_safe) == (UUID(bytes=bytes(range(16))), SafeUUID.unknown)
    assert hash(made) == hash(UUID(bytes=bytes(range(16))))


@pytest.mark.parametrize("number", [-1, 2**128, "7", None])
def test_a_uuid_that_somebody_broke_is_left_to_python(number: Any) -> None:
    broken = UUID(int=1)
    object.__setattr__(broken, "int", number)
    odd: list[Any] = []

    def encode_odd(key: Any) -> bytes:
        odd.append(key)
        return b"odd"

    assert functions((UUID,)).encode((broken,), encode_odd) == b"odd"
    assert odd == [(broken,)]


def test_only_odd_keys_are_handed_over() -> None:
    odd: list[Any] = []
    batch = [
        ("a", 1),
        (Text("b"), 2),
        ("c\0", 3),
        ("d", 2**63 - 1),
        ("e", 2**63 - 2),
        ("f", -(2**63)),
        ["g", 4],
        None,
    ]

    def encode_odd(key: Any) -> bytes:
        odd.append(key)
        return b"odd"

    encoded = functions((str, int)).encode_many(batch, encode_odd)
    assert odd == [(Text("b"), 2), ("d", 2**63 - 1), ("f", -(2**63)), ["g", 4], None]
    assert encoded.count(b"odd") == len(odd)


def test_a_list_that_changes_meanwhile_is_noticed() -> None:
    batch = [("a",), (Text("b"),), ("c",)]

    def encode_odd(_: Any) -> bytes:
        batch.clear()
        return b""

    with pytest.raises(RuntimeError, match="changed"):
        functions((str,)).encode_many(batch, encode_odd)


@pytest.mark.parametrize("parts", ["", "x", "sx", "s" * 65, "s\0"])
def test_parts_are_checked(parts: str) -> None:
    with pytest.raises(ValueError, match="parts are 1 to 64"):
        KeyFunctions(parts, repr, repr, repr)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda codec: codec.encode(),
        lambda codec: codec.encode(1, 2, 3),
        lambda codec: codec.encode_many(),
        lambda codec: codec.encode_many(5),
        lambda codec: codec.decode_many(5),
        lambda codec: type(codec)("s"),
    ],
)
def test_wrong_calls_are_refused(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(functions())


def test_nothing_leaks() -> None:
    codec = functions()

    def refused(error: type[Exception], call: Callable[[], Any]) -> None:
        try:  # pytest.raises would keep some memory itself
            call()
        except error:
            return
        raise AssertionError("not refused")

    def everything() -> None:
        key = fresh_key()
        good = codec.encode(key)
        assert codec.decode_many(codec.encode_many([key, (Text(key[0]), *key[1:])] * 10))[0] == key
        for at in range(len(key)):
            odd = (*key[:at], None, *key[at + 1 :])
            refused(BadKey, lambda odd=odd: codec.encode_many([key, odd]))  # type: ignore[misc]
            short = good[: at * 4]
            refused(SerializationError, lambda short=short: codec.decode_many([good, short]))  # type: ignore[misc]
        refused(BadKey, lambda: codec.encode(("\ud800", *key[1:])))
        assert good.startswith(codec.encode_prefix(key[:-1]))
        refused(BadKey, lambda: codec.encode_prefix((*key, 1)))
        for long in ("x" * 1000, "\0" * 1000):
            codec.decode(codec.encode((long, *key[1:])))

    def held(times: int) -> int:
        for _ in range(times):
            everything()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        growth = [after - before for before, after in itertools.pairwise(held(50) for _ in range(5))]
    finally:
        tracemalloc.stop()
    assert min(growth) < 50 * 32  # a leak would show each time, and no object is smaller than that


def test_a_cycle_with_its_table_is_collected() -> None:
    class Owner:
        functions: KeyFunctions

        def check(self, key: Any) -> Any:
            return key

    owner = Owner()
    owner.functions = KeyFunctions("s", owner.check, owner.check, owner.check)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
