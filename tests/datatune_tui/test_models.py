"""Models: what is found here, what is broken, and what the commands say of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from datatune_tui.app import DataTune
from datatune_tui.widgets.keyed_table import KeyedTable
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.models.gguf_file import gguf


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("DATATUNE_HOME", str(home.locations.home))
    return home


async def opened(app: DataTune, pilot: Pilot[None]) -> KeyedTable:
    await pilot.press("6")
    await until(pilot, lambda: app.screen.query("#models") and app.screen.query_one(KeyedTable).row_count)
    return app.screen.query_one(KeyedTable)


def test_weights_are_listed_with_what_they_need_and_broken_files_with_what_is_wrong(home: Home) -> None:
    (home.locations.weights / "tiny.gguf").write_bytes(gguf())
    (home.locations.weights / "broken.gguf").write_bytes(b"not a model")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        models = await opened(app, pilot)
        shown = screen_text(app)
        assert "unusable" in shown and "Tiny [31m model" in shown and "\x1b" not in shown
        while not models.current.endswith("tiny.gguf"):
            await pilot.press("down")
        await until(pilot, lambda: "2 layers, a chat template" in screen_text(app) and "are free" in screen_text(app))
        await pilot.press("v")
        await until(pilot, lambda: "sha256: " in screen_text(app))

    with_app(home, story, (130, 30))


def test_a_file_is_added_by_its_path_and_one_that_is_none_is_refused_with_the_reason(home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf())
    (tmp_path / "none.gguf").write_bytes(b"x")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        models = await opened(app, pilot)
        await pilot.press("a")
        await until(pilot, lambda: app.screen.query("#line-text"))
        app.screen.query_one("#line-text", TextArea).text = str(tmp_path / "mine.gguf")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(key.endswith("mine.gguf") for key in models.keys_shown))
        await pilot.press("a")
        await until(pilot, lambda: app.screen.query("#line-text"))
        app.screen.query_one("#line-text", TextArea).text = str(tmp_path / "none.gguf")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen.query("#trouble") and "magic bytes" in screen_text(app))

    with_app(home, story, (130, 30))
