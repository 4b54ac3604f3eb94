"""Home: what the list says, what can be done to which run, and what it says when there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from datatune_tui.app import DataTune, going_on
from datatune_tui.runs_read import Reader
from engine.locations import Locations
from engine.store.database import open_small_writer, open_writer
from engine.store.lease import Owner, this_process
from engine.store.runs import RunSettings, create_run, list_runs, read_run, take_command
from tests.datatune_tui.stored import TASK, Home, screen_text, until, with_app

DEAD = Owner(2**22 - 3, 1.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_first_start_says_what_to_do(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return screen_text(app)

    shown = with_app(home, story, (80, 24))
    assert "Press d to see it work" in shown and "DataTune makes a training set" in shown


def test_runs_are_listed_newest_first_with_state_and_time_left(home: Home) -> None:
    home.failed("no data set serves this task: none is near")
    home.finished()
    home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return screen_text(app)

    lines = with_app(home, story, (140, 30)).splitlines()
    assert "running" in lines[2] and "execute 40 of 100, 15 s left" in lines[2]
    assert "done" in lines[3] and " 9 " in lines[3] and "9 examples from 1 data set" in lines[3]
    assert "failed" in lines[4] and "no data set serves this task" in lines[4]


def test_a_run_whose_engine_is_gone_shows_as_interrupted_though_nobody_wrote_it(home: Home) -> None:
    home.running(DEAD)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return screen_text(app)

    shown = with_app(home, story)
    assert "! interrupted" in shown and "its engine is gone" in shown


def test_what_an_engine_writes_is_seen_without_a_key(home: Home) -> None:
    run = home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "execute 40 of 100" in screen_text(app))
        from engine.store import events, runs

        events.set_progress(home.connection, run, "s", "execute", "owner/notes", 77, 100, 4.0, "examples")
        await until(pilot, lambda: "execute 77 of 100" in screen_text(app))
        runs.finish_run(home.connection, run, "failed", "the engine died of SIGSEGV", 1)
        await until(pilot, lambda: "the engine died of SIGSEGV" in screen_text(app))

    with_app(home, story, (140, 30))


def test_cancel_leaves_a_command_for_the_engine_and_is_offered_for_running_runs_only(home: Home) -> None:
    run = home.running()
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert take_command(home.connection, run) == "", "the cursor is on the run that is done"
        await pilot.press("down", "c")
        await until(pilot, lambda: take_command(home.connection, run) == "cancel")

    with_app(home, story)


def test_deleting_asks_first_and_escape_leaves_the_run(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("delete")
        await until(pilot, lambda: f"Delete run {run}" in screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert read_run(home.connection, run)
        await pilot.press("delete")
        await until(pilot, lambda: f"Delete run {run}" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: not list_runs(home.connection))
        await until(pilot, lambda: "Press d to see it work" in screen_text(app))

    with_app(home, story)


def test_the_cursor_stays_on_its_run_when_others_come(home: Home) -> None:
    first = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        home.failed()
        await until(pilot, lambda: "✗ failed" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.run_id)
        assert app.run_id == first

    with_app(home, story)


def test_names_and_reasons_that_look_like_markup_or_escapes_are_shown_as_they_stand(home: Home) -> None:
    home.failed("[@click=app.quit]gone[/] \x1b[31mred\x1b[0m ‮txet [bold")

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return screen_text(app)

    shown = with_app(home, story, (140, 24))
    assert "[@click=app.quit]gone[/] [31mred[0m txet [bold" in shown
    assert "\x1b" not in shown and "\u202e" not in shown


def test_a_database_that_is_just_being_made_is_no_trouble(tmp_path: Path) -> None:
    class Fresh:
        locations = Locations(tmp_path / "fresh").ensure()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        path = Fresh.locations.database
        half = open_small_writer(path)
        half.execute("CREATE TABLE something (x)")
        await pilot.pause(0.6)
        await until(pilot, lambda: "Press d to see it work" in screen_text(app))
        half.close()
        connection = open_writer(path)
        create_run(connection, TASK, RunSettings())
        await until(pilot, lambda: "weather-notes" in screen_text(app))

    with_app(Fresh(), story)  # type: ignore[arg-type]


def test_a_damaged_database_is_told_with_its_cure(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        home.connection.execute("DROP TABLE progress")
        home.connection.execute("UPDATE runs SET state = 'running', owner_pid = ?, owner_started = ?", tuple(this_process_fields()))
        await until(pilot, lambda: "no such table" in screen_text(app) and "doctor" in screen_text(app))
        await pilot.press("escape")
        app._looked = 0.0
        app._look()
        await pilot.pause()
        assert not app.screen.query("#trouble"), "it is said once"

    with_app(home, story)


def this_process_fields() -> tuple[int, float]:
    me = this_process()
    return me.pid, me.started


def test_what_nobody_foresaw_goes_to_a_file_and_one_line_to_the_terminal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> DataTune:
        def broken() -> None:
            raise ZeroDivisionError("seven by none")

        app.call_later(broken)
        await until(pilot, lambda: not app.is_running or app._exit_renderables)
        return app

    with pytest.raises(ZeroDivisionError):
        with_app(home, story)
    told = (home.locations.logs / "last-error.txt").read_text(encoding="utf-8")
    assert "seven by none" in told and "Traceback" in told


def test_closing_says_which_runs_go_on(home: Home) -> None:
    home.finished()
    assert going_on(Reader(home.locations)) == []
    run = home.running()
    (line,) = going_on(Reader(home.locations))
    assert f"run {run} (weather-notes) goes on" in line
