"""Two of the apps over one home: both follow the same run, and what one does the other shows."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from textual.widgets import Static

from datatune_tui.app import DataTune
from datatune_tui.screens.place import Place
from datatune_tui.widgets.long_list import LongList
from engine.store import runs
from engine.store.reviews import reviews_of
from tests.datatune_tui.stored import Home, screen_text, until


def test_both_follow_a_run_and_see_what_the_other_did(tmp_path: Path) -> None:
    home = Home(tmp_path)
    run = home.running()
    step = f"{run} execute owner/notes"

    async def both() -> None:
        one, other = DataTune(home.locations), DataTune(home.locations)
        async with one.run_test(size=(100, 30)) as first, other.run_test(size=(100, 30)) as second:
            for app, pilot in ((one, first), (other, second)):
                await until(pilot, partial(ready, app))
                # Keys are handled in the app's own context; what a test calls here would be in that of the app opened last.
                await pilot.press("enter")
                await until(pilot, lambda app=app: app.current_mode == "run" and ready(app))  # type: ignore[misc]
                await pilot.press("3")
                await until(pilot, partial(tells, app, "40 of 40 units"))
            home.units(step, 5, start=40)
            await until(first, partial(tells, one, "45 of 45 units"))
            await until(second, partial(tells, other, "45 of 45 units"))
            assert one.screen.query_one(LongList).count == other.screen.query_one(LongList).count == 45
            await first.press("r")
            await until(first, lambda: reviews_of(home.connection, step))
            assert reviews_of(home.connection, step)["train:0"].verdict == "rejected"
            await until(second, partial(tells, other, "1 reviewed, 1 rejected"))
            runs.finish_run(home.connection, run, "done", "45 examples", 0, 45)
            for app, pilot in ((one, first), (other, second)):
                await pilot.press("1")
                await until(pilot, lambda app=app: "✓ done" in screen_text(app))  # type: ignore[misc]

    asyncio.run(both())


def ready(app: DataTune) -> bool:
    return isinstance(app.screen, Place) and app.screen.ready


def tells(app: DataTune, text: str) -> bool:
    return any(text in str(one.render()) for one in app.screen.query("#told").results(Static))
