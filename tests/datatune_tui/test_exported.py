"""The panel of export: the folder as it is now, file by file, and what to do where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from datatune_tui.app import DataTune
from datatune_tui.panels.exported import size_words
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.rail import Rail
from engine.store import events
from tests.datatune_tui.experiments import exported_run
from tests.datatune_tui.stored import Home, screen_text, until, with_app

MODEL = "model/tuned-[b]Q8_0.gguf"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None]) -> KeyedTable:
    await pilot.press("enter")
    rail = (await until(pilot, lambda: app.screen.query(Rail))).first()
    await until(pilot, lambda: rail.current)
    await pilot.press("end")
    await until(pilot, lambda: rail.current == "export")
    return app.screen.query_one("#panel-export KeyedTable", KeyedTable)


def test_every_file_is_listed_with_its_size_and_what_it_is(home: Home) -> None:
    exported_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        table = await opened(app, pilot)
        await until(pilot, lambda: table.keys_shown)
        assert table.keys_shown == ("README.md", "examples.jsonl", "manifest.json", "chat/train.jsonl", "model/README.md", MODEL)
        return screen_text(app)

    shown = with_app(home, story, (140, 40))
    for words in (
        "6 files, 2.5 MB; 8 examples to train on, 1 for validation",
        "left out: model/tuned-F16.gguf: no room on the disk",
        "base and adapter merged, Q8_0",
        "[i]rain[/i]",
        "card of the model",
        "every example with its source",
        "chat messages, train",
        "x writes it anew",
    ):
        assert words in shown


def test_a_second_export_is_the_one_that_is_shown(home: Home, tmp_path: Path) -> None:
    run = exported_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await until(pilot, lambda: len(table.keys_shown) == 6)
        other = tmp_path / "other"
        other.mkdir()
        (other / "examples.jsonl").write_text("")
        events.add_event(home.connection, run, "exported", f"0 examples in {other}", stage="export", folder=str(other))
        await until(pilot, lambda: table.keys_shown == ("examples.jsonl",))

    with_app(home, story, (140, 40))


def test_a_folder_that_is_gone_is_said_to_be(home: Home, tmp_path: Path) -> None:
    events.add_event(home.connection, home.finished(), "exported", "9 examples", stage="export", folder=str(tmp_path / "gone"))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await until(pilot, lambda: "The folder is not there any more; x writes it again." in screen_text(app))
        assert not table.display

    with_app(home, story, (140, 40))


def test_nothing_was_exported_yet_says_what_to_do(home: Home) -> None:
    home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await until(pilot, lambda: "Nothing was exported yet. The run does it at its end." in screen_text(app))
        assert not table.display

    with_app(home, story, (140, 40))


def test_the_list_is_saved_like_any_table(home: Home) -> None:
    exported_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await until(pilot, lambda: table.keys_shown)
        table.focus()
        await pilot.press("Y")
        await until(pilot, lambda: "examples.jsonl\t2.5 MB\tevery example with its source" in app.clipboard)

    with_app(home, story, (140, 40))


def test_sizes_are_told_in_the_unit_that_fits() -> None:
    assert [size_words(size) for size in (0, 999, 1000, 2_500_000, 3_000_000_000)] == ["0 B", "999 B", "1.0 kB", "2.5 MB", "3.0 GB"]
