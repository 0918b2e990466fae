"""The order of keys, part by part, on the values that break orders."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any
from uuid import UUID

import pytest

import kvlayer
from kvlayer.testing import nasty
from kvlayer.testing.model import expected_keys
from kvlayer.testing.rules import needs, rule

TYPES = [pytest.param(part_type, id=part_type.__name__) for part_type in nasty.PARTS]


class Text(str):
    """A str that claims to equal nothing."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


class Number(int):
    """An int of a type of its own."""


@needs("ordered")
class TestOrder:
    """S3: one order for all stores."""

    @rule("S3")
    @pytest.mark.parametrize("part_type", TYPES)
    def test_parts_are_in_order(self, kvl: kvlayer.Client, part_type: type) -> None:
        """As the only part, as the first, and as the last."""
        parts = sorted(nasty.PARTS[part_type])
        tables: dict[str, tuple[type, ...]] = {
            "only": (part_type,),
            "first": (part_type, int),
            "last": (bytes, part_type),
        }
        keys: dict[str, list[tuple[Any, ...]]] = {
            "only": [(part,) for part in parts],
            "first": [(part, n) for part in parts for n in (-1, 1)],
            "last": [(b, part) for b in (b"", b"\x00", b"\xff") for part in parts],
        }
        kvl.setup_namespace(tables)
        for name, ordered in keys.items():
            shuffled = random.sample(ordered, len(ordered))
            kvl.put(name, *((key, b"%d" % ordered.index(key)) for key in shuffled))
            assert list(kvl.scan_keys(name)) == ordered
            assert list(kvl.scan(name)) == [(key, b"%d" % n) for n, key in enumerate(ordered)]
            assert list(kvl.get(name, *shuffled)) == [(key, b"%d" % ordered.index(key)) for key in shuffled]

    @rule("S3")
    @needs("reverse")
    @pytest.mark.parametrize("part_type", TYPES)
    def test_reverse_is_the_same_order_backwards(self, kvl: kvlayer.Client, part_type: type) -> None:
        kvl.setup_namespace({"t": (part_type, str)})
        keys = [(part, text) for part in nasty.PARTS[part_type] for text in ("", "\U0010ffff")]
        kvl.put("t", *((key, b"") for key in keys))
        assert list(kvl.scan_keys("t", reverse=True)) == sorted(keys, reverse=True)
        assert [key for key, _ in kvl.scan("t", reverse=True)] == sorted(keys, reverse=True)

    @rule("S1", "S3")
    @pytest.mark.parametrize("part_type", TYPES)
    def test_ranges_between_nasty_parts(self, kvl: kvlayer.Client, part_type: type) -> None:
        kvl.setup_namespace({"t": (part_type, part_type)})
        parts = sorted(nasty.PARTS[part_type])
        keys = [*zip(parts, parts, strict=True), *zip(parts, parts[::-1], strict=True)]
        kvl.put("t", *((key, b"") for key in keys))
        for start, end in itertools.pairwise(parts):
            for range_ in [((start,), (end,)), ((start,), (start,)), ((start, end), (end, start))]:
                assert list(kvl.scan_keys("t", range_)) == expected_keys(set(keys), [range_])

    @rule("S3")
    def test_parts_come_back_as_they_were(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str, int, UUID, bytes, float)})
        key = ("é\x00", -(10**200), UUID(int=7), b"\x00\xff", 0.1)
        kvl.put("t", (key, b""))
        (found,) = kvl.scan_keys("t")
        assert found == key
        assert [type(part) for part in found] == [str, int, UUID, bytes, float]

    @rule("S3")
    def test_subclasses_count_by_their_plain_value(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (str, int)})
        kvl.put("t", ((Text("a"), Number(1)), b"1"))
        (found,) = kvl.scan_keys("t")
        assert found == ("a", 1)
        assert [type(part) for part in found] == [str, int]
        assert [value for _, value in kvl.get("t", ("a", 1), (Text("a"), Number(1)))] == [b"1", b"1"]

    @rule("S3")
    def test_minus_zero_is_zero(self, kvl: kvlayer.Client) -> None:
        kvl.setup_namespace({"t": (float,)})
        kvl.put("t", ((0.0,), b"plus"), ((-0.0,), b"minus"))
        ((found,),) = kvl.scan_keys("t", ((-0.0,), (0.0,)))
        assert math.copysign(1, found) == 1
        assert [value for _, value in kvl.get("t", (0.0,), (-0.0,))] == [b"minus", b"minus"]

    @rule("S3", "S6")
    @pytest.mark.parametrize(
        ("part_type", "part"),
        [
            (float, math.nan),
            (float, 1),
            (float, True),
            (int, True),
            (int, 1.0),
            (int, "1"),
            (int, None),
            (str, b"a"),
            (str, "\ud800"),
            (str, None),
            (bytes, "a"),
            (bytes, bytearray(b"a")),
            (UUID, str(UUID(int=1))),
            (UUID, 1),
        ],
        ids=repr,
    )
    def test_parts_of_another_type_are_refused(
        self, common: kvlayer.Client, part_type: type, part: Any
    ) -> None:
        table = part_type.__name__
        common.setup_namespace({table: (part_type,)})
        with pytest.raises(kvlayer.BadKey):
            common.put(table, ((part,), b""))
        with pytest.raises(kvlayer.BadKey):
            common.get(table, (part,))
        assert list(common.scan_keys(table)) == []
