"""The panel of evaluate: figures with their intervals, the difference, labels, every wrong answer, and how far it is until then."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from datatune_tui.app import DataTune
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.long_list import LongList
from datatune_tui.widgets.rail import Rail
from tests.datatune_tui.experiments import asked_run, evaluated_run, evaluating_run
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.engine.evaluate.found import ALONE

PANEL = "#panel-evaluate"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None], says: str) -> str:
    """The screen with evaluate chosen, once it says so much."""
    await pilot.press("enter")
    rail = await until(pilot, lambda: app.screen.query(Rail))
    await until(pilot, lambda: rail.first().current)
    await pilot.press("end")
    while rail.first().current != "evaluate":
        await pilot.press("up")
    await until(pilot, lambda: says in screen_text(app))
    return screen_text(app)


def test_both_models_are_bars_and_the_difference_is_told(home: Home) -> None:
    evaluated_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(app, pilot, "Not wholly right")

    shown = with_app(home, story, (150, 60))
    bars = [line for line in shown.splitlines() if "●" in line and "┆" in line and "95 %" not in line]
    assert len(bars) == 2 and "finetuned  0.620 (0.56 to 0.68)" in bars[0] and "base       0.470 (0.41 to 0.53)" in bars[1]
    assert bars[0].rindex("┆") == bars[1].rindex("┆") < bars[1].index("●") < bars[0].index("●")
    for words in (
        "finetuned less base: +0.150 (+0.080 to +0.220); the interval does not hold 0; p 0.0002",
        "300 items in 210 groups that share a stem; 40 examples off the test",
        "descriptive: 210 independent items",
        "macro f1, sum",
        "62%",
        "rain 31",
        "Not wholly right: finetuned 114, base 159",
    ):
        assert words in shown


def test_a_model_alone_has_no_difference(home: Home) -> None:
    evaluated_run(home, ALONE)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        shown = await opened(app, pilot, "Not wholly right")
        assert "finetuned  0.620" in shown and "less base" not in shown
        assert not app.screen.query_one(f"{PANEL} #difference").display

    with_app(home, story, (150, 60))


def test_every_wrong_answer_can_be_walked_through_and_is_read_in_full_and_saved(home: Home, tmp_path: Path) -> None:
    asked_run(tmp_path, 20, 9)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "note number 20.")
        answers = app.screen.query_one(f"{PANEL} #wrong", LongList)
        assert answers.count == 9, "not the five that the record holds"
        answers.focus()
        await pilot.press("end")
        answer = app.screen.query_one(f"{PANEL} #answer", Static)
        await until(pilot, lambda: "item 29" in str(answer.content))
        assert "note number 28." in str(answer.content) and "right: " in str(answer.content) and "I think" in str(answer.content)
        await pilot.press("y")
        await until(pilot, lambda: "note number 28." in app.clipboard)
        await pilot.press("w")
        await until(pilot, lambda: app.screen.query("#path"))
        path = tmp_path / "wrong.csv"
        app.screen.query_one("#path", Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
        rows = list(csv.reader(path.open(encoding="utf-8")))
        assert rows[0] == ["MODEL", "ITEM", "INPUT", "RIGHT", "TAKEN", "WRITTEN"] and len(rows) == 10
        figures = app.screen.query_one(f"{PANEL} #figures", KeyedTable)
        figures.focus()
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard.startswith("VALUE, 95 % INTERVAL\tMODEL"))

    with_app(home, story, (120, 50))


def test_another_test_than_the_one_asked_is_never_shown_beside_the_answers(home: Home, tmp_path: Path) -> None:
    asked_run(tmp_path, 20, 9)
    file = tmp_path / "test.jsonl"
    file.write_text(file.read_text().replace("note number", "another number"))

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(app, pilot, "note number 20.")

    shown = with_app(home, story, (150, 60))
    assert "the test is not the one that was asked any more" in shown and "another number" not in shown


def test_text_of_models_and_tests_is_plain(home: Home) -> None:
    evaluated_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot, "Not wholly right")
        return screen_text(app)

    shown = with_app(home, story, (150, 60))
    assert "[b]mails[/b]" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_while_it_asks_it_says_how_far_it_is_and_how_long_it_takes(home: Home) -> None:
    evaluating_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(app, pilot, "120 of 400 answers of tiny.gguf, 4.0/s, about 1 min 10 s left")

    assert "about 400 calls of tiny.gguf" in with_app(home, story, (120, 30))


def test_why_it_failed_is_said(home: Home) -> None:
    run = home.finished()
    home.step(run, "evaluate", None, state="failed", reason="the adapter is [i]gone[/i]")

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(app, pilot, "failed: the adapter is [i]gone[/i]")

    assert "●" not in with_app(home, story, (120, 30))
