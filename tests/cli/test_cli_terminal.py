"""What people see: colours and progress at a terminal only, numbers and times to be read."""

from __future__ import annotations

import pytest

from cli.running import Kvlayer
from cli.test_cli_rows import client_of
from kvlayer.cli.terminal import duration, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000123, "0.123 ms"),
        (0.0125, "12.5 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (7509, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (1023 * 2**20, "1,023 MiB"),
        (5 * 2**40, "5 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_on_each_store(each: Kvlayer) -> None:
    assert "cities" in each.terminal("tables").text
    shown = each.terminal("scan", "cities", "fr").text.splitlines()
    assert shown[1:] == ["fr,Nice,2990440      Nice la Belle", "fr,Paris,2988507     Paris"]
    assert "█" in each.terminal("stats", "cities").text
    each.terminal("delete", "cities", "fr..", typed="y\n", status=2)  # a range is given by flags
    assert each.terminal("delete", "cities", "--start", "fr", typed="y\n").text.endswith("3 rows removed\n")
    each.terminal("clear", "cities", typed="cities\n")
    assert each.terminal("keys", "cities").text == "no rows\n"


class TestAtATerminal:
    def test_rows_come_as_a_table(self, kvl: Kvlayer) -> None:
        shown = kvl.terminal("scan", "cities", "fr")
        assert shown.raw.startswith("\x1b[1mkey (str, str, int)  value (str)\x1b[0m")
        assert shown.text.splitlines()[1:] == [
            "fr,Nice,2990440      Nice la Belle",
            "fr,Paris,2988507     Paris",
        ]

    def test_rows_fit_the_terminal(self, kvl: Kvlayer) -> None:
        kvl("put", "cities", f"xx,{'L' * 100},1", "日本" * 100)
        (line,) = kvl.terminal("scan", "cities", "xx", columns=60).text.splitlines()[1:]
        key, value = line.split("  ", 1)
        assert (len(key), key[-1]) == (36, "…")
        assert value == "日本" * 2 + "日… 600 bytes"

    def test_no_rows(self, kvl: Kvlayer) -> None:
        assert kvl.terminal("scan", "photos").text == "no rows\n"

    def test_numbers_have_separators(self, kvl: Kvlayer) -> None:
        with client_of(kvl) as client:
            client.put_many("photos", (((number,), b"") for number in range(1234)))
        assert kvl.terminal("count", "photos").text == "1,234\n"
        assert kvl("count", "photos").text == "1234\n"

    def test_colours_can_be_switched_off(self, kvl: Kvlayer) -> None:
        for words in (("scan", "cities"), ("tables",), ("stats", "cities")):
            assert "\x1b[" in kvl.terminal(*words).raw
            assert "\x1b[3" not in kvl.terminal(*words, colours=False).raw

    def test_stored_text_cannot_move_the_cursor(self, kvl: Kvlayer) -> None:
        nasty = "\x1b]0;title\x07\x1b[2J\x9b2J\u202e\r"
        kvl("put", "cities", f'["{_as_json(nasty)}", "", 1]', nasty)
        kvl("put", "photos", "1", "-", given=nasty.encode())
        for table in ("cities", "photos"):
            for listing in ("table", "json", "ndjson"):
                shown = kvl.terminal("scan", table, "--format", listing).raw
                assert not {"\x07", "\x9b", "\u202e"} & set(shown)
                assert "\x1b[2J" not in shown
        complaint = kvl.terminal("get", "cities", nasty, status=2).raw
        assert "\x1b[2J" not in complaint

    def test_a_pipe_has_no_colours(self, kvl: Kvlayer) -> None:
        for words in (
            ("scan", "cities", "--format", "table"),
            ("tables",),
            ("stats", "cities"),
            ("backends",),
        ):
            assert b"\x1b" not in kvl(*words).output


class TestProgress:
    ROWS = 150_000

    def test_of_what_takes_long(self, kvl: Kvlayer) -> None:
        """Bars are shown once work has taken over a second, and are gone in the end."""
        with client_of(kvl) as client:
            client.put_many("photos", (((number,), b"x" * 10) for number in range(self.ROWS)))
        slow = kvl.folder / "sitecustomize.py"
        slow.write_text("import kvlayer.cli.bars as bars\nbars.PATIENCE = 0.0\n")
        kvl.variables["PYTHONPATH"] = str(kvl.folder)
        shown = kvl.terminal("dump", "photos", "photos.dump", columns=120)
        assert "dumping photos" in shown.text
        assert "rows/s" in shown.text
        assert shown.text.splitlines()[-1].startswith(f"{self.ROWS:,} rows in ")

    def test_not_of_what_is_quick(self, kvl: Kvlayer) -> None:
        assert "dumping" not in kvl.terminal("dump", "cities", "cities.dump").text


def test_the_store_in_memory_is_told_from_others(kvl: Kvlayer) -> None:
    shown = kvl.terminal("--storage-type", "local", "--config", "/dev/null", "tables").text
    assert shown.startswith("storage type local is the memory of this command alone")


def _as_json(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)
