"""What commands print is safe for a terminal, short where something is wrong, and aligned."""

from __future__ import annotations

import json

import pytest
from rich.cells import cell_len

from engine.cli.output import complain, fail_as_json, put, table, to_json
from engine.cli.progress import Meter, line, time_left
from engine.errors import ExitCode
from engine.plain_text import clean
from engine.records import Candidate


def test_foreign_text_cannot_move_the_cursor_or_change_colours() -> None:
    assert clean("a\x1b[31mred\x1b[0m\r\x07b\x9b2J\u202ec") == "a[31mred[0mb2Jc"
    assert clean("two\nlines\tand 文字 – ok") == "two\nlines\tand 文字 – ok"


def test_a_complaint_is_one_line_and_at_most_two_of_hint(capsys: pytest.CaptureFixture[str]) -> None:
    complain("first\nsecond", "a\nb\nc\nd")
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["datatune: first second", "  a", "  b"] and not captured.out


def test_an_error_is_json_only_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail_as_json(["catalog", "info"], "wrong", "do right", ExitCode.BUSY) == 4
    assert not capsys.readouterr().out
    fail_as_json(["catalog", "info", "--json"], "wrong", "do right", ExitCode.BUSY)
    assert json.loads(capsys.readouterr().out) == {"error": "wrong", "hint": "do right", "exit_code": 4}
    fail_as_json(["run", "x.toml", "--json"], "wrong", "do right", ExitCode.BAD_INPUT)
    document = json.loads(capsys.readouterr().out)
    assert (document["run"], document["state"], document["examples"], document["reason"]) == (None, "refused", 0, "wrong")


def test_results_go_to_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    put(Candidate("a/b", 1, 0.5), True, lambda: "never")
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert (printed["dataset"], printed["rank"], printed["reasons"]) == ("a/b", 1, []), "fields at their default are there too"
    assert not captured.err
    put(3, False, lambda: "a\x1bb")
    assert capsys.readouterr().out == "ab\n"


def test_json_is_one_line_and_keeps_letters() -> None:
    assert to_json({"text": "Übung\n文"}) == '{"text": "Übung\\n文"}'


def test_a_table_is_aligned_whatever_the_script() -> None:
    lines = table(("NAME", "COUNT"), [("文字文字", 1), ("a\nb\x1b", 22), ("x" * 70, 3)], widest=20).splitlines()
    assert len(lines) == 4
    assert lines[3].startswith("x" * 19 + "…")
    starts = {cell_len(line) - len(line.split()[-1]) for line in lines}
    assert starts == {22}
    assert table(("NAME",), []) == "NAME"


# ── progress ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (61, "1 min 01 s"), (3599, "59 min 59 s"), (7260, "2 h 01 min")]
)
def test_time_left_is_told_in_two_units(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_a_report_has_share_rate_and_time_left() -> None:
    assert line("execute", 500, 2000, 12.4, "examples", False) == "execute  500 of 2,000 examples  12/s  2 min 00 s left"
    assert line("execute", 2000, 2000, 0.25, "examples", False) == "execute  2,000 of 2,000 examples  0.25/s"
    assert line("reading", 7, None, 0, "cards", False) == "reading  7 cards"
    assert line("reading", 0, None, 0, "cards", True) == "reading"
    assert "██████████░░░░░░░░░░" in line("execute", 5, 10, 1, "examples", True)
    assert "100" not in line("execute", 30, 10, 1, "examples", True)


class Clock:
    """time.monotonic under a test's hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("engine.cli.progress.time.monotonic", made)
    return made


def test_piped_progress_is_plain_lines_far_apart(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("execute", terminal=False)
    for done in range(0, 100, 10):
        meter.show(done, 100, "examples")
        clock.now += 5
    meter.show(100, 100, "examples")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert 2 <= len(lines) <= 5 and not captured.out
    assert all("\r" not in text and "\x1b" not in text for text in lines)
    assert lines[-1].startswith("execute  100 of 100 examples  2.00/s")


def test_a_terminal_gets_one_line_redrawn_and_cleared(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("execute", terminal=True)
    for done in range(0, 60, 10):
        meter.show(done, 50, "examples")
        clock.now += 1
    meter.end()
    written = capsys.readouterr().err
    assert "\n" not in written and written.endswith("\r\x1b[K") and "50 of 50" in written


def test_a_program_that_follows_gets_lines_of_json(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATATUNE_PROGRESS", "json")
    meter = Meter("embedding", terminal=True)
    for done in range(0, 60, 10):
        meter.show(done, 50, "examples")
        clock.now += 1
    meter.end()
    told = [json.loads(said) for said in capsys.readouterr().err.splitlines()]
    assert [one["done"] for one in told] == [0, 10, 20, 30, 40, 50]
    assert told[2] == {"doing": "embedding", "done": 20, "of": 50, "rate": 10.0, "unit": "examples"}


def test_what_was_there_before_does_not_count_for_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("execute", terminal=False)
    meter.show(1000, 1100, "examples")
    clock.now += 50
    meter.show(1050, 1100, "examples")
    assert "1.00/s  50 s left" in capsys.readouterr().err
