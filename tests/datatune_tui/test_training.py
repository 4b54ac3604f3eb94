"""The panel of finetune: how far it is, the curve, and what came of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from datatune_tui.app import DataTune
from datatune_tui.widgets.loss_plot import LossPlot
from datatune_tui.widgets.rail import Rail
from engine.curve import curve_of, key_of, point_of
from engine.records import Base, Finetuned
from engine.store import items
from models.training import TrainingProgress
from tests.datatune_tui.stored import Home, screen_text, until, with_app

MADE = Finetuned(Base("tiny[b].gguf", "d"), "abc/adapter", 90, 10, 2, 12, 8, 0.7, 3.1, 0.9, "cpu", "nf4")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None]) -> str:
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.query(Rail))
    rail = app.screen.query_one(Rail)
    while rail.current != "finetune":
        await pilot.press("end" if rail.highlighted == 0 else "up")
    await until(pilot, lambda: "loss" in screen_text(app))
    return screen_text(app)


def test_what_came_of_a_training_is_told_with_its_curve(home: Home) -> None:
    home.training(home.finished(), 12, MADE)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        await until(pilot, lambda: "loss over steps" in screen_text(app))
        assert app.screen.query_one("#panel-finetune LossPlot", LossPlot).has_class("-shown")
        return screen_text(app)

    shown = " ".join(with_app(home, story, (140, 40)).split())
    for words in (
        "tiny[b].gguf trained",
        "90 examples, 12 steps, nf4 on the CPU",
        "3.100 before",
        "0.900 at step 8",
        "2 examples were too long",
    ):
        assert words in shown


def test_a_training_that_goes_on_says_how_fast_it_is(home: Home) -> None:
    home.training(home.running(), 6, None)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        return await opened(app, pilot)

    shown = with_app(home, story, (140, 40))
    assert "at step 6, epoch 0.60; 900 tokens/s, 2.0 GB of memory" in " ".join(shown.split())
    assert "c stops the training" in shown


def test_a_run_without_a_training_shows_no_such_stage(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query(Rail))
        return screen_text(app)

    assert "finetune" not in with_app(home, story)


def test_a_long_curve_is_thinned_and_keeps_its_last_point_and_every_measurement(home: Home) -> None:
    run = home.new_run()
    home.step(run, "finetune", None)
    points = [point_of(TrainingProgress(number, 1000, 0.0, 1.0 / number)) for number in range(1, 1001)]
    points += [point_of(TrainingProgress(number, 1000, 0.0, 1.0, validation_loss=0.5)) for number in (500, 1000)]
    units = [items.Item(name, seq, "accepted", "", msgspec.json.encode(one).decode()) for one in points for seq, name in [key_of(one)]]
    assert len({unit.key for unit in units}) == len({unit.seq for unit in units}) == 1002
    items.store_items(home.connection, f"{run} finetune", units)
    drawn = curve_of(home.connection, f"{run} finetune", at_most=100)
    assert [one.step for one in drawn if one.validation_loss is not None] == [500, 1000]
    losses = [one.step for one in drawn if one.loss is not None]
    assert 100 <= len(losses) <= 102 and losses == sorted(losses) and losses[-1] == 1000
