"""Copying and saving from tables, lists, panels and questions; the same keys everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from datatune_tui.app import DataTune
from datatune_tui.modals.trouble import Trouble
from datatune_tui.sheet import SheetFile
from datatune_tui.widgets import copying
from datatune_tui.widgets.long_list import LongList
from datatune_tui.widgets.rail import Rail
from tests.datatune_tui.stored import TASK, Home, question, screen_text, told, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def saved_as(app: DataTune, pilot: Pilot[None], path: Path | None) -> Path:
    """Press w and write to a path, or to the one that is offered."""
    await pilot.press("w")
    await until(pilot, lambda: app.screen.query("#path"))
    field = app.screen.query_one("#path", Input)
    if path:
        field.value = str(path)
    target = Path(field.value)
    await pilot.press("enter")
    return target


def test_a_row_is_copied_as_text_and_a_table_for_a_spreadsheet_with_cells_uncut(home: Home) -> None:
    import msgspec

    long = "why " * 200 + "end"
    home.failed(long)
    home.finished(task=msgspec.structs.replace(TASK, name="=cmd()"))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("y")
        await until(pilot, lambda: "state: ✓ done" in app.clipboard)
        assert "task: =cmd()" in app.clipboard and "if your terminal does not take it" in told(app)
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard.startswith("RUN\tSTATE\tTASK"))
        assert "'=cmd()" in app.clipboard and long in app.clipboard

    with_app(home, story)


def test_a_table_is_saved_where_it_is_offered_and_never_over_another_file_unasked(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        path = await saved_as(app, pilot, None)
        assert path == home.locations.exports / "saved" / "home-runs.csv"
        await until(pilot, path.exists)
        assert list(csv.reader(path.open(encoding="utf-8")))[1][2] == "weather-notes"
        path.write_text("mine")
        await saved_as(app, pilot, path)
        await until(pilot, lambda: "is there already" in question(app))
        await pilot.press("n")
        await pilot.pause()
        assert path.read_text() == "mine"
        again = await saved_as(app, pilot, path)
        await until(pilot, lambda: "is there already" in question(app))
        await pilot.press("y")
        await until(pilot, lambda: again.read_text() != "mine")
        await pilot.press("w")
        await until(pilot, lambda: app.screen.query("#path"))
        assert app.screen.query_one("#path", Input).value.endswith("home-runs-2.csv")

    with_app(home, story)


def test_what_is_wrong_with_the_name_is_said_while_it_is_typed_and_what_fails_in_one_line(home: Home, tmp_path: Path) -> None:
    home.finished()
    (tmp_path / "file").write_text("x")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await saved_as(app, pilot, tmp_path / "runs.xls")
        await until(pilot, lambda: "end the name in .csv, .tsv, .jsonl or .txt" in screen_text(app))
        app.screen.query_one("#path", Input).value = str(tmp_path / "file" / "runs.csv")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be written" in told(app))

    with_app(home, story)


def test_units_are_saved_whole_while_keys_are_heard(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.finished(examples=2_000)
    pieces = 0
    put = SheetFile.put

    def counted(self: SheetFile, rows: object) -> None:
        nonlocal pieces
        pieces += 1
        put(self, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(SheetFile, "put", counted)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(Rail))
        await pilot.press("3")
        units = await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList))
        await until(pilot, lambda: units.count == 2_003)
        await pilot.press("end", "y")
        await until(pilot, lambda: "state: failed\nreason: no\nunit: odd 2" in app.clipboard)
        path = await saved_as(app, pilot, tmp_path / "units.jsonl")
        await pilot.press("1")  # saving goes on though the place is left
        await until(pilot, path.exists)
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == 2_003 and rows[1999]["input"].endswith("(1999)") and rows[0]["data set"] == "owner/notes"
        assert pieces == 21, "so that keys are looked at in between"

    with_app(home, story)


def test_a_list_too_long_for_a_clipboard_is_offered_as_a_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MOST_COPIED", 5_000)
    home.finished(examples=2_000)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(Rail))
        await pilot.press("3")
        await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList).count)
        await pilot.press("Y")
        await until(pilot, lambda: "2,003 rows are too much for a clipboard; w saves" in told(app))
        assert not app.clipboard

    with_app(home, story, (140, 30))


def test_the_panel_beside_the_rail_is_copied_with_its_plan_and_its_table(home: Home, tmp_path: Path) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        rail = (await until(pilot, lambda: app.screen.query(Rail))).first()
        await until(pilot, lambda: rail.current.startswith("execute"))
        await pilot.press("up", "y")
        await until(pilot, lambda: "agrees with 41 of 60" in app.clipboard)
        assert 'do = "map"' in app.clipboard and "runner-up 1" in app.clipboard and "→ sun" in app.clipboard
        await pilot.press("f")
        await until(pilot, lambda: app.screen.query("#story"))
        await pilot.press("y")
        await until(pilot, lambda: "9 examples in /tmp/notes" in app.clipboard)
        path = await saved_as(app, pilot, tmp_path / "story.txt")
        await until(pilot, lambda: path.exists() and "9 examples" in path.read_text(encoding="utf-8"))

    with_app(home, story, (120, 40))


def test_trouble_is_copied_with_its_cure_and_without_what_controls_a_terminal(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.push_screen(Trouble("It broke \x1b[2J here", "do this"))
        await until(pilot, lambda: app.screen.query("#trouble-title"))
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard == "It broke [2J here\n\ndo this")

    with_app(home, story)


def test_where_there_is_nothing_that_is_said(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await until(pilot, lambda: app.screen.query(LongList) and app.screen.ready)  # type: ignore[attr-defined]
        await pilot.press("y")
        await until(pilot, lambda: "nothing to copy" in told(app))
        await pilot.press("w")
        await until(pilot, lambda: "nothing to save" in told(app))

    with_app(home, story)
