"""Run: every stage's panel, what a change would make stale, and what is said where there is nothing."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from datatune_tui.app import DataTune
from datatune_tui.panels.panel import Panel
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.long_list import LongList
from datatune_tui.widgets.rail import Rail
from engine.store import runs, steps
from engine.store.lease import this_process
from engine.store.runs import RunSettings, read_run
from tests.datatune_tui.stored import TASK, Home, screen_text, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(pilot: Pilot[None], app: DataTune, stage: str) -> str:
    """The screen with a stage of the first run chosen."""
    if app.current_mode != "run":
        await pilot.press("enter")
    rail = await until(pilot, lambda: app.screen.query(Rail))
    await until(pilot, lambda: rail.first().current)
    while not rail.first().current.startswith(stage):
        await pilot.press("up" if stage == "expand" else "down")
        if rail.first().highlighted == 0 and stage != "expand":
            continue
    await pilot.pause()
    return screen_text(app)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("expand", ["Your words", "one of three words", "We ate ice cream"]),
        ("retrieve", ["71 cards were searched", "owner/notes", "0.812", "matches: weather, note"]),
        ("rerank", ["3 votes, 2 of 2 controls found", "owner/other"]),
        ("schema", ["config default, splits train", "kind holds the labels", "irrelevant"]),
        ("plan", ["verified", "agrees with 41 of 60", "runner-up", 'do = "map"']),
        ("execute", ["9 examples of 12 units: 2 rejected, 1 failed", "too short"]),
        ("mix", ["9 examples of 9: 8 to train on, 1 for validation", "No example holds one of the test's 40 items", "OFFERED"]),
        ("export", ["9 examples in /tmp/notes"]),
    ],
)
def test_each_stage_shows_what_it_made(home: Home, stage: str, says: list[str]) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(pilot, app, stage)

    shown = with_app(home, story, (120, 50))
    for text in says:
        assert text in shown


def test_enter_on_a_reason_of_the_mix_shows_the_examples_it_left_out(home: Home) -> None:
    run = home.finished()
    home.mix(run, 9, {2: ("leaked", "holds all of item 4 of the test"), 5: ("rejected", ""), 6: ("rejected", "")})

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        shown = await opened(pilot, app, "mix")
        assert "6 examples of 9" in shown and "2  rejected in review" in shown and "1  in the test or the examples given" in shown
        app.screen.query_one("#panel-mix #reasons", KeyedTable).focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "data" and "1 of 9 units" in screen_text(app))
        return screen_text(app)

    shown = with_app(home, story, (140, 40))
    assert "holds all of item 4 of the test" in shown and "(2)" in shown and "(5)" not in shown


def test_a_stage_the_run_has_not_reached_says_so(home: Home) -> None:
    home.failed("no data set serves this task")

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(pilot, app, "plan")

    assert "The run did not come so far." in with_app(home, story)


def test_a_broken_plan_is_refused_beside_the_text_and_a_good_one_asks_what_it_costs(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "plan")
        area = app.screen.query_one(TextArea)
        good = area.text
        area.focus()
        area.text = good.replace('do = "map"', 'do = "mop"')
        await until(pilot, lambda: "there is no step `mop`; did you mean `map`?" in screen_text(app))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert read_run(home.connection, run).settings == RunSettings()  # type: ignore[union-attr]
        area.text = good.replace("rain", "snow")
        await pilot.pause()
        await pilot.press("ctrl+s")
        shown = await until(pilot, lambda: "are done anew" in screen_text(app) and screen_text(app))
        assert "schema, plan, execute, mix, export are done anew" in shown
        assert "12 rows were executed; they run again with the new plan" in " ".join(shown.replace("│", " ").split())
        await pilot.press("n")
        await pilot.pause()
        assert read_run(home.connection, run).settings == RunSettings()  # type: ignore[union-attr]

    with_app(home, story, (120, 50))


def test_an_edited_plan_is_for_its_data_set_and_leaves_the_others_in_the_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = home.finished()
    resumed: list[object] = []

    async def asked(place: Place, command: Coroutine[object, object, object]) -> None:
        resumed.append(command)
        command.close()

    monkeypatch.setattr(Place, "asked", asked)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "plan")
        area = app.screen.query_one(TextArea)
        await until(pilot, lambda: '"kinds"' in area.text)
        area.text = area.text.replace('"kinds"', '"mine"')
        area.focus()
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "are done anew" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: bool(read_run(home.connection, run).settings.plans))  # type: ignore[union-attr]
        settings = read_run(home.connection, run).settings  # type: ignore[union-attr]
        ((dataset, plan),) = settings.plans.items()
        assert dataset == "owner/notes" and '"mine"' in plan and settings.dataset == "" == settings.plan
        await until(pilot, lambda: bool(resumed))

    with_app(home, story, (120, 50))


def test_a_runner_up_is_shown_when_the_cursor_is_on_it_unless_the_text_was_edited(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "plan")
        await pilot.press("tab", "down")
        await until(pilot, lambda: "kinds-turned" in app.screen.query_one(TextArea).text)
        await until(pilot, lambda: "beaten" in screen_text(app) and "the model agrees less" in screen_text(app))
        app.screen.query_one(TextArea).text = 'name = "mine"'
        await pilot.press("up")
        await pilot.pause()
        assert app.screen.query_one(TextArea).text == 'name = "mine"'
        await pilot.press("ctrl+r")
        await until(pilot, lambda: '"kinds"' in app.screen.query_one(TextArea).text)

    with_app(home, story, (120, 50))


def test_nothing_is_changed_while_the_run_is_at_work(home: Home) -> None:
    home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "execute")
        app.screen.post_message(Panel.Changed("plan", RunSettings(dataset="owner/notes", plan="x")))
        await until(pilot, lambda: "cancel it first" in screen_text(app))

    with_app(home, story)


def test_the_story_holds_everything_that_happened(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "export")
        await pilot.press("f")
        await until(pilot, lambda: app.screen.query("#story"))
        assert "9 examples in /tmp/notes" in app.screen.query_one("#story", TextArea).text
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query(Rail))

    with_app(home, story)


def test_enter_on_a_reason_shows_its_units_alone(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "execute")
        await pilot.press("tab", "enter")
        units = await until(pilot, lambda: app.screen.query(LongList))
        await until(pilot, lambda: units.first().count == 2)
        await until(pilot, lambda: "rejected: too short" in screen_text(app))

    with_app(home, story, (120, 40))


def test_without_an_open_run_the_place_says_where_to_go(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await pilot.press("2")
        await pilot.pause()
        return screen_text(app)

    assert "No run is open" in with_app(home, story, (80, 24))


def test_a_step_that_runs_is_where_one_looks_first(home: Home) -> None:
    home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        rail = await until(pilot, lambda: app.screen.query(Rail))
        await until(pilot, lambda: rail.first().current == "execute owner/notes")
        await until(pilot, lambda: "40 examples so far" in screen_text(app))
        await until(pilot, lambda: "40 of 100 examples" in screen_text(app).splitlines()[-2])

    with_app(home, story)


def test_the_choice_goes_with_the_work_until_somebody_chooses(home: Home) -> None:
    run = home.new_run()
    runs.claim_run(home.connection, run, this_process())
    home.step(run, "expand", None, state="running")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        rail = (await until(pilot, lambda: app.screen.query(Rail))).first()
        await until(pilot, lambda: rail.current == "expand")
        steps.finish_step(home.connection, f"{run} expand", "done", "", "", 1.0)
        home.step(run, "retrieve", None, state="running")
        await until(pilot, lambda: rail.current == "retrieve")
        await pilot.press("up")
        steps.finish_step(home.connection, f"{run} retrieve", "done", "", "", 1.0)
        home.step(run, "rerank", None, state="running")
        await until(pilot, lambda: "▶ rerank" in screen_text(app))
        assert rail.current == "expand"

    with_app(home, story)


def test_a_task_in_another_script_and_a_megabyte_of_text_do_not_break_the_screen(home: Home) -> None:
    import msgspec

    home.finished(task=msgspec.structs.replace(TASK, name="날씨-메모", description="天気を一語で言う。" * 60_000))

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(pilot, app, "expand")

    shown = with_app(home, story, (80, 24))
    assert "날씨-메모" in shown and shown.count("\n") == 23


def test_synthetic_examples_have_a_panel_and_a_place_in_the_rail_where_they_were_asked_for(home: Home) -> None:
    home.synthetic()

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(pilot, app, "generate")

    shown = with_app(home, story, (120, 50))
    for text in ("6 synthetic examples of 8 asked for: 2 rejected", "written by tiny.gguf", "topics: fog; ice", "a placeholder stands for"):
        assert text in shown, shown
    assert "execute" not in shown and "retrieve" not in shown, "a run without a data set has no such stages"


def test_a_run_that_asks_for_no_synthetic_examples_has_no_such_stage(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(pilot, app, "execute")

    assert "generate" not in with_app(home, story, (120, 50))
