"""`dump`, `load`, `copy`, `verify`, `count`, `stats`: whole tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

import pytest
import yaml

import kvlayer
from cli.running import CITIES, COMMAND, Kvlayer
from cli.test_cli_rows import client_of

OTHER = "sqlite:///other.db?app_name=atlas&namespace=demo"


def other_config(kvl: Kvlayer) -> dict[str, Any]:
    filename = str(kvl.folder / "other.db")
    return {"storage_type": "sqlite", "filename": filename, "app_name": "atlas", "namespace": "demo"}


def cities_of(config: dict[str, Any]) -> dict[kvlayer.Key, str]:
    with kvlayer.client(config) as client:
        return dict(client.scan("cities"))


class TestOnEachStore:
    def test_a_dump_is_loaded(self, each: Kvlayer) -> None:
        assert each("dump", "all.dump").lines[-1].startswith("5 rows in ")
        holds = each("load", "all.dump", "--dry-run").lines[2:]
        assert [line.split()[0] for line in holds] == ["cities", "photos", "visits"]
        each("drop-namespace", "--yes")
        each("load", "all.dump")
        assert each("get", "cities", "fr,Nice,2990440").output == b"Nice la Belle"
        assert each("tables").text.count("incomplete") == 0

    def test_tables_are_copied_and_compared(self, each: Kvlayer) -> None:
        copied = each.plain("copy", "kvlayer.yaml", OTHER, "--verify")
        assert copied.lines[-1] == "equal: 5 rows compared"
        each.plain("copy", OTHER, "kvlayer.yaml", "cities", "--overwrite")
        each("put", "cities", "fr,Nice,2990440", "Nissa")
        each("delete", "cities", "fr,Paris,2988507")
        each("put", "cities", "fr,Lyon,1", "Lyon")
        compared = each.plain("verify", OTHER, "kvlayer.yaml", status=1, complains=False)
        assert [line.split(maxsplit=2) for line in compared.lines[2:-1]] == [
            ["cities", "fr,Lyon,1", "not in sqlite:///other.db"],
            ["cities", "fr,Nice,2990440", "another value"],
            ["cities", "fr,Paris,2988507", "not in kvlayer.yaml"],
        ]
        assert compared.lines[-1] == "3 of 6 rows differ"

    def test_rows_are_counted_and_measured(self, each: Kvlayer) -> None:
        assert each("count", "cities").text == "5\n"
        assert each("count", "cities", "fr").text == "2\n"
        measured = json.loads(each("stats", "cities", "--format", "json").text)
        assert measured["rows"] == 5
        assert measured["value_bytes"] == sum(len(value.encode()) for value in CITIES.values())
        # Keys of 16 and 17 bytes when encoded, values of 13 and 14.
        assert measured["prefixes_by_rows"][0] == {"prefix": "de", "rows": 2, "bytes": 60}


class TestStats:
    def test_as_a_table(self, kvl: Kvlayer) -> None:
        lines = kvl("stats", "cities").lines
        assert lines[0].startswith("cities: 5 rows, ")
        assert "█" in lines[3]
        assert any(line.split()[:3] == ["de", "2", "40.0%"] for line in lines)

    def test_of_an_empty_table(self, kvl: Kvlayer) -> None:
        assert kvl("stats", "photos").text == "photos: 0 rows, 0 bytes\n"


class TestDump:
    def test_to_a_pipe_and_back(self, kvl: Kvlayer) -> None:
        content = kvl("dump", "cities", "-").output
        kvl("clear", "cities", "--yes")
        kvl("load", "-", given=content)
        assert kvl("count", "cities").text == "5\n"

    def test_ndjson(self, kvl: Kvlayer) -> None:
        kvl("dump", "cities", "cities.ndjson")
        lines = (kvl.folder / "cities.ndjson").read_text().splitlines()
        assert json.loads(lines[0]) == {"key": ["de", "Bonn", 2946447], "value": "Bonn am Rhein"}
        kvl("clear", "cities", "--yes")
        assert kvl("load", "cities.ndjson", "cities").text == "cities: 5 rows put\n"
        assert kvl("count", "cities").text == "5\n"
        assert "name it" in kvl("dump", "all.ndjson", status=2).errors
        assert "no --overwrite" in kvl("load", "cities.ndjson", "cities", "--overwrite", status=2).errors

    def test_a_failing_one_keeps_what_was_there(self, kvl: Kvlayer) -> None:
        (kvl.folder / "all.dump").write_text("precious")
        assert "no table 'nothing'" in kvl("dump", "nothing", "all.dump", status=1).errors
        assert (kvl.folder / "all.dump").read_text() == "precious"
        assert [path.name for path in kvl.folder.glob("*.part")] == []

    @pytest.mark.parametrize(("sign", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
    def test_an_interrupted_one_leaves_nothing(self, kvl: Kvlayer, sign: str, status: int) -> None:
        (kvl.folder / "sitecustomize.py").write_text(
            "import os, signal\n"
            "from kvlayer.tools import dumping\n"
            f"dumping.write_rows = lambda *_: os.kill(os.getpid(), signal.{sign})\n"
        )
        kvl.variables["PYTHONPATH"] = str(kvl.folder)
        before = sorted(path.name for path in kvl.folder.iterdir())
        done = subprocess.run(
            [*COMMAND, "--config", "kvlayer.yaml", "dump", "all.dump"],
            cwd=kvl.folder,
            env=kvl.environment(),
            check=False,
            capture_output=True,
        )
        assert done.returncode == status
        assert sorted(path.name for path in kvl.folder.iterdir() if path.name != "__pycache__") == before

    def test_into_a_folder_that_is_not_there(self, kvl: Kvlayer) -> None:
        assert "No such file or directory" in kvl("dump", "nowhere/all.dump", status=3).errors

    def test_not_to_a_terminal(self, kvl: Kvlayer) -> None:
        assert "a terminal is no place for a dump" in kvl.terminal("dump", "-", status=2).text


class TestLoad:
    @pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
    def test_a_broken_file_changes_nothing(self, kvl: Kvlayer, damage: str) -> None:
        kvl("dump", "cities", "all.dump")
        path = kvl.folder / "all.dump"
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(
            {
                "cut": content[:middle],
                "changed": bytes([*content[:middle], content[middle] ^ 1, *content[middle + 1 :]]),
                "foreign": b"PK\x03\x04" + content,
            }[damage]
        )
        refused = kvl("load", "all.dump", "--overwrite", status=3).errors
        if damage != "foreign":
            assert "byte" in refused
        assert kvl("count", "cities").text == "5\n"

    def test_over_rows(self, kvl: Kvlayer) -> None:
        kvl("dump", "all.dump")
        assert "holds rows" in kvl("load", "all.dump", status=2).errors
        kvl("put", "cities", "xx,New,1", "new")
        kvl("load", "all.dump", "cities", "--overwrite")
        assert kvl("count", "cities").text == "5\n"

    def test_of_other_types(self, kvl: Kvlayer) -> None:
        kvl("dump", "cities", "all.dump")
        kvl("drop-namespace", "--yes")
        kvl("create", "cities", "int")
        assert "'cities' has keys of (int)" in kvl("load", "all.dump", "--overwrite", status=2).errors

    def test_no_file(self, kvl: Kvlayer) -> None:
        assert kvl("load", "nothing", status=3).errors == "kvlayer: nothing: No such file or directory\n"


class TestCopy:
    def test_onto_itself(self, kvl: Kvlayer) -> None:
        same = "sqlite:///cities.db?app_name=atlas&namespace=demo"
        assert "the same" in kvl.plain("copy", "kvlayer.yaml", same, status=2).errors

    def test_over_rows(self, kvl: Kvlayer) -> None:
        kvl.plain("copy", "kvlayer.yaml", OTHER, "cities")
        assert "holds rows" in kvl.plain("copy", "kvlayer.yaml", OTHER, "cities", status=2).errors

    def test_onto_other_types(self, kvl: Kvlayer) -> None:
        kvl.plain("--url", OTHER, "create", "cities", "int")
        assert "'cities' has keys of (int)" in kvl.plain("copy", "kvlayer.yaml", OTHER, status=2).errors

    def test_names_of_stores(self, kvl: Kvlayer) -> None:
        (kvl.folder / "other.yaml").write_text(yaml.safe_dump({"kvlayer": other_config(kvl)}))
        kvl.plain("copy", "kvlayer.yaml", "other.yaml", "cities")
        assert cities_of(other_config(kvl)) == CITIES
        assert "can't read no.yaml" in kvl.plain("copy", "kvlayer.yaml", "no.yaml", status=2).errors
        assert "takes its stores by position" in kvl("copy", "kvlayer.yaml", "other.yaml", status=2).errors

    def test_resumed_after_ctrl_c(self, kvl: Kvlayer) -> None:
        """What was interrupted is marked, is not taken for whole, and goes on where it stopped."""
        rows = 200_000
        with client_of(kvl) as client:
            client.put_many("photos", (((number,), b"x" * 100) for number in range(rows)))
        process = subprocess.Popen(
            [*COMMAND, "copy", "kvlayer.yaml", OTHER, "photos", "--jobs", "2"],
            cwd=kvl.folder,
            env=kvl.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _interrupt_once_rows_are_there(process, kvl)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors.decode()) == (
            130,
            "kvlayer: interrupted; the same command with --resume goes on where this stopped\n",
        )
        assert "photos (incomplete)" in kvl.plain("--url", OTHER, "tables").text
        assert "incomplete" in kvl.plain("--url", OTHER, "dump", "all.dump", status=2).errors
        kvl.plain("copy", "kvlayer.yaml", OTHER, "photos", "--resume", "--verify")
        assert kvl.plain("--url", OTHER, "count", "photos").text == f"{rows}\n"
        assert "incomplete" not in kvl.plain("--url", OTHER, "tables").text


def _interrupt_once_rows_are_there(process: subprocess.Popen[bytes], kvl: Kvlayer) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (kvl.folder / "other.db").exists():
            with kvlayer.client(other_config(kvl)) as client:
                try:
                    if next(client.scan_keys("photos"), None) is not None:
                        break
                except kvlayer.KvlayerError:  # not made yet
                    pass
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)


class TestVerify:
    def test_the_list_is_bounded(self, kvl: Kvlayer) -> None:
        kvl.plain("copy", "kvlayer.yaml", OTHER)
        kvl("clear", "cities", "--yes")
        compared = kvl.plain("verify", "kvlayer.yaml", OTHER, "--limit", "2", status=1, complains=False)
        assert compared.lines[-2:] == ["and 3 more", "5 of 5 rows differ"]
        assert len(compared.lines) == 6

    def test_of_a_table_in_one_alone(self, kvl: Kvlayer) -> None:
        kvl.plain("--url", OTHER, "create", "photos", "int")
        assert "no table 'cities'" in kvl.plain("verify", "kvlayer.yaml", OTHER, "cities", status=1).errors

    def test_passwords_are_not_shown(self, kvl: Kvlayer) -> None:
        refused = kvl.plain("verify", "kvlayer.yaml", "redis://me:hunter2@127.0.0.1:1/?app_name=a", status=2)
        assert "hunter2" not in refused.errors
