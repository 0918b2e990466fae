"""Configuration files: safe YAML, includes, and errors that name the place but quote nothing."""

from __future__ import annotations

import io
import logging
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yakonfig
from yakonfig import ConfigurationError

SECRET = "Zq7Vx9"
# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _unset() -> Any:
    yield
    yakonfig.clear_global_config()


def load(path: Path) -> dict[str, Any]:
    return yakonfig.set_global_config(path)


def load_text(text: str | bytes) -> dict[str, Any]:
    return yakonfig.set_default_config([], yaml=text)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_holds_plain_data(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "a: {b: [1, 2.5, x, null, true]}\nbase: &b {c: 1}\nd: {<<: *b, e: é}\n")
    assert load(path) == {"a": {"b": [1, 2.5, "x", None, True]}, "base": {"c": 1}, "d": {"c": 1, "e": "é"}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_file_is_an_empty_configuration(text: str) -> None:
    assert load_text(text) == {}


def test_a_byte_order_mark_and_utf_16_are_understood() -> None:
    assert load_text("a: é".encode("utf-8-sig")) == {"a": "é"}
    assert load_text("a: é".encode("utf-16")) == {"a": "é"}


def test_include_yaml_is_relative_to_the_including_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "conf" / "deep" / "inner.yaml", "x: !include_yaml ../leaf.yaml\n")
    write(tmp_path / "conf" / "leaf.yaml", "[1, 2]")
    path = write(
        tmp_path / "conf" / "c.yaml", "a: !include_yaml deep/inner.yaml\nb: !include_yaml leaf.yaml\n"
    )
    assert load(path) == {"a": {"x": [1, 2]}, "b": [1, 2]}
    monkeypatch.chdir(tmp_path)
    assert load(Path("conf/c.yaml")) == {"a": {"x": [1, 2]}, "b": [1, 2]}


def test_include_inserts_the_text_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes(b"a: [1]\r\n\xc3\xa9\n")
    path = write(tmp_path / "c.yaml", "text: !include t.yaml\n")
    assert load(path) == {"text": "a: [1]\r\né\n"}


def test_a_whole_file_may_be_an_include(tmp_path: Path) -> None:
    write(tmp_path / "real.yaml", "a: 1")
    assert load(write(tmp_path / "c.yaml", "!include_yaml real.yaml\n")) == {"a": 1}


def test_a_file_may_be_included_twice(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", "{n: 1}")
    path = write(tmp_path / "c.yaml", "a: !include_yaml x.yaml\nb: !include_yaml x.yaml\n")
    assert load(path) == {"a": {"n": 1}, "b": {"n": 1}}


@pytest.mark.parametrize("tag", ["!include", "!include_yaml"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_cycle_of_includes_is_an_error(tmp_path: Path, tag: str, length: int) -> None:
    for number in range(length):
        last = number == length - 1
        write(
            tmp_path / f"{number}.yaml",
            f"x: {tag if last else '!include_yaml'} {(number + 1) % length}.yaml\n",
        )
    with pytest.raises(ConfigurationError, match=r"include each other: .*0\.yaml → .*0\.yaml"):
        load(tmp_path / "0.yaml")


def test_a_cycle_through_a_link_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "x: !include_yaml link.yaml\n")
    (tmp_path / "link.yaml").symlink_to(path)
    with pytest.raises(ConfigurationError, match="include each other"):
        load(path)


@pytest.mark.parametrize("tag", ["!include", "!include_yaml"])
def test_a_missing_include_names_both_files_and_the_place(tmp_path: Path, tag: str) -> None:
    path = write(tmp_path / "c.yaml", f"a: 1\nb: {tag} nowhere.txt\n")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: line 2, column 4: ")
    assert str(tmp_path / "nowhere.txt") in message
    assert os.strerror(2) in message


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    inner = write(tmp_path / "inner.yaml", "a: [1\nb: 2\n")
    path = write(tmp_path / "c.yaml", "a: !include_yaml inner.yaml\n")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{inner}: line 2, column 2: ")


@pytest.mark.parametrize("tag", ["!include", "!include_yaml"])
def test_an_include_in_a_text_needs_an_absolute_path(tmp_path: Path, tag: str) -> None:
    path = write(tmp_path / "x.yaml", "1")
    assert load_text(f"a: {tag} {path}") in ({"a": 1}, {"a": "1"})
    with pytest.raises(ConfigurationError, match=r"line 1, column 4: can't include x\.yaml"):
        load_text(f"a: {tag} x.yaml")


def test_a_stream_is_relative_to_its_file_if_it_has_one(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", "1")
    path = write(tmp_path / "c.yaml", "a: !include_yaml x.yaml\n")
    with path.open() as text, path.open("rb") as data:
        assert yakonfig.set_global_config(text) == {"a": 1}
        assert yakonfig.set_global_config(data) == {"a": 1}
    with pytest.raises(ConfigurationError, match="can't include"):
        yakonfig.set_global_config(io.StringIO("a: !include_yaml x.yaml\n"))
    latin = io.TextIOWrapper(io.BytesIO("a: é".encode("latin-1")), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="can't read YAML text"):
        yakonfig.set_global_config(latin)


@pytest.mark.parametrize(
    "include", ["!include []", "!include {a: b}", "!include", '!include "a\\0b"', "!include ."]
)
def test_an_include_of_no_file(tmp_path: Path, include: str) -> None:
    path = write(tmp_path / "c.yaml", f"a: {include}\n")
    with pytest.raises(ConfigurationError, match="line 1, column 4"):
        load(path)
    with pytest.raises(ConfigurationError, match="line 1, column 4"):
        load(write(path, f"a: {include.replace('!include', '!include_yaml')}\n"))


def test_included_text_must_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(write(tmp_path / "c.yaml", "a: !include x\n"))


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [touch planted]",
        "!!python/object:builtins.object {}",
        "!!python/object/new:os.system [touch planted]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1]",
        "!unknown x",
        "!include_func os.getcwd",
        "!runtime x",
    ],
)
def test_a_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="line 1, column 4: unknown tag"):
        load_text(f"a: {value}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(ConfigurationError, match="more than 1000000 values"):
        load_text("\n".join(lines))


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {b: [1, {c: *a}]}", "a: &a {*a : 1}"])
def test_a_value_that_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="contains itself"):
        load_text(text)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        load_text("a: " + "[" * 5000 + "]" * 5000)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="line 3, column 3: the key b is given twice"):
        load_text("a:\n  b: 1\n  b: 2\n")
    assert load_text("x: &x {b: 1}\na: {<<: *x, b: 2}") == {"x": {"b": 1}, "a": {"b": 2}}


