"""Data: a hundred thousand units, looking for some, and what people say of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from datatune_tui.app import DataTune
from datatune_tui.widgets.long_list import LongList
from engine.store import items
from engine.store.reviews import Review, reviews_of
from tests.datatune_tui.stored import Home, screen_text, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None]) -> LongList:
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.query("Rail") and app.screen.is_current and app.screen.ready)  # type: ignore[attr-defined]
    await pilot.press("3")
    await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList).count)
    return app.screen.query_one(LongList)


def test_all_units_are_there_and_the_one_under_the_cursor_is_shown_whole(home: Home) -> None:
    run = home.finished(examples=2_000)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        assert units.count == 2_003
        shown = screen_text(app)
        assert f"run {run}: 2,003 of 2,003 units" in shown
        assert "The gutter ran over again. (0)" in shown and "→ rain" in shown and "licence cc0-1.0" in shown
        await pilot.press("end", "up", "up", "up")
        await until(pilot, lambda: "(1999)" in screen_text(app))
        await pilot.press("pageup", "home")
        await until(pilot, lambda: units.cursor == 0)

    with_app(home, story, (120, 30))


def test_what_is_looked_for_narrows_the_list_at_once(home: Home) -> None:
    home.finished(examples=300)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("slash", *"(29")
        await until(pilot, lambda: units.count == 11)
        await pilot.press("escape")
        app.screen.query_one("#search", Input).value = "100%"
        await until(pilot, lambda: units.count == 0)
        assert "Nothing to show." in screen_text(app)
        app.screen.query_one("#search", Input).value = ""
        app.screen.query_one("#state", Select).value = "rejected"
        await until(pilot, lambda: units.count == 2)
        await until(pilot, lambda: "rejected: too short" in screen_text(app))

    with_app(home, story)


def test_all_like_this_are_those_with_the_same_output_or_the_same_reason(home: Home) -> None:
    home.finished(examples=30)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("l")
        await until(pilot, lambda: units.count == 10)
        assert app.screen.query_one("#search", Input).value == "output=rain"
        app.screen.query_one("#search", Input).value = "reason=too short"
        app.screen.query_one("#state", Select).value = ""
        await until(pilot, lambda: units.count == 2)

    with_app(home, story)


def test_reviews_are_stored_shown_and_taken_back(home: Home) -> None:
    run = home.finished()
    step = f"{run} execute owner/notes"

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("r", "a")
        assert units.cursor == 2
        stored = reviews_of(home.connection, step)
        assert stored == {"train 0": Review("train 0", "rejected"), "train 1": Review("train 1", "accepted")}
        assert "2 reviewed, 1 rejected" in screen_text(app)
        await pilot.press("home")
        await until(pilot, lambda: "rejected by you" in screen_text(app))
        await pilot.press("u")
        assert list(reviews_of(home.connection, step)) == ["train 1"]

    with_app(home, story)


def test_an_output_is_put_right_and_what_it_was_stays_in_sight(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: "The right output" in screen_text(app))
        await pilot.press(*" and sleet", "ctrl+s")
        await until(pilot, lambda: "was: rain" in screen_text(app))
        assert reviews_of(home.connection, f"{run} execute owner/notes")["train 0"].output == "rain and sleet"
        await pilot.press("n")
        await until(pilot, lambda: "Note" in screen_text(app))
        await pilot.press(*"odd", "escape")
        await pilot.pause()
        assert not reviews_of(home.connection, f"{run} execute owner/notes")["train 0"].note

    with_app(home, story)


def test_failures_cannot_be_reviewed(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("end", "r", "a", "e")
        await pilot.pause()
        assert reviews_of(home.connection, f"{run} execute owner/notes") == {}

    with_app(home, story)


def test_units_that_come_while_one_looks_leave_the_cursor_where_it_is(home: Home) -> None:
    run = home.running(done=40)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("down", "down", "down")
        home.units(f"{run} execute owner/notes", 25, start=40)
        await until(pilot, lambda: units.count == 65)
        assert units.cursor == 3

    with_app(home, story)


def test_hostile_text_has_no_effect_and_a_megabyte_does_not_freeze(home: Home) -> None:
    run = home.running(done=0)
    step = f"{run} execute owner/notes"
    hostile = "[@click=app.quit]x[/] \x1b[2J ‮abc 漢字 שלום " + "y" * 1_000_000
    items.store_items(home.connection, step, [items.Item("u", 0, "failed", hostile, hostile)])

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        return screen_text(app)

    shown = with_app(home, story, (80, 24))
    assert "[@click=app.quit]x[/]" in shown and "\x1b" not in shown and "\u202e" not in shown
    assert shown.count("\n") == 23


def test_synthetic_examples_name_their_model_and_have_no_row_to_show(home: Home) -> None:
    home.synthetic()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        assert units.count == 6
        assert "synthetic, written by tiny.gguf" in screen_text(app) and "row -1" not in screen_text(app)
        await pilot.press("o")
        await until(pilot, lambda: "no row stands behind" in screen_text(app))

    with_app(home, story, (120, 30))
