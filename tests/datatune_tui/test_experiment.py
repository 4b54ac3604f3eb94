"""An experiment on the run screen: its many steps in the rail, its arms side by side, and what there is before all are done."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from datatune_tui.app import DataTune
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.loss_plot import LossPlot
from datatune_tui.widgets.rail import Rail
from engine.store import events, runs, steps
from engine.store.lease import this_process
from tests.datatune_tui.experiments import ARMS, TRAINED, experiment_run, training
from tests.datatune_tui.stored import Home, screen_text, until, with_app

LINES = (
    "expand",
    "plan owner/notes",
    "execute owner/notes",
    "execute owner/notes, existing",
    "generate",
    "mix",
    "finetune",
    "evaluate",
    "compare",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None]) -> Rail:
    """The rail of the first run."""
    await pilot.press("enter")
    rail: Rail = (await until(pilot, lambda: app.screen.query(Rail))).first()
    await until(pilot, lambda: rail.current)
    return rail


async def chosen(pilot: Pilot[None], rail: Rail, stage: str) -> None:
    """Go to a line of the rail."""
    await pilot.press("home")
    while rail.current.split(" ")[0] != stage:
        await pilot.press("down")


# ── the rail ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stage_is_one_line_however_many_arms_and_seeds_there_are(home: Home) -> None:
    run = experiment_run(home, seeds=3)
    assert len(steps.steps_of_run(home.connection, run)) == 5 + 12 + 12 + 13 + 1

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        rail = await opened(app, pilot)
        assert tuple(option.id for option in rail.options) == LINES
        assert rail.current == "compare", "what it came to is shown first"

    with_app(home, story, (80, 24))


def test_left_and_right_go_from_arm_to_arm_and_the_arm_stays_from_stage_to_stage(home: Home) -> None:
    experiment_run(home, seeds=2)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        rail = await opened(app, pilot)
        assert "Next arm" not in screen_text(app)
        await chosen(pilot, rail, "finetune")
        assert rail.current == "finetune mix, seed 1"
        await until(pilot, lambda: "Next arm" in screen_text(app))
        seen = []
        for _ in range(8):
            await pilot.press("right")
            seen.append(rail.current)
        assert seen[0] == "finetune existing, seed 0" and seen[-1] == "finetune mix, seed 1" and len(set(seen)) == 8
        await pilot.press("left", "left", "left")
        assert rail.current == "finetune transformed, seed 0"
        await until(pilot, lambda: "✓ transformed, seed 0" in screen_text(app))
        await chosen(pilot, rail, "mix")
        assert rail.current == "mix transformed, seed 0"
        await chosen(pilot, rail, "evaluate")
        assert rail.current == "evaluate transformed, seed 0"
        while rail.current != "evaluate few-shot":
            await pilot.press("left")
        await until(pilot, lambda: "asked 0-shot" in screen_text(app))
        await chosen(pilot, rail, "finetune")
        assert rail.current == "finetune mix, seed 1", "an arm that was not trained has no training to show"

    with_app(home, story, (120, 40))


def test_the_rail_follows_the_arm_at_work_until_somebody_chooses(home: Home) -> None:
    run = experiment_run(home, stop_at="synthetic")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        rail = await opened(app, pilot)
        assert rail.current == "finetune synthetic"
        steps.finish_step(home.connection, f"{run} finetune synthetic", "done", "", "", 70)
        training(home, run, "transformed", 4, 0.5, None)
        await until(pilot, lambda: rail.current == "finetune transformed")
        await pilot.press("left")
        assert rail.current == "finetune synthetic" and not rail.follows
        training(home, run, "mix", 4, 0.5, None)
        await pilot.pause()
        app.look_at(app.screen)  # type: ignore[arg-type]
        await pilot.pause()
        assert rail.current == "finetune synthetic"

    with_app(home, story, (120, 40))


def test_a_line_stands_for_the_worst_of_its_arms(home: Home) -> None:
    run = experiment_run(home, stop_at="mix")
    steps.finish_step(home.connection, f"{run} finetune mix", "failed", "out of memory", "", 3)
    runs.finish_run(home.connection, run, "failed", "out of memory", 7)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        rail = await opened(app, pilot)
        await chosen(pilot, rail, "finetune")
        await pilot.press("left")
        await until(pilot, lambda: "✓ transformed" in screen_text(app))
        return screen_text(app)

    shown = with_app(home, story, (120, 40))
    assert "✗ finetune failed" in shown and "✓ mix 4 s" in shown


def test_arms_that_are_done_are_no_stage_that_is_done_while_more_may_come(home: Home) -> None:
    experiment_run(home, stop_at="transformed")

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        return screen_text(app)

    shown = with_app(home, story, (120, 40))
    assert "· evaluate 3 done so far" in shown and "▶ finetune running" in shown and "✓ mix 4 s" in shown and "· compare" in shown


# ── the arms side by side ─────────────────────────────────────────────────────────────────────────────────


def test_arms_and_contrasts_are_bars_on_one_scale_each(home: Home) -> None:
    experiment_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        await until(pilot, lambda: "VALIDATION LOSS" in screen_text(app))
        return screen_text(app)

    shown = with_app(home, story, (160, 90))
    bars = [line.split("│", 1)[-1].strip() for line in shown.splitlines() if "●" in line and "95 % interval" not in line]
    assert [line.split()[0] for line in bars[:5]] == list(ARMS)
    assert [line.startswith("★") for line in bars[5:]] == [True, True, False, False]
    for words in (
        "300 items in 210 groups that share a stem, 3 seeds",
        "descriptive: 210 independent items",
        "12 items were found",
        "139% (109% to 183%)",
        "2.913 → 0.704",
        "600 examples of [b]existing[/b] data sets",
        "0.640 (0.58 to 0.70)",
        "validation loss over steps, first seed",
        "· the base is tiny.gguf in all arms",
    ):
        assert words in shown


def test_in_a_narrow_terminal_the_bars_stay_on_one_line_each(home: Home) -> None:
    experiment_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        await until(pilot, lambda: "mix          46.0" in screen_text(app))
        return screen_text(app)

    rows = [line for line in with_app(home, story, (80, 24)).splitlines() if "●" in line and "95 %" not in line]
    assert len(rows) >= 5 and all("├" in row and "┤" in row for row in rows[:5])


def test_contrasts_and_arms_are_copied_as_tables(home: Home) -> None:
    experiment_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        app.screen.query_one("#panel-compare #contrasts", KeyedTable).focus()
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard.startswith("CONTRAST\tDIFFERENCE"))
        assert "★ mix − synthetic\t'+16.5 (+7.0 to +26.0)\t0.0041" in app.clipboard, "and is no formula"
        app.screen.query_one("#panel-compare #figures", KeyedTable).focus()
        await pilot.press("y")
        await until(pilot, lambda: "WITHOUT FOUND ITEMS" in app.clipboard.upper())

    with_app(home, story, (120, 40))


def test_before_all_arms_are_done_it_says_how_far_each_is(home: Home) -> None:
    experiment_run(home, stop_at="transformed")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        rail = await opened(app, pilot)
        await pilot.press("end")
        assert rail.current == "compare"
        await until(pilot, lambda: "So far:" in screen_text(app))
        table = app.screen.query_one("#panel-compare #so-far", KeyedTable)
        lines = {row[0]: row for row in table.sheet().read(0, 9)}
        assert lines["synthetic"] == ("synthetic", "0.620 (0.56 to 0.68)", "evaluate ✓ done")
        assert lines["transformed"] == ("transformed", "-", "finetune ▶ running") and lines["mix"][2] == "mix ✓ done"
        plot = app.screen.query_one("#panel-compare LossPlot", LossPlot)
        assert [series.label for series in plot._drawn] == ["existing", "synthetic", "transformed"]

    with_app(home, story, (120, 40))


def test_an_experiment_that_has_not_begun_to_train_has_nothing_to_compare(home: Home) -> None:
    run = home.new_run(experiment=True, dataset="owner/notes")
    runs.claim_run(home.connection, run, this_process())
    home.step(run, "expand", None, state="running")

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        await pilot.press("end")
        await until(pilot, lambda: "Not reached yet." in screen_text(app))
        return screen_text(app)

    assert "· compare" in with_app(home, story)


def test_a_comparison_at_work_says_how_far_it_is_and_one_that_failed_why(home: Home) -> None:
    run = experiment_run(home, stop_at="mix")
    steps.finish_step(home.connection, f"{run} finetune mix", "done", "", "", 3)
    home.step(run, "compare", None, state="running")
    events.set_progress(home.connection, run, f"{run} compare", "compare", "", 300, 1200, 100.0, "examples held against the test")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: "300 of 1,200 examples held against the test, 100.0/s, about 9 s left" in screen_text(app))
        steps.finish_step(home.connection, f"{run} compare", "failed", "answers of an evaluation are missing", "", 3)
        await until(pilot, lambda: "failed: answers of an evaluation are missing" in screen_text(app))

    with_app(home, story, (140, 40))


def test_the_training_of_an_arm_is_told_like_any_other(home: Home) -> None:
    experiment_run(home)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        rail = await opened(app, pilot)
        await chosen(pilot, rail, "finetune")
        await until(pilot, lambda: "loss over steps" in screen_text(app))
        return screen_text(app)

    assert f"{TRAINED.base.name} trained on 90 examples" in with_app(home, story, (140, 40))