@pytest.mark.parametrize("key", ["on", "Off", "yes", "NO", "true"])
def test_a_key_that_is_a_truth_value_to_yaml_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"line 1, column 5: to YAML the key {key} is true or false"):
        load_text(f"a: {{{key}: 1}}")
    assert load_text(f"a: {{'{key}': {key}}}")["a"].keys() == {key}


def test_a_file_of_another_size_or_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yakonfig._yaml.MAX_FILE_BYTES", 10)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
        load(write(tmp_path / "c.yaml", "a: 1234567890"))
    with pytest.raises(ConfigurationError, match=f"can't read {tmp_path}"):
        load(tmp_path)
    with pytest.raises(ConfigurationError, match="no file can have this name"):
        load(Path("a\0b"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"a: 1\nb: [{SECRET}", "line 2, column 11"),
        (f"a: '{SECRET}", "line 1, column 11"),
        (f"a: *{SECRET}", "line 1, column 4"),
        (f"a: !{SECRET} 1", "line 1, column 4"),
        (f"a: !!{SECRET} 1", "line 1, column 4"),
        (f"a: !{SECRET}!x 1", "line 1, column 4"),
        (f"a: @{SECRET}", "line 1, column 4"),
        (f"a: {SECRET}: {SECRET}", "line 1, column 10"),
        (f"a: !!int {SECRET}", "line 1, column 4"),
        (f"a: !!float {SECRET}", "line 1, column 4"),
        (f"a: !!bool {SECRET}", "line 1, column 4"),
        (f"a: !!timestamp {SECRET}", "line 1, column 4"),
        (f"a: !!binary é{SECRET}", "line 1, column 4"),
        (f"a: !!omap {SECRET}", "line 1, column 4"),
        (f"a: {{<<: {SECRET}}}", "line 1, column 9"),
        (f"a: {{? [{SECRET}] : 1}}", "line 1, column 7"),
        (f"\ta: {SECRET}", "line 1, column 1"),
        (f"a: {SECRET}\n\tb: 1", "line 2, column 1"),
        (f"a: &{SECRET} 1\nb: &{SECRET}! 2", "line 2"),
        ("a: 2026-99-99", "line 1, column 4"),
        ("a: 0b_", "line 1, column 4"),
        ("a: " + "1" * 5000, "line 1, column 4"),
        (f"- {SECRET}", "mapping of blocks, not a list"),
        (SECRET, "mapping of blocks, not a str"),
        (f"a: {SECRET}\x07", "control character"),
        (f"--- {SECRET}\n--- {SECRET}", "line 2, column 1"),
        (f"%{SECRET}", "line 1"),
        (f'a: "\\{SECRET}"', "line 1, column 6"),
    ],
)
def test_errors_name_the_place_and_quote_nothing(
    text: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_text(text)
    message = str(caught.value)
    assert place in message
    assert "\n" not in message
    assert SECRET not in message
    assert SECRET not in "".join(traceback.format_exception_only(caught.value))
    with caplog.at_level(logging.ERROR):
        logging.getLogger(__name__).error("failed", exc_info=caught.value)
    logged = caplog.records[-1].exc_info
    assert logged is not None
    assert "yaml.scanner" not in caplog.text  # the error of PyYAML, which quotes the line


def test_a_tab_is_named_since_nobody_can_see_it() -> None:
    with pytest.raises(ConfigurationError, match=r"found character '\\t' that cannot start any token"):
        load_text("a:\n\tb: 1\n")


@patient
@given(
    st.one_of(
        st.text(max_size=60),
        st.text("ab: \n-[]{}!&*?,|>'\"%@<0129_.", max_size=60),
        st.binary(max_size=40),
        st.from_regex(r"\A(a: (!!?[a-z]{0,9} )?[-+0-9a-zA-Z_.:]{0,12}\n)\Z"),
    )
)
def test_any_text_is_a_configuration_or_a_configuration_error(text: str | bytes) -> None:
    try:
        assert isinstance(load_text(text), dict)
    except ConfigurationError as error:
        assert str(error).startswith("YAML text:")
