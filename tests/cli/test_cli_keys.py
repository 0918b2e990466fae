"""Keys as they are typed and shown."""

from __future__ import annotations

import math
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlayer.catalog import TableInfo
from kvlayer.cli.failures import CommandError
from kvlayer.cli.keys import format_key, parse_end, parse_key, parse_prefix, parse_range

CITIES = TableInfo("cities", (str, str, int), bytes)
NAMES = TableInfo("names", (str,), bytes)
IMAGES = TableInfo("images", (bytes,), bytes)
PLACES = TableInfo("places", (float, UUID), bytes)
ONE = UUID(int=1)

text = st.text(st.characters(codec="utf-8"))
part_strategies = {
    str: text,
    int: st.integers() | st.sampled_from([10**5000, -(10**5000)]),
    UUID: st.uuids(),
    bytes: st.binary() | text.map(str.encode),
    float: st.floats(allow_nan=False).map(lambda number: number + 0.0),
}
typed_keys = st.lists(st.sampled_from(list(part_strategies)), min_size=1, max_size=4).flatmap(
    lambda types: st.tuples(st.just(tuple(types)), st.tuples(*(part_strategies[kind] for kind in types)))
)


@given(typed_keys)
def test_what_is_shown_can_be_typed(typed: tuple[tuple[type, ...], tuple[object, ...]]) -> None:
    types, key = typed
    table = TableInfo("t", types, bytes)
    shown = format_key(key)
    assert shown.isprintable()
    assert parse_key(shown, table) == key


def test_a_key_does_not_look_like_a_flag() -> None:
    assert format_key(("--help", "-", -5)) == '"--help","-",-5'


@given(typed_keys)
def test_what_is_shown_can_be_an_end_of_a_range(
    typed: tuple[tuple[type, ...], tuple[object, ...]],
) -> None:
    types, key = typed
    table = TableInfo("t", types, bytes)
    shown = format_key(key)
    assert parse_range(shown, table) == (key, key)
    assert parse_range(f"{shown}..", table) == (key, None)
    assert parse_range(f"..{shown}", table) == (None, key)
    assert parse_range(f"{shown}..{shown}", table) == (key, key)


@pytest.mark.parametrize(
    ("typed", "table", "key"),
    [
        ("fr,Paris,2988507", CITIES, ("fr", "Paris", 2988507)),
        ("fr,Paris,-5", CITIES, ("fr", "Paris", -5)),
        ("fr,Paris,+5", CITIES, ("fr", "Paris", 5)),
        ("fr,Paris,-0xfF", CITIES, ("fr", "Paris", -255)),
        (",,0", CITIES, ("", "", 0)),
        (" fr , Paris , 5 ", CITIES, (" fr ", " Paris ", 5)),
        ('us,"Winchester, VA",1', CITIES, ("us", "Winchester, VA", 1)),
        ('us,"the ""Loop""",1', CITIES, ("us", 'the "Loop"', 1)),
        ('us,5" pipe,1', CITIES, ("us", '5" pipe', 1)),
        ('["fr","Paris",2988507]', CITIES, ("fr", "Paris", 2988507)),
        ('["fr", "Par\\u0000is", "100000000000000000000"]', CITIES, ("fr", "Par\0is", 10**20)),
        ('"[x]"', NAMES, ("[x]",)),
        ("a..b", NAMES, ("a..b",)),
        ("", NAMES, ("",)),
        ("Paris", IMAGES, (b"Paris",)),
        ("Köln", IMAGES, ("Köln".encode(),)),
        ("0x00ff", IMAGES, (b"\x00\xff",)),
        ('"0x00ff"', IMAGES, (b"0x00ff",)),
        ("0x0", IMAGES, (b"0x0",)),
        ('[{"base64": "AP8="}]', IMAGES, (b"\x00\xff",)),
        (f"-1.5,{ONE}", PLACES, (-1.5, ONE)),
        (f"-inf,{{{ONE}}}", PLACES, (-math.inf, ONE)),
        (f'[2, "{ONE}"]', PLACES, (2.0, ONE)),
    ],
)
def test_keys_are_typed(typed: str, table: TableInfo, key: tuple[object, ...]) -> None:
    found = parse_key(typed, table)
    assert found == key
    assert list(map(type, found)) == list(map(type, key))


@pytest.mark.parametrize(
    ("typed", "table", "complaint"),
    [
        ("fr,Paris", CITIES, "'cities' has keys of 3 parts (str, str, int), not 2"),
        ("fr,Paris,1,2", CITIES, "'cities' has keys of 3 parts (str, str, int), not 4"),
        ("fr,Paris,x", CITIES, "part 3 of a key of table 'cities' is of type int: 'x' is no integer"),
        ("fr,Paris,1_000", CITIES, "'1_000' is no integer"),
        ("fr,Paris," + "9" * 5000, CITIES, "is not an integer of a size that can be stored"),
        ('fr,"Par"is,1', CITIES, "can't be understood from 'is,1' on"),
        ("x," + str(ONE), PLACES, "part 1 of a key of table 'places' is of type float: 'x' is not a number"),
        ("1.5,x", PLACES, "part 2 of a key of table 'places' is of type uuid: 'x' is not a UUID"),
        ("[1", CITIES, "begins as JSON and is none"),
        ("[" * 100_000, CITIES, "begins as JSON and is none"),
        ('["fr", "Paris", "x"]', CITIES, "part 3"),
        ('["fr", "Paris", 1.0]', CITIES, "part 3"),
        ('["fr", "Paris", true]', CITIES, "part 3"),
        ('["fr", "Paris", 1] x', CITIES, "can't be understood from ' x' on"),
    ],
)
def test_what_fits_no_table_is_refused(typed: str, table: TableInfo, complaint: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_key(typed, table)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        ("fr", (("fr",), ("fr",))),
        ("fr,P..fr,Q", (("fr", "P"), ("fr", "Q"))),
        ("fr..", (("fr",), None)),
        ("..fr,Paris,5", (None, ("fr", "Paris", 5))),
        ("..", (None, None)),
        ('"a..b".."c.d"', (("a..b",), ("c.d",))),
        ('["fr", "x..y"]..["us"]', (("fr", "x..y"), ("us",))),
        ('["fr"]..us', (("fr",), ("us",))),
    ],
)
def test_ranges_are_typed(typed: str, ends: tuple[object, object]) -> None:
    assert parse_range(typed, CITIES) == ends


@pytest.mark.parametrize("typed", ["a..b..c", '"a"x..b', 'a.."b"x', "a,b,c,d..e"])
def test_what_is_no_range_is_refused(typed: str) -> None:
    with pytest.raises(CommandError):
        parse_range(typed, CITIES)


def test_prefixes_and_ends() -> None:
    assert parse_prefix("fr,Paris", CITIES) == ("fr", "Paris")
    assert parse_end("fr", CITIES) == ("fr",)
    assert parse_end("", CITIES) is parse_end(None, CITIES) is None
