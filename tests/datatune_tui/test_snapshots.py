"""What every place looks like at 80 by 24 and at 160 by 50, as text. DATATUNE_SNAPSHOTS=write writes them anew: look at each one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from textual.pilot import Pilot

from datatune_tui.app import DataTune
from datatune_tui.screens.place import Place
from engine.settings import change_settings
from tests.datatune_tui.stored import Home, screen_text, until, with_app

FOLDER = Path(__file__).parents[1] / "snapshots"
SIZES = ((80, 24), (160, 50))
STORIES: dict[str, Sequence[str]] = {
    "home": (),
    "home-question": ("delete",),
    "run-expand": ("enter", "home"),
    "run-retrieve": ("enter", "home", "down"),
    "run-schema": ("enter", "home", "down", "down", "down"),
    "run-plan": ("enter", "home", "down", "down", "down", "down"),
    "run-execute": ("enter",),
    "run-export": ("enter", "end"),
    "run-story": ("enter", "f"),
    "data": ("enter", "3"),
    "data-rejected": ("enter", "3", "end", "up", "up"),
    "run-none": ("2",),
    "data-none": ("3",),
    "catalog": ("4",),
    "task": ("5",),
    "settings": ("7",),
    "settings-execute": ("7", *["down"] * 6, "tab", "0"),
    "settings-theme": ("7", "end", "up", "up", "tab"),
    "settings-keys": ("7", "end", "up", "tab", *["down"] * 17, "enter", "x"),
}
"""Keys from the start, by name."""
MODES = {"enter": "run", "2": "run", "3": "data", "4": "catalog", "5": "task", "7": "settings"}
"""Where a key leads."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", [*STORIES, "first-start"])
def test_it_looks_as_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]) -> None:
    numbers = count(0xABC000)
    monkeypatch.setattr("engine.store.runs.secrets.token_hex", lambda length: f"{next(numbers):x}")
    home = Home(tmp_path)
    if name != "first-start":
        home.failed("no data set serves this task: nothing is near")
        home.running()
        home.finished()
    if name.startswith("settings"):
        change_settings(home.locations.settings, {"execute.examples": 500, "execute.max_tokens": 64, "keys.run.resume": "f5"})

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        for key in STORIES.get(name, ()):
            await pilot.press(key)
            if mode := MODES.get(key):
                await until(pilot, partial(_arrived, app, mode))
            await pilot.pause()
        seen = ""
        while seen != (shown := _steady(screen_text(app))):
            seen = shown
            await pilot.pause(0.05)
        return shown

    shown = with_app(home, story, size)
    file = FOLDER / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("DATATUNE_SNAPSHOTS") == "write":
        file.write_text(shown + "\n", encoding="utf-8")
    assert shown + "\n" == file.read_text(encoding="utf-8")


def _arrived(app: DataTune, mode: str) -> bool:
    return app.current_mode == mode and isinstance(app.screen, Place) and app.screen.ready


def _steady(text: str) -> str:
    """Without times of day."""
    return re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d", lambda found: re.sub(r"\d", "0", found[0]), text)
