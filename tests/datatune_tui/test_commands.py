"""The command palette: places, runs, and everything the place can do now, with the keys that do it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from datatune_tui.app import DataTune
from datatune_tui.commands import PlaceOffers, actions_of
from datatune_tui.screens.run import RunScreen
from datatune_tui.widgets.places import PLACES
from engine.settings import change_settings
from engine.store.runs import take_command
from tests.datatune_tui.stored import TASK, Home, screen_text, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def asked(app: DataTune, pilot: Pilot[None], words: str, wanted: str) -> None:
    """Open the palette, type, and take what is found."""
    await pilot.press("ctrl+p", *words)
    await until(pilot, lambda: app.screen.query(OptionList) and wanted in screen_text(app))
    await pilot.press("enter")


def test_it_goes_to_every_place(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        offers = {offer.text: offer for offer in PlaceOffers(app.screen).offers()}
        assert list(offers) == [f"Go to {name}  ({number})" for number, (_, name) in enumerate(PLACES, 1)]
        for text, (mode, _) in reversed(list(zip(offers, PLACES, strict=True))):
            offers[text].do()
            await until(pilot, partial(lambda wanted: app.current_mode == wanted, mode))
        await asked(app, pilot, "go to ru", "Go to Run")
        await until(pilot, lambda: app.current_mode == "run")

    with_app(home, story)


def test_it_opens_a_run_by_its_id(home: Home) -> None:
    run = home.finished()
    home.failed()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await asked(app, pilot, f"open run {run}", f"Open run {run}")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and run in screen_text(app))

    with_app(home, story)


def test_the_name_of_a_task_is_text_however_it_reads(home: Home) -> None:
    run = home.finished(task=msgspec.structs.replace(TASK, name="[/b] [red]x[/red] [@click=app.quit]"))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p", *"open run")
        await until(pilot, lambda: f"Open run {run}  [/b] [red]x[/red]" in screen_text(app))
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: app.screen.query(OptionList) and "Demo" in screen_text(app))
        await pilot.press("end")
        await until(pilot, lambda: "[red]x[/red]" in screen_text(app))

    with_app(home, story)


def test_it_does_what_the_place_can_do_now_and_names_the_key_that_is_set(home: Home) -> None:
    run = home.running()
    change_settings(home.locations.settings, {"keys.home.cancel": "f9"})

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        offered = {name: keys for _, _, name, _, keys in actions_of(app.screen)}
        assert offered["Cancel"] == ("f9",) and offered["New"] == ("n",) and "Help" in offered
        assert "Resume" not in offered, "a run at work cannot be resumed"
        await asked(app, pilot, "cancel", "Cancel  (f9)")
        await until(pilot, lambda: take_command(home.connection, run) == "cancel")

    with_app(home, story)


def test_all_actions_of_the_place_are_there_whatever_has_the_focus(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "run" and app.screen.query("#rail"))
        await pilot.press("home", "down")
        await until(pilot, lambda: "Leave out" in {name for _, _, name, _, _ in actions_of(app.screen)})
        assert {"Export", "Story", "Put first"} <= {name for _, _, name, _, _ in actions_of(app.screen)}

    with_app(home, story)
