"""What every place looks like at 80 by 24 and at 160 by 50, as text. DATATUNE_SNAPSHOTS=write writes them anew: look at each one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from datatune_tui.answering_process import AnsweringProcess
from datatune_tui.app import DataTune
from datatune_tui.screens.place import Place
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.long_list import LongList
from engine.mix.offered import Reason
from engine.settings import change_settings
from tests.datatune_tui.answers import HITS, MODELS, SHOWN, TASK_FILE
from tests.datatune_tui.compared import measured, run_of_both
from tests.datatune_tui.experiments import evaluated_run, evaluating_run, experiment_run, exported_run
from tests.datatune_tui.stored import PREVIEW, Home, question, screen_text, until, with_app

FOLDER = Path(__file__).parents[1] / "snapshots"
SIZES = ((80, 24), (160, 50))
STORIES: dict[str, Sequence[str]] = {
    "home": (),
    "home-question": ("delete",),
    "run-expand": ("enter", "home"),
    "run-retrieve": ("enter", "home", "down"),
    "run-schema": ("enter", "home", "down", "down", "down"),
    "run-plan": ("enter", "home", "down", "down", "down", "down"),
    "run-preview": ("enter", "up", "tab", "ctrl+g"),
    "run-execute": ("enter",),
    "run-plots": ("down", "enter"),
    "run-mix": ("enter", "end", "up"),
    "run-export": ("enter", "end"),
    "run-export-files": ("enter", "end", "tab"),
    "run-finetune": ("enter", "end", "up", "up"),
    "run-evaluate": ("enter", "end", "up"),
    "run-evaluate-wrong": ("enter", "end", "up", "tab", "tab", "tab", "down"),
    "run-evaluating": ("enter",),
    "run-compare": ("enter",),
    "run-compare-tables": ("enter", "tab", "tab", "tab"),
    "run-arms": ("enter",),
    "run-arms-so-far": ("enter", "end"),
    "run-story": ("enter", "f"),
    "run-quality": ("enter", "u"),
    "run-quality-map": ("enter", "u", "tab"),
    "run-quality-lengths": ("enter", "u", "tab", "tab", "tab"),
    "data": ("enter", "3"),
    "data-rejected": ("enter", "3", "end", "up", "up"),
    "data-left-out": ("enter", "end", "up", "tab", "tab", "enter"),
    "run-none": ("2",),
    "data-none": ("3",),
    "catalog": ("4",),
    "catalog-found": ("4", *"mails", "enter", "p", "down", "e"),
    "catalog-narrowed": ("4", *"mails", "enter", "n", *"en", "tab", "tab", *"5x"),
    "task": ("5",),
    "task-wrong": ("5", *"mails", "ctrl+s"),
    "task-opened": ("5",),
    "task-example": ("5", "ctrl+n"),
    "task-pasted": ("5", "ctrl+t", *"a => b"),
    "task-run": ("5", "ctrl+r"),
    "models": ("6",),
    "models-broken": ("6", "down"),
    "models-role": ("6", "m"),
    "settings": ("7",),
    "settings-execute": ("7", *["down"] * 6, "tab", "0"),
    "settings-theme": ("7", "end", "up", "up", "tab"),
    "settings-keys": ("7", "end", "up", "tab", *["down"] * 19, "enter", "x"),
}
"""Keys from the start, by name."""
LEFT_OUT: dict[int, tuple[Reason, str]] = {
    2: ("leaked", "holds all of item 4 of the test"),
    5: ("leaked", "holds 84% of item 17 of the test's words, at least 75%"),
    7: ("near_duplicates", "nearly the same as row 1 of owner/notes, train: ROUGE-L 0.91"),
}
"""What a mix leaves out, by number of the example."""
MADE: dict[str, Callable[[Home], str]] = {
    "run-export-files": exported_run,
    "run-finetune": evaluated_run,
    "run-evaluate": evaluated_run,
    "run-evaluate-wrong": evaluated_run,
    "run-evaluating": evaluating_run,
    "run-compare": experiment_run,
    "run-compare-tables": experiment_run,
    "run-arms": partial(experiment_run, seeds=2, stop_at="transformed, seed 0"),
    "run-arms-so-far": partial(experiment_run, seeds=2, stop_at="transformed, seed 0"),
}
"""The run that is opened, where it is another than usual."""
READ: dict[tuple[str, str], Callable[[DataTune], Any]] = {
    ("run-evaluate", "up"): lambda app: app.screen.query_one("#panel-evaluate #wrong", LongList).count,
    ("run-evaluate-wrong", "up"): lambda app: app.screen.query_one("#panel-evaluate #wrong", LongList).count,
    ("run-export-files", "end"): lambda app: app.screen.query_one("#panel-export #files", KeyedTable).keys_shown,
}
"""What is read beside the screen, and there before the next key, by name and key."""
MODES = {"enter": "run", "2": "run", "3": "data", "4": "catalog", "5": "task", "6": "models", "7": "settings"}
"""Where a key leads."""
WAITED = {("models", "6"): "smollm2.gguf", ("catalog", "enter"): "config default", ("run", "u"): "near-duplicates"}
"""What is on the screen before the next key, by place and key."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", [*STORIES, "first-start"])
def test_it_looks_as_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]) -> None:
    home = Home(tmp_path)
    numbers = count(0xABC003)
    monkeypatch.setattr("engine.store.runs.secrets.token_hex", lambda length: f"{next(numbers):x}")
    if name != "first-start":
        home.failed("no data set serves this task: nothing is near")
        home.running()
        finished = MADE[name](home) if name in MADE else run_of_both(home) if name.startswith("run-quality") else home.finished()
        if name in ("run-mix", "data-left-out"):
            home.mix(finished, 9, LEFT_OUT)
    _answered(monkeypatch)
    if name.startswith("settings"):
        change_settings(home.locations.settings, {"execute.examples": 500, "execute.max_tokens": 64, "keys.run.resume": "f5"})

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        if name.startswith("run-quality"):
            app.measured[finished] = measured(finished, time.time())
        typing = False
        for place, key in enumerate(STORIES.get(name, ())):
            await pilot.press(key)
            if (mode := MODES.get(key)) and not typing and (place == 0 or key != "enter"):
                await until(pilot, partial(_arrived, app, mode))
            elif key == "enter" and name.startswith("settings"):
                await until(pilot, lambda: app.screen.is_modal and app.screen.query("Label"))
            await pilot.pause()
            if read := READ.get((name, key)):
                await until(pilot, partial(read, app))
            # Keys go on to where they lead: into a field, or through a list that answers must have filled.
            typing = isinstance(app.focused, Input | TextArea)
            if waited := WAITED.get((name.split("-")[0], key)):
                await until(pilot, lambda: waited in screen_text(app))
            if key == "5" and name in ("task-opened", "task-run"):
                file = home.locations.home / "tasks" / "mails.toml"
                file.parent.mkdir()
                file.write_text(TASK_FILE)
                (file.parent / "test.csv").write_text("input,output\nx,refund\ny,odd\n")
                app.screen.show_file(file)  # type: ignore[attr-defined]
                told = app.screen.query_one("#test-told", Static)
                await until(pilot, lambda: "2 items" in str(told.content))  # noqa: B023
            if key == "ctrl+r" and name == "task-run":
                await until(pilot, lambda: question(app))
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


def _answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of the processes that screens ask, the same on every machine."""

    async def ask(self: AnsweringProcess, kind: str, **asked: Any) -> dict[str, Any]:
        if kind == "preview":
            return {"preview": PREVIEW}
        return {"shown": SHOWN | {"dataset": asked["show"]}} if kind == "show" else {"hits": HITS, "cards": 15, "reading": False}

    async def command(*words: str) -> Any:
        return MODELS

    monkeypatch.setattr(AnsweringProcess, "ask", ask)
    for place in ("models", "task"):
        monkeypatch.setattr(f"datatune_tui.screens.{place}.command", command)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8_000_000_000))


def _arrived(app: DataTune, mode: str) -> bool:
    return app.current_mode == mode and isinstance(app.screen, Place) and app.screen.ready


def _steady(text: str) -> str:
    """Without times of day."""
    return re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d", lambda found: re.sub(r"\d", "0", found[0]), text)
