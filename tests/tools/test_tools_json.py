"""Rows as lines of JSON come back as they were; lines that can't be read are named."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvlayer
from kvlayer import catalog, tools
from tools.contents import fill

Memory = Callable[[], kvlayer.Client]

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"])),
    bytes: st.binary(),
    int: st.integers(),
    float: st.floats(),
    UUID: st.uuids(),
}


@given(st.data())
def test_values_come_back(data: st.DataObject) -> None:
    value_type = data.draw(st.sampled_from(list(VALUES)))
    value = data.draw(VALUES[value_type])
    back = tools.from_json(json.loads(json.dumps(tools.to_json(value))), value_type)
    assert type(back) is value_type
    assert repr(back) == repr(value)


@given(st.tuples(*VALUES.values()))
def test_keys_come_back(key: tuple[Any, ...]) -> None:
    back = tools.key_from_json(json.loads(json.dumps(tools.key_to_json(key))), list(VALUES))
    assert repr(back) == repr(key)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("text", "text"),
        (b"text", "text"),
        ("é".encode(), "é"),
        (b"\xff\xfe", {"base64": "//4="}),
        (b"", ""),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**53, 2**53),
        (-(2**53), -(2**53)),
        (2**53 + 1, "9007199254740993"),
        (-(10**30), "-1000000000000000000000000000000"),
        (1 << 14_000, hex(1 << 14_000)),
        (-(1 << 20_000), hex(-(1 << 20_000))),
        (1.5, 1.5),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
    ids=range(15),
)
def test_forms(value: Any, form: Any) -> None:
    assert tools.to_json(value) == form
    assert tools.from_json(form, type(value)) == value


@pytest.mark.parametrize(
    ("form", "value_type", "value"),
    [
        (1, float, 1.0),
        ("17", int, 17),
        ("0x10", int, 16),
        (5, kvlayer.COUNTER, 5),
        (5, kvlayer.ACCUMULATOR, 5.0),
    ],
)
def test_forms_of_other_programs(form: Any, value_type: Any, value: Any) -> None:
    back = tools.from_json(form, value_type)
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    ("form", "value_type"),
    [
        (None, str),
        (1, str),
        (None, bytes),
        ([1], bytes),
        ("\ud800", bytes),
        ({"base64": "*"}, bytes),
        ({"base64": "YQ==", "more": 1}, bytes),
        ({"base64": 1}, bytes),
        (True, int),
        (1.0, int),
        ("1.0", int),
        ("", int),
        (" 1", int),
        ("1_0", int),
        ("٣", int),
        ("9" * 4301, int),
        (True, float),
        ("1.0", float),
        ("infinity", float),
        (2**53 + 1, float),
        ("x", UUID),
        (1, UUID),
        (1.5, kvlayer.COUNTER),
    ],
)
def test_forms_that_are_refused(form: Any, value_type: Any) -> None:
    with pytest.raises(kvlayer.BadKey, match="expected the JSON form of a value of type"):
        tools.from_json(form, value_type)


def test_all_tables_come_back(memory: Memory) -> None:
    source, target = memory(), memory()
    fill(source)
    for info in source.tables():
        target.setup_namespace({info.name: info.key_types}, {info.name: info.value_type})
        file = io.StringIO()
        rows = tools.write_ndjson(source, file, info.name)
        assert rows == file.getvalue().count("\n")
        file.seek(0)
        assert tools.read_ndjson(target, file, info.name) == rows
    assert tools.verify(source, target).equal


def test_lines(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (str, int)})
    client.put("t", (("a\n\u2028", 1), b"one"), (("ü", 2), b"\xff"), (("z", 3), b"three"))
    file = io.StringIO()
    assert tools.write_ndjson(client, file, "t", (("b",), None), (("a",), ("b",))) == 3
    assert file.getvalue() == (
        '{"key": ["z", 3], "value": "three"}\n'
        '{"key": ["ü", 2], "value": {"base64": "/w=="}}\n'
        '{"key": ["a\\n\u2028", 1], "value": "one"}\n'
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[", "no JSON: Expecting value at column"),
        ("{}", r'expected \{"key": \[...\], "value": ...\}, got \{\}'),
        ('{"key": [1], "value": "x", "more": 1}', "expected"),
        (
            '{"key": ["x"], "value": "x"}',
            'key part 1: expected the JSON form of a value of type int, got "x"',
        ),
        ('{"key": [1, 2], "value": "x"}', "expected a JSON list of 1 key parts"),
        ('{"key": 1, "value": "x"}', "expected a JSON list of 1 key parts"),
        ('{"key": [1], "value": "\\ud800"}', "lone surrogate|surrogates not allowed"),
        ('{"key": [1], "value": null}', "of type str, got null"),
        ("[" * 200_000, "recursion"),
        ("9" * 5000, "digits"),
    ],
    ids=range(10),
)
def test_a_bad_line_is_named(memory: Memory, line: str, message: str) -> None:
    client = memory()
    client.setup_namespace({"t": (int,)}, {"t": str})
    lines = [*(f'{{"key": [{n}], "value": "x"}}' for n in range(1500)), "", line]
    with pytest.raises(tools.TransferError, match=f"line 1502: .*({message})"):
        tools.read_ndjson(client, io.StringIO("\n".join(lines)), "t")
    assert len(list(client.scan("t"))) == 1000  # whole batches
    (info,) = client.tables()
    assert info.incomplete == "lines that were put into it have not ended"
    with pytest.raises(tools.TransferError, match="is incomplete"):
        tools.write_ndjson(client, io.StringIO(), "t")
    tools.read_ndjson(client, io.StringIO("\n".join(lines[:-1])), "t")
    assert client.tables()[0].incomplete is None


def test_a_bad_line_in_the_first_batch_leaves_the_table_as_it_was(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (int,)})
    with pytest.raises(tools.TransferError, match="line 2"):
        tools.read_ndjson(client, io.StringIO('{"key": [1], "value": "x"}\n!'), "t")
    assert list(client.scan("t")) == []
    assert client.tables()[0].incomplete is None


def test_lines_do_not_complete_what_a_load_has_left(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (int,)})
    catalog.add_note(client._connected(), "t", {"reason": "a load of it has not ended"})
    with pytest.raises(tools.TransferError, match="a load of it has not ended"):
        tools.read_ndjson(client, io.StringIO('{"key": [1], "value": "x"}'), "t")
    assert list(client.scan("t")) == []


def test_text_that_is_no_utf8(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (int,)})
    file = io.TextIOWrapper(io.BytesIO(b'{"key": [1], "value": "x"}\n' * 2000 + b"\xff"), "utf-8")
    with pytest.raises(tools.TransferError, match=r"behind line 1\d\d\d: no UTF-8"):
        tools.read_ndjson(client, file, "t")


def test_of_a_key_that_comes_twice_the_last_counts(memory: Memory) -> None:
    client = memory()
    client.setup_namespace({"t": (int,)})
    file = io.StringIO('{"key": [1], "value": "x"}\n{"key": [1], "value": "y"}')
    assert tools.read_ndjson(client, file, "t") == 2
    assert list(client.scan("t")) == [((1,), b"y")]
