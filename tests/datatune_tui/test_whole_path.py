"""From a finished run over its plan, changed, to the examples made anew, reviewed and exported; with real engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Select, TextArea

from datatune_tui.app import DataTune
from datatune_tui.widgets.long_list import LongList
from datatune_tui.widgets.rail import Rail
from engine.locations import Locations
from engine.store.database import open_reader
from engine.store.runs import list_runs, read_run
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.end_to_end.workbench import Workbench


def test_from_the_first_start_over_the_demo_and_a_changed_plan_to_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DATATUNE_HOME", str(home))

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await until(pilot, lambda: "Press d to see it work" in " ".join(screen_text(app).split()))
        await pilot.press("d")
        rail = await until(pilot, lambda: app.current_mode == "run" and app.screen.query(Rail) and app.screen.query_one(Rail), 120)
        run = app.run_id
        connection = open_reader(home / "datatune.db")
        await until(pilot, lambda: read_run(connection, run).state == "done", 200)  # type: ignore[union-attr]
        assert read_run(connection, run).examples == 100  # type: ignore[union-attr]
        while not rail.current.startswith("plan"):
            await pilot.press("up")
        area = await until(pilot, lambda: "{{ premise }}" in app.screen.query_one(TextArea).text and app.screen.query_one(TextArea))
        area.text = area.text.replace("Premise:", "What happened:")
        area.focus()
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "first 40 units: 40 accepted" in str(app.screen.query_one("#preview-told").render()), 60)
        assert "What happened:" in str(app.screen.query_one("#preview-steps").render())
        await pilot.press("ctrl+s")
        told = await until(pilot, lambda: "are done anew" in screen_text(app) and " ".join(screen_text(app).replace("│", " ").split()))
        assert "schema, plan, execute, mix, export are done anew" in told and "rows were executed; they run again with the new plan" in told
        before = read_run(connection, run).finished  # type: ignore[union-attr]
        await pilot.press("y")
        again = lambda: (found := read_run(connection, run)) and found.state == "done" and found.finished != before  # noqa: E731
        await until(pilot, again, 60)
        await pilot.press("3")
        await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList).count)
        app.screen.query_one("#state", Select).value = "accepted"
        await until(pilot, lambda: app.screen.query_one(LongList).count == 100)
        app.screen.query_one(LongList).focus()
        await pilot.press("r", "r", "r")
        await until(pilot, lambda: "3 rejected" in screen_text(app))
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query(Rail))
        await pilot.press("x")
        await until(pilot, lambda: "97 examples in" in screen_text(app), 60)
        return run

    run = with_app_over(home, story)
    exported = home / "exports" / f"cause-effect-{run}" / "examples.jsonl"
    inputs = [json.loads(line)["input"] for line in exported.read_text(encoding="utf-8").splitlines()]
    assert len(inputs) == 97 and all(text.startswith("What happened: ") for text in inputs)


def test_a_plan_is_changed_its_rows_run_again_three_are_rejected_and_the_rest_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench(tmp_path)
    made = bench.run(bench.task, bench.mapping_plan)
    assert made.code == 0, made.err
    run = made.last["run"]
    monkeypatch.setenv("DATATUNE_HOME", str(bench.home))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(Rail))
        rail = app.screen.query_one(Rail)
        await until(pilot, lambda: rail.current.startswith("execute"))
        await pilot.press("up")
        await until(pilot, lambda: rail.current.startswith("plan") and 'W = "snow"' in app.screen.query_one(TextArea).text)
        area = app.screen.query_one(TextArea)
        area.text = area.text.replace('W = "snow"', 'W = "rain"')
        area.focus()
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "60 rows were executed" in " ".join(screen_text(app).replace("│", " ").split()))
        connection = open_reader(bench.home / "datatune.db")
        before = read_run(connection, run).finished  # type: ignore[union-attr]
        await pilot.press("y")

        def applied() -> str:
            settings = read_run(connection, run).settings  # type: ignore[union-attr]
            return settings.plan_of(settings.dataset)

        await until(pilot, lambda: "rain" in applied().partition("W =")[2][:9])
        # Until its engine begins anew the run is still done as before.
        await until(pilot, lambda: (found := read_run(connection, run)) and found.state == "done" and found.finished != before, 60)
        await pilot.press("3")
        await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList).count == 60)
        await pilot.press("r", "r", "r")
        await until(pilot, lambda: "3 rejected" in screen_text(app))
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query(Rail))
        await pilot.press("x")
        await until(
            pilot,
            lambda: (bench.home / "exports" / f"weather-notes-{run}" / "manifest.json").exists() and "57 examples" in screen_text(app),
        )

    with_app_over(bench.home, story)
    exported = bench.home / "exports" / f"weather-notes-{run}" / "examples.jsonl"
    outputs = [json.loads(line)["output"] for line in exported.read_text(encoding="utf-8").splitlines()]
    assert len(outputs) == 57 and set(outputs) == {"sun", "rain"}


def test_again_makes_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path)
    made = bench.run(bench.task, bench.mapping_plan)
    assert made.code == 0, made.err
    monkeypatch.setenv("DATATUNE_HOME", str(bench.home))
    connection = open_reader(bench.home / "datatune.db")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("u")
        await until(pilot, lambda: [run.state for run in list_runs(connection)] == ["done", "done"])
        await until(pilot, lambda: app.run_id and app.run_id != made.last["run"])

    with_app_over(bench.home, story)


def test_what_a_command_refuses_is_shown_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.failed()
    monkeypatch.setenv("DATATUNE_HOME", str(home.locations.home))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(Rail))
        await pilot.press("x")
        await until(pilot, lambda: "has no examples" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query(Rail))

    with_app(home, story)


def with_app_over(home: Path, story: Any) -> Any:
    class Over:
        locations = Locations(home)

    return with_app(Over(), story, (120, 40))  # type: ignore[arg-type]
