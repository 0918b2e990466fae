"""`keys`, `scan`, `get`, `put`, `delete`: rows are shown and changed."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess

import pytest

import kvlayer
from cli.running import CITIES, COMMAND, Kvlayer
from kvlayer.cli.commands.arguments import range_of
from kvlayer.cli.failures import CommandError
from kvlayer.cli.parser import build_parser

KEYS = [
    "de,Bonn,2946447",
    "de,Köln,2886242",
    "fr,Nice,2990440",
    "fr,Paris,2988507",
    'us,"Winchester, VA",4794120',
]


def client_of(kvl: Kvlayer) -> kvlayer.Client:
    config = dict(kvl.config)
    if config["storage_type"] == "sqlite":
        config["filename"] = str(kvl.folder / config["filename"])
    return kvlayer.client(config)


def remaining(kvl: Kvlayer) -> list[str]:
    return kvl("keys", "cities").lines


class TestOnEachStore:
    def test_rows_are_listed(self, each: Kvlayer) -> None:
        assert each("keys", "cities").lines == KEYS
        assert each("scan", "cities", "fr").lines == [
            "fr,Nice,2990440\tNice la Belle",
            "fr,Paris,2988507\tParis",
        ]

    def test_rows_are_listed_backwards_where_the_store_can(self, each: Kvlayer) -> None:
        with kvlayer.client(each.config) as client:
            can = client.capabilities.reverse
        listed = each("keys", "cities", "--reverse", "--limit", "2", status=0 if can else 2)
        assert listed.lines == (KEYS[:2:-1] if can else [])
        assert can or "declares no reverse" in listed.errors

    def test_rows_are_written_and_removed(self, each: Kvlayer) -> None:
        each("put", "cities", "fr,Lyon,2996944", "Lyon")
        assert each("get", "cities", "fr,Lyon,2996944").output == b"Lyon"
        each("delete", "cities", "fr,Lyon,2996944", "de,Bonn,2946447", "fr,Never,0")
        assert each("get", "cities", "fr,Lyon,2996944", status=1).output == b""
        each("delete", "cities", "--prefix", "fr", "--yes")
        assert remaining(each) == [KEYS[1], KEYS[4]]

    def test_json_loads_back(self, each: Kvlayer) -> None:
        each("put", "photos", "-7", "-", given=b"\xff\x00\n")
        listed = each("scan", "photos", "--format", "ndjson").output
        assert listed == b'{"key": [-7], "value": {"base64": "/wAK"}}\n'
        each("clear", "photos", "--yes")
        each("load", "-", "photos", "--format", "ndjson", given=listed)
        assert each("get", "photos", "-7").output == b"\xff\x00\n"


class TestRanges:
    @pytest.mark.parametrize(
        ("words", "asked"),
        [
            ((), None),
            (("fr",), (("fr",), ("fr",))),
            (("fr,P..",), (("fr", "P"), None)),
            (("--prefix", "fr,Paris"), (("fr", "Paris"), ("fr", "Paris"))),
            (("--start", "fr"), (("fr",), None)),
            (("--end", "fr"), (None, ("fr",))),
            (("--start", "-1", "--end", "fr,Nice"), (("-1",), ("fr", "Nice"))),
            (("--limit", "2", "fr..", "--reverse"), (("fr",), None)),
            (("-5,x..7",), (("-5", "x"), ("7",))),
            (("--", "--x"), (("--x",), ("--x",))),
        ],
    )
    def test_words(self, words: tuple[str, ...], asked: object) -> None:
        table = kvlayer.TableInfo("cities", (str, str, int), str)
        assert range_of(build_parser().parse_args(["keys", "cities", *words]), table) == asked

    def test_rows(self, kvl: Kvlayer) -> None:
        assert kvl("keys", "cities", "de,C..fr,O").lines == KEYS[1:3]
        assert kvl("keys", "cities", "--limit", "1", "fr", "--reverse").lines == KEYS[3:4]
        assert kvl("scan", "cities", "zz").lines == []

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (("fr", "--prefix", "fr"), "give a RANGE, or --prefix, or --start and --end"),
            (("--prefix", "fr", "--end", "fr"), "give a RANGE, or --prefix, or --start and --end"),
            (("fr,Paris,x",), "part 3 of a key of table 'cities' is of type int"),
        ],
    )
    def test_what_is_none(self, words: tuple[str, ...], complaint: str) -> None:
        table = kvlayer.TableInfo("cities", (str, str, int), str)
        with pytest.raises(CommandError, match=complaint):
            range_of(build_parser().parse_args(["keys", "cities", *words]), table)

    @pytest.mark.parametrize(
        ("limit", "complaint"),
        [("-1", "a number of rows is 0 or more"), ("some", "invalid number of rows value: 'some'")],
    )
    def test_limits(self, limit: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            build_parser().parse_args(["keys", "cities", "--limit", limit])
        assert complaint in capsys.readouterr().err

    def test_no_table(self, kvl: Kvlayer) -> None:
        assert "no table 'nothing'" in kvl("keys", "nothing", status=1).errors


class TestFormats:
    def test_json(self, kvl: Kvlayer) -> None:
        rows = json.loads(kvl("scan", "cities", "--format", "json").text)
        assert {tuple(row["key"]): row["value"] for row in rows} == CITIES
        assert json.loads(kvl("scan", "cities", "zz", "--format", "json").text) == []
        assert json.loads(kvl("keys", "cities", "us", "--format", "json").text) == [
            {"key": ["us", "Winchester, VA", 4794120]}
        ]

    def test_csv(self, kvl: Kvlayer) -> None:
        kvl("put", "photos", "1", "--file", _file(kvl, b"\xff\x00"))
        kvl("put", "photos", "2", "plain, text")
        assert list(csv.reader(io.StringIO(kvl("scan", "photos", "--format", "csv").text))) == [
            ["key1", "value"],
            ["1", "0xff00"],
            ["2", "plain, text"],
        ]
        assert kvl("keys", "cities", "us", "--format", "csv").lines == [
            "key1,key2,key3",
            'us,"Winchester, VA",4794120',
        ]

    def test_tables_are_cut(self, kvl: Kvlayer) -> None:
        kvl("put", "photos", "1", "x" * 3000)
        kvl("put", "photos", "2", "--file", _file(kvl, b"\xff\x00\x1b[31m"))
        kvl("put", "photos", "3", "two\nlines, 日本")
        kvl("put", "photos", "4", "")
        kvl("put", "photos", "5", "-", given=b"\xff" * 3_000_000)
        lines = kvl("scan", "photos", "--format", "table").lines
        assert lines[0] == "key (int)  value (bytes)"
        assert lines[1].startswith("1          xxx")
        assert lines[1].endswith("xxx… 2.93 KiB")
        assert len(lines[1]) == 80
        assert lines[2:] == [
            "2          0xff001b5b33316d",
            "3          two\\nlines, 日本",
            '4          ""',
            f"5          0x{'f' * 57}… 2.86 MiB",
        ]
        assert (
            kvl("scan", "photos", "1", "--format", "table", "--full").lines[1] == f"1          {'x' * 3000}"
        )

    def test_raw_is_byte_for_byte(self, kvl: Kvlayer) -> None:
        content = bytes(range(256)) * 1000
        kvl("put", "photos", "1", "-", given=content)
        assert kvl("get", "photos", "1").output == content
        assert kvl("scan", "photos").output == b"1\t" + content + b"\n"


class TestGet:
    def test_in_the_order_asked(self, kvl: Kvlayer) -> None:
        asked = kvl("get", "cities", "fr,Paris,2988507", "de,Bonn,2946447")
        assert asked.lines == ["fr,Paris,2988507\tParis", "de,Bonn,2946447\tBonn am Rhein"]

    def test_what_is_missing_is_told(self, kvl: Kvlayer) -> None:
        asked = kvl("get", "cities", "fr,Paris,2988507", "fr,Never,0", "--format", "json", status=1)
        assert json.loads(asked.text) == [{"key": ["fr", "Paris", 2988507], "value": "Paris"}]
        assert asked.errors == "kvlayer: table 'cities' has no fr,Never,0\n"

    def test_of_a_part_of_a_key(self, kvl: Kvlayer) -> None:
        assert "keys of 3 parts" in kvl("get", "cities", "fr", status=2).errors


class TestPut:
    def test_numbers(self, kvl: Kvlayer) -> None:
        kvl("put", "visits", "Paris", "-12")
        assert kvl("get", "visits", "Paris").output == b"-12"
        assert (
            "a value is of type int: 'many' is no integer"
            in kvl("put", "visits", "Paris", "many", status=2).errors
        )
        kvl("put", "visits", "Paris", "-", given=b" 13\n")
        assert kvl("get", "visits", "Paris").output == b"13"

    def test_no_text_for_a_table_of_text(self, kvl: Kvlayer) -> None:
        assert "must be text in UTF-8" in kvl("put", "cities", "a,b,1", "-", given=b"\xff", status=2).errors

    @pytest.mark.parametrize("words", [(), ("value", "--file", "file")])
    def test_one_value(self, kvl: Kvlayer, words: tuple[str, ...]) -> None:
        assert "give a VALUE" in kvl("put", "photos", "1", *words, status=2).errors

    def test_no_file(self, kvl: Kvlayer) -> None:
        complaint = kvl("put", "photos", "1", "--file", "nothing", status=3).errors
        assert complaint == "kvlayer: nothing: No such file or directory\n"


class TestDelete:
    def test_dry_runs_change_nothing(self, kvl: Kvlayer) -> None:
        assert kvl("delete", "cities", "--prefix", "fr", "--dry-run").lines == [
            "would remove 2 rows",
            "  fr,Nice,2990440",
            "  fr,Paris,2988507",
        ]
        assert kvl("delete", "cities", "fr,Never,0", "fr,Nice,2990440", "--dry-run").lines == [
            "would remove 1 row",
            "  fr,Nice,2990440",
        ]
        assert remaining(kvl) == KEYS

    def test_a_range_needs_a_yes(self, kvl: Kvlayer) -> None:
        refused = kvl("delete", "cities", "--start", "fr", status=2)
        assert "no terminal to ask at: give --yes" in refused.errors
        assert remaining(kvl) == KEYS

    @pytest.mark.parametrize("words", [(), ("fr,Nice,2990440", "--prefix", "fr")])
    def test_what_to_remove_must_be_clear(self, kvl: Kvlayer, words: tuple[str, ...]) -> None:
        assert "give keys, or --prefix" in kvl("delete", "cities", *words, "--yes", status=2).errors
        assert remaining(kvl) == KEYS


class TestAtTheEndOfAPipe:
    def test_whoever_reads_may_stop(self, kvl: Kvlayer) -> None:
        """The command ends, without a word, when its output is closed."""
        with client_of(kvl) as client:
            client.put_many("photos", (((number,), b"x" * 100) for number in range(50_000)))
        for words in (("keys", "photos"), ("scan", "photos"), ("scan", "photos", "--format", "json")):
            process = subprocess.Popen(
                [*COMMAND, "--config", "kvlayer.yaml", *words],
                cwd=kvl.folder,
                env=kvl.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdout is not None
            assert process.stderr is not None
            with process.stdout as output, process.stderr as errors:
                assert os.read(output.fileno(), 1)
                output.close()
                assert errors.read() == b""
                assert process.wait(timeout=60) == 0


class TestClosedStreams:
    @pytest.mark.parametrize(
        ("command", "status", "complaint"),
        [
            ("keys cities >&-", 0, ""),
            ("get cities fr,Never,0 >&-", 1, "kvlayer: table 'cities' has no fr,Never,0\n"),
            (
                "clear cities <&-",
                2,
                "kvlayer: this asks for a confirmation, and there is no terminal to ask at: give --yes\n",
            ),
            ("keys nothing 2>&-", 1, ""),
        ],
    )
    def test_are_none(self, kvl: Kvlayer, command: str, status: int, complaint: str) -> None:
        bash = shutil.which("bash")
        assert bash is not None
        program = [*COMMAND, "--config", "kvlayer.yaml"]
        done = subprocess.run(
            [bash, "-c", f"{' '.join(program)} {command}"],
            cwd=kvl.folder,
            env=kvl.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, "", complaint)


def _file(kvl: Kvlayer, content: bytes) -> str:
    (kvl.folder / "value").write_bytes(content)
    return "value"
