"""The benchmark's harness: fair turns, right ratios, reports. No test here looks at how long something takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from benchmarks import batch_sizes, endurance, harness, memory, report, riak, small_range
from benchmarks.__main__ import _ONLY_IF_NAMED, _SECTIONS, main
from benchmarks.harness import OPERATIONS, Comparison, Contender, Figure, Measurement, Standing
from benchmarks.stores import EMBEDDED, WITH_SERVER, comparison
from benchmarks.workload import KEY_TYPES, VALUE_BYTES, Workload, scattered_pairs

from kvlayer.keys import KeyCodec

FACTS = {
    "python": "3.11",
    "key_codec": "C",
    "sqlite": "3.40",
    "system": "Linux",
    "architecture": "x86_64",
    "cores": 2,
}


class Recorded(Contender):
    """A dict that notes what it is asked to do."""

    takes_encoded: ClassVar[bool] = True

    def __init__(self, name: str, log: list[tuple[str, str]]) -> None:
        self._name, self._log = name, log
        self.rows: dict[Any, bytes] = {}

    def _note(self, operation: str) -> None:
        self._log.append((self._name, operation))

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        self._note("put")
        self.rows.update(rows)

    def get(self, keys: list[Any]) -> list[Any]:
        self._note("get")
        return [self.rows.get(key) for key in keys]

    def scan(self) -> Iterator[tuple[Any, bytes]]:
        for row in sorted(self.rows.items()):
            self._note("scan")
            yield row

    def scan_keys(self) -> Iterator[Any]:
        return iter(sorted(self.rows))

    def delete(self, keys: list[Any]) -> None:
        for key in keys:
            self.rows.pop(key, None)

    def close(self) -> None:
        self.rows.clear()


class Forgetful(Recorded):
    """Loses a row of each batch."""

    def put(self, rows: list[tuple[Any, bytes]]) -> None:
        super().put(rows[1:])


def recorded(log: list[tuple[str, str]], bare: type[Recorded] = Recorded) -> Comparison:
    @contextmanager
    def opened() -> Iterator[tuple[Contender, Contender]]:
        log.clear()
        yield Recorded("ours", log), bare("bare", log)

    return Comparison("recorded", "a dict", {"put": 0.5}, opened)


def quietly(text: str) -> None:
    """Shows no progress."""


def measurement(**changes: Any) -> Measurement:
    usual = Measurement("sqlite", "put", "sqlite3", 10.0, 8.0, [0.7, 0.9], target=0.75, batch_size=1000)
    return replace(usual, **changes)


def standing(**changes: Any) -> Standing:
    usual = Standing(
        "file, synced",
        "a store",
        "1.2",
        ordered=True,
        batch_size=1000,
        store_us={"put": 21.0, "scan": 0.5},
        kvlayer_us={"put": 2.0, "scan": 1.0},
        ratios={"put": [10.0, 11.0], "scan": [0.4, 0.6]},
    )
    return replace(usual, **changes)


class TestWorkload:
    def test_both_forms_hold_the_same_rows(self) -> None:
        workload = Workload.make(250, 100)
        encode = KeyCodec(KEY_TYPES, "test").encode
        for plain, encoded in zip(workload.plain.put, workload.encoded.put, strict=True):
            assert [(encode(key), value) for key, value in plain] == encoded
        for name in ("get", "delete"):
            plain_batches, encoded_batches = getattr(workload.plain, name), getattr(workload.encoded, name)
            assert [[encode(key) for key in batch] for batch in plain_batches] == encoded_batches

    def test_batches_cover_distinct_keys_in_three_orders(self) -> None:
        workload = Workload.make(250, 100)
        assert [len(batch) for batch in workload.plain.put] == [100, 100, 50]
        put = [key for batch in workload.plain.put for key, _ in batch]
        get = [key for batch in workload.plain.get for key in batch]
        delete = [key for batch in workload.plain.delete for key in batch]
        assert len(set(put)) == 250
        assert set(put) == set(get) == set(delete)
        assert len({tuple(put), tuple(get), tuple(delete), tuple(sorted(put))}) == 4
        assert {len(value) for batch in workload.plain.put for _, value in batch} == {VALUE_BYTES}

    def test_is_the_same_each_time(self) -> None:
        assert Workload.make(50, 10) == Workload.make(50, 10)
        assert list(scattered_pairs(50)) == list(scattered_pairs(50))


class TestCompare:
    def test_contenders_take_turns_and_the_first_one_changes(self) -> None:
        log: list[tuple[str, str]] = []
        harness.compare(recorded(log), Workload.make(40, 10), 1, quietly, ("put", "get"))
        order = [name for name, operation in log if operation == "put"]
        assert order == ["bare", "ours", "ours", "bare"] * 2

    def test_a_scan_takes_turns_too_and_reaches_the_end(self) -> None:
        log: list[tuple[str, str]] = []
        harness.compare(recorded(log), Workload.make(20, 10), 1, quietly, ("put", "scan"))
        order = [name for name, operation in log if operation == "scan"]
        assert order == ["bare"] * 10 + ["ours"] * 20 + ["bare"] * 10

    def test_reports_each_operation_with_its_target(self) -> None:
        results = harness.compare(recorded([]), Workload.make(30, 10), 2, quietly)
        assert tuple(result.operation for result in results) == OPERATIONS
        assert [result.target for result in results] == [0.5, None, None, None, None]
        assert all(len(result.ratios) == 2 for result in results)
        assert all(min(result.ratios) > 0 for result in results)

    def test_calls_for_one_row_take_turns_a_few_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(harness, "_CALLS", 45)
        log: list[tuple[str, str]] = []
        workload = Workload.make(50, 10)
        put, get = harness.compare(recorded(log), workload, 1, quietly, ("put one", "get one"))
        for operation in ("put", "get"):
            order = [name for name, noted in log if noted == operation]
            assert order == ["bare"] * 20 + ["ours"] * 40 + ["bare"] * 20 + ["bare"] * 5 + ["ours"] * 5
        assert (put.operation, put.batch_size, get.operation, get.batch_size) == ("put one", 1, "get one", 1)

    def test_wrong_answers_are_an_error(self) -> None:
        with pytest.raises(AssertionError, match="Forgetful gives wrong answers: get, scan, scan_keys"):
            harness.compare(recorded([], bare=Forgetful), Workload.make(30, 10), 1, quietly)

    @pytest.mark.parametrize("store", EMBEDDED)
    def test_the_stores_give_the_same_answers(self, store: str) -> None:
        results = harness.compare(comparison(store), Workload.make(300, 64), 1, quietly)
        assert [result.subject for result in results] == [store] * len(OPERATIONS)

    def test_batch_sizes(self) -> None:
        results = batch_sizes.measure([recorded([])], 20, 1, quietly)
        assert [(result.operation, result.batch_size) for result in results] == [
            (operation, size) for operation in ("get", "put") for size in batch_sizes.SIZES
        ]
        assert {result.target for result in results} == {None}


class TestResults:
    def test_ratio_is_that_of_the_best_rounds(self) -> None:
        assert measurement().ratio == pytest.approx(0.8)

    @pytest.mark.parametrize(("target", "met"), [(0.75, True), (0.8, True), (0.81, False), (None, None)])
    def test_target(self, target: float | None, met: bool | None) -> None:
        assert measurement(target=target).met is met

    @pytest.mark.parametrize(("value", "met"), [(29.9, True), (30.0, False)])
    def test_limit(self, value: float, met: bool) -> None:
        assert Figure("a range", value, "µs", 30, "").met is met

    def test_range_and_memory_are_measured(self) -> None:
        assert small_range.measure(50, 1, quietly).value > 0
        put_many, scan = memory.measure(200, quietly)
        assert 5 < put_many.value < 500
        assert 5 < scan.value < 500

    def test_endurance_is_measured(self) -> None:
        figures = endurance.measure(200, quietly)
        assert [(figure.subject.split()[1], figure.unit) for figure in figures] == [
            ("put_many", "MB"),
            ("scan", "MB"),
            ("scan", "times as long"),
            ("copy", "MB"),
            ("copy", "times as long"),
        ]
        assert all(5 < figure.value < 500 for figure in figures if figure.unit == "MB")
        assert all(figure.value > 0 for figure in figures)

    def test_pace_is_even_between_two_notes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter([100.0, 110.0, 130.0, 131.0])
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))
        pace = endurance._Pace()
        for rows in (50, 50, 60, 100):
            pace.note(rows)
        assert pace.tenths() == pytest.approx([2.0] * 5 + [20.0] + [0.25] * 4)

    def test_riak_is_measured(self) -> None:
        figures = riak.measure(50, 20, 1, quietly)
        assert [figure.subject.split(",")[0] for figure in figures] == ["put", "get", "scan"] * 2
        assert all(figure.value > 0 for figure in figures)

    def test_memory_is_measured_with_servers(self) -> None:
        figures = memory.measure_with_server(200, quietly)
        assert [figure.subject.split(":")[0] for figure in figures] == [
            store for store in WITH_SERVER for _ in ("put_many", "scan")
        ]
        assert all(5 < figure.value < 500 for figure in figures)


class TestReport:
    def test_table_leaves_out_what_is_the_same_everywhere(self) -> None:
        columns, rows = report.tabulate([measurement(), measurement(operation="get", target=None)])
        assert columns == ("operation", "kvlayer", "bare", "ratio", "in rounds", "target")
        assert rows == [
            ("put", "10.00", "8.00", "0.80", "0.70–0.90", "≥ 0.75: met"),
            ("get", "10.00", "8.00", "0.80", "0.70–0.90", ""),
        ]

    def test_table_leaves_out_what_is_empty(self) -> None:
        columns, _ = report.tabulate([measurement(target=None)])
        assert "target" not in columns

    def test_table_shows_what_differs(self) -> None:
        columns, rows = report.tabulate([measurement(), measurement(subject="local", batch_size=1)])
        assert columns[:3] == ("what", "operation", "batch")
        assert [row[:3] for row in rows] == [("sqlite", "put", "1,000"), ("local", "put", "1")]

    def test_figures(self) -> None:
        columns, rows = report.tabulate([Figure("a range", 31.25, "µs", 30, "median")])
        assert columns == ("what", "figure", "target", "also")
        assert rows == [("a range", "31.2 µs", "< 30 µs: missed", "median")]

    def test_standings(self) -> None:
        ours = standing(store="kvlayer", store_us={"put": 2.0}, ratios={})
        columns, rows = report.tabulate([ours, standing(ordered=False)])
        assert columns == ("store", "order", "put", "scan")
        assert rows == [("kvlayer", "yes", "2.00", ""), ("a store", "", "21.0 10.5×", "0.50 0.50×")]

    def test_standings_have_a_table_for_each_durability_and_batch_size(self) -> None:
        results = [standing(), standing(batch_size=1), standing(store="another"), standing(durability="none")]
        text = report.as_markdown(FACTS, "make bench", results)
        assert [line for line in text.splitlines() if line.startswith("**")] == [
            "**file, synced; batches of 1,000 rows**",
            "**file, synced; row by row**",
            "**none; batches of 1,000 rows**",
        ]
        assert "\n\n\n" not in text
        assert text.count("| a store |") == 3

    def test_standings_as_json(self) -> None:
        (written,) = json.loads(report.as_json(FACTS, {"alternatives": [standing()]}))["sections"][
            "alternatives"
        ]
        assert written["version"] == "1.2"
        assert written["ratios"] == {"put": [10.0, 11.0], "scan": [0.4, 0.6]}

    def test_json_holds_every_round(self) -> None:
        text = report.as_json(FACTS, {"sqlite": [measurement()], "range": [Figure("r", 1.5, "µs", 30, "")]})
        written = json.loads(text)
        assert written["environment"] == FACTS
        (result,) = written["sections"]["sqlite"]
        assert result["ratios"] == [0.7, 0.9]
        assert result["ratio"] == pytest.approx(0.8)
        assert result["met"] is True
        assert written["sections"]["range"][0]["met"] is True

    def test_environment_names_no_host(self) -> None:
        assert set(report.environment()) == set(FACTS)

    def test_markdown(self) -> None:
        text = report.as_markdown(FACTS, "make bench", [measurement(target=0.9)])
        head, empty, *table = text.splitlines()
        assert head.startswith("`make bench` on Python 3.11")
        assert head.endswith(", kvlayer and sqlite3, µs a row:")
        assert empty == ""
        assert table[0].startswith("| what | operation |")
        assert table[-1].endswith("| ≥ 0.9: missed |")
        assert len({line.count("|") for line in table}) == 1

    def test_rewrite_changes_named_blocks_only(self, tmp_path: Path) -> None:
        document = tmp_path / "doc.md"
        document.write_text(
            "# Title\n<!-- benchmark: a -->\nold \\1\n<!-- end of benchmark -->\nwords\n"
            "<!-- benchmark: b -->\nkept\n<!-- end of benchmark -->\n"
        )
        for block in ("new \\1\nlines", "newer"):
            report.rewrite(document, {"a": block})
            assert document.read_text() == (
                f"# Title\n<!-- benchmark: a -->\n{block}\n<!-- end of benchmark -->\nwords\n"
                "<!-- benchmark: b -->\nkept\n<!-- end of benchmark -->\n"
            )

    def test_rewrite_without_markers_changes_nothing(self, tmp_path: Path) -> None:
        document = tmp_path / "doc.md"
        text = "<!-- benchmark: a -->\nold\n<!-- end of benchmark -->\n"
        document.write_text(text)
        with pytest.raises(ValueError, match="benchmark: b"):
            report.rewrite(document, {"a": "new", "b": "new"})
        assert document.read_text() == text


class TestCommand:
    def test_prints_and_writes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        document, figures = tmp_path / "doc.md", tmp_path / "figures.json"
        document.write_text("<!-- benchmark: local -->\n<!-- end of benchmark -->\n")
        arguments = ["--only", "local", "--rows", "100", "--rounds", "1"]
        main([*arguments, "--json", str(figures), "--markdown", str(document)])
        assert "scan_keys" in capsys.readouterr().out
        assert [result["operation"] for result in json.loads(figures.read_text())["sections"]["local"]] == [
            *OPERATIONS
        ]
        text = document.read_text()
        assert '`make bench ARGS="--only local --rows 100 --rounds 1"`' in text
        assert str(tmp_path) not in text

    def test_all_sections_run_unless_some_are_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ran = []

        def sections(*_: object) -> dict[str, Callable[[], list[Measurement]]]:
            def section(name: str) -> Callable[[], list[Measurement]]:
                return lambda: ran.append(name) or [measurement()]  # type: ignore[func-returns-value]

            return {name: section(name) for name in ("local", "keys", *WITH_SERVER, *_ONLY_IF_NAMED)}

        monkeypatch.setattr("benchmarks.__main__._sections", sections)
        main([])
        assert ran == ["local", "keys", *WITH_SERVER]
        ran.clear()
        main(["--only", WITH_SERVER[0]])
        assert ran == [WITH_SERVER[0]]
        assert "sqlite3" in capsys.readouterr().out

    def test_the_document_has_a_place_for_each_section(self, tmp_path: Path) -> None:
        document = tmp_path / "performance.md"
        document.write_bytes(Path(__file__).parents[1].joinpath("docs", "performance.md").read_bytes())
        sections = _SECTIONS + _ONLY_IF_NAMED
        report.rewrite(document, dict.fromkeys(sections, "block"))
        assert document.read_text("utf-8").count("block\n<!-- end of benchmark -->") == len(sections)

    @pytest.mark.parametrize("arguments", [["--rows", "0"], ["--rounds", "x"], ["--only", "tape"]])
    def test_refuses_nonsense(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(arguments)
        assert arguments[0] in capsys.readouterr().err
