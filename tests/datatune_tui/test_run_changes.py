"""Run: what a person changes in the panels, what is asked before it is done, and what the run is then told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from datatune_tui.app import DataTune
from datatune_tui.engine_process import Refused
from datatune_tui.modals.line_input import LineInput
from datatune_tui.panels.panel import with_options
from datatune_tui.screens.run import stale
from datatune_tui.widgets.keyed_table import KeyedTable
from datatune_tui.widgets.trend_plot import TrendPlots, accept_rate, rates_now
from engine.store.runs import RunSettings, read_run
from engine.store.tallies import TrendPoint
from tests.datatune_tui.stored import PREVIEW, Home, screen_text, until, with_app
from tests.datatune_tui.test_run import opened

SIZE = (120, 50)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    async def nothing(*arguments: str) -> dict[str, Any]:
        return {"state": "started", "datasets": ["local/mine"]}

    monkeypatch.setattr("datatune_tui.screens.run.command", nothing)
    monkeypatch.setattr("datatune_tui.panels.candidates.command", nothing)
    return Home(tmp_path)


def settings_of(home: Home, run: str) -> RunSettings:
    found = read_run(home.connection, run)
    assert found
    return found.settings


async def confirmed(pilot: Pilot[None], app: DataTune, says: str) -> None:
    """Wait for the question and say yes."""
    await until(pilot, lambda: says in " ".join(screen_text(app).replace("│", " ").split()))
    await pilot.press("y")
    await until(pilot, lambda: says not in screen_text(app))


def test_data_sets_are_left_out_and_reordered_and_the_search_is_done_anew_once(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "retrieve")
        app.screen.query_one("#panel-retrieve #candidates", KeyedTable).focus()
        await pilot.press("down", "shift+up")
        await until(pilot, lambda: "searches anew with this order" in screen_text(app))
        assert app.screen.query_one("#panel-retrieve #candidates", KeyedTable).keys_shown == ("owner/other", "owner/notes")
        await pilot.press("down", "x")
        await until(pilot, lambda: "left out by you" in screen_text(app))
        assert settings_of(home, run) == RunSettings()
        await pilot.press("ctrl+s")
        await confirmed(pilot, app, "retrieve, rerank, schema, plan, execute, mix, export are done anew")
        assert settings_of(home, run).options == {"retrieve": {"prefer": ["owner/other"], "exclude": ["owner/notes"]}}

    with_app(home, story, SIZE)


def test_what_was_changed_among_data_sets_can_be_put_back(home: Home) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "retrieve")
        app.screen.query_one("#panel-retrieve #candidates", KeyedTable).focus()
        await pilot.press("x")
        await until(pilot, lambda: "left out by you" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "left out by you" not in screen_text(app))
        await pilot.press("p", "down", "p", "ctrl+r")
        await until(pilot, lambda: "put here by you" not in screen_text(app))
        assert app.screen.query_one("#panel-retrieve #candidates", KeyedTable).keys_shown == ("owner/notes", "owner/other")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "nothing was changed here" in screen_text(app))

    with_app(home, story, SIZE)


@pytest.mark.parametrize(("named", "expected"), [("owner/third", "owner/third"), ("/data/mine", "local/mine")])
def test_a_data_set_is_added_by_its_id_or_its_folder(home: Home, named: str, expected: str) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "retrieve")
        app.screen.query_one("#panel-retrieve #candidates", KeyedTable).focus()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, LineInput))
        app.screen.query_one(TextArea).text = named
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "added by you" in screen_text(app))
        await pilot.press("ctrl+s")
        await confirmed(pilot, app, "are done anew")
        assert settings_of(home, run).options["retrieve"]["prefer"] == [expected]

    with_app(home, story, SIZE)


def test_a_column_gets_another_role_and_planning_is_done_anew(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "schema")
        app.screen.query_one("#panel-schema #columns", KeyedTable).focus()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no role was changed here" in screen_text(app))
        await pilot.press("down", "minus", "ctrl+s")
        await until(pilot, lambda: "one column at least must be input and one output" in screen_text(app))
        await pilot.press("space", "down", "i")
        await until(pilot, lambda: "you, just now" in screen_text(app))
        await pilot.press("up", "o", "ctrl+s")
        await confirmed(pilot, app, "schema, plan, execute, mix, export are done anew")
        assert settings_of(home, run).options["schema"] == {"roles": {"number": "input"}}
        assert settings_of(home, run).dataset == "owner/notes"

    with_app(home, story, SIZE)


def test_the_fuller_description_is_edited(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "expand")
        app.screen.query_one("#panel-expand").can_focus = True
        app.screen.query_one("#panel-expand").focus()
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, LineInput))
        app.screen.query_one(TextArea).text = "Hail counts as snow."
        await pilot.press("ctrl+s")
        await confirmed(pilot, app, "expand, retrieve, rerank, schema, plan, execute, mix, export are done anew")
        assert settings_of(home, run).options["expand"] == {"text": "Hail counts as snow."}

    with_app(home, story, SIZE)


@pytest.mark.parametrize(("key", "model"), [("t", ""), ("m", "openai:http://127.0.0.1:9/v1")])
def test_what_failed_is_tried_again_with_the_same_or_another_model(home: Home, key: str, model: str) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "execute")
        app.screen.query_one("#panel-execute #reasons", KeyedTable).focus()
        await pilot.press(key)
        if model:
            await until(pilot, lambda: isinstance(app.screen, LineInput))
            app.screen.query_one(TextArea).text = model
            await pilot.press("ctrl+s")
        await confirmed(pilot, app, "1 units that failed are asked about again")
        settings = settings_of(home, run)
        assert settings.options["execute"] == {"retries": 1} and settings.models == ({"retry": model} if model else {})

    with_app(home, story, SIZE)


class FakePreviews:
    """Answers with one preview, or refuses."""

    def __init__(self, refuse: str = "") -> None:
        self.asked: list[dict[str, Any]] = []
        self.refuse = refuse

    async def ask(self, kind: str, **question: Any) -> dict[str, Any]:
        self.asked.append(question[kind])
        if self.refuse:
            raise Refused(self.refuse, "do something else")
        return {"preview": PREVIEW}

    async def close(self) -> None:
        """Nothing to end."""


def previewing(home: Home, previews: FakePreviews, then: Callable[[DataTune, Pilot[None]], Any], size: tuple[int, int] = SIZE) -> None:
    home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.previews = previews  # type: ignore[assignment]
        await opened(pilot, app, "plan")
        await pilot.press("tab", "ctrl+g")
        await then(app, pilot)

    with_app(home, story, size)


@pytest.mark.parametrize("size", [(80, 24), SIZE])
def test_a_plan_is_tried_on_rows_and_each_step_is_shown(home: Home, size: tuple[int, int]) -> None:
    previews = FakePreviews()

    async def then(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "first 2 units" in screen_text(app))
        told = str(app.screen.query_one("#preview-told").render())
        assert "1 accepted, 1 skipped" in told and "3,000 times or more, about 2 min 05 s" in told
        assert app.screen.query_one("#preview-units", KeyedTable).keys_shown == ("9", "4"), "what failed stands first"
        steps = str(app.screen.query_one("#preview-steps").render())
        assert "1 map" in steps and "kind: [b]Z" in steps and "[@click=app.quit]Z[/]" in steps
        app.screen.query_one("#preview-units", KeyedTable).focus()
        await pilot.press("down")
        await until(pilot, lambda: "→ label: rain" in str(app.screen.query_one("#preview-steps").render()))

    previewing(home, previews, then, size)
    asked = previews.asked[0]
    assert (asked["dataset"], asked["config"], asked["split"], asked["model"]) == ("owner/notes", "default", "train", False)


def test_it_is_tried_again_while_the_text_is_edited_and_with_the_model_on_request(home: Home) -> None:
    previews = FakePreviews()

    async def then(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(previews.asked) == 1)
        area = app.screen.query_one("#plan-text", TextArea)
        area.text = area.text.replace("rain", "snow")
        await until(pilot, lambda: len(previews.asked) == 2)
        assert 'R = "snow"' in previews.asked[1]["plan"]
        area.text = "name = 3"
        await until(pilot, lambda: "name" in str(app.screen.query_one("#preview-told").render()))
        assert len(previews.asked) == 2, "what cannot be read is not tried"
        await pilot.press("ctrl+r", "ctrl+t")
        await until(pilot, lambda: previews.asked[-1]["model"])
        assert len(previews.asked) == 3 and 'R = "rain"' in previews.asked[2]["plan"], "what was put back was tried with the model alone"

    previewing(home, previews, then)


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_later_one(home: Home) -> None:
    class Slow(FakePreviews):
        def __init__(self) -> None:
            super().__init__()
            self.first = asyncio.Event()

        async def ask(self, kind: str, **question: Any) -> dict[str, Any]:
            answer = await super().ask(kind, **question)
            if len(self.asked) == 1:
                await self.first.wait()
                return {"preview": {**PREVIEW, "warnings": ["the first"]}}
            return answer

    previews = Slow()

    async def then(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(previews.asked) == 1)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "first 2 units" in screen_text(app))
        previews.first.set()
        await pilot.pause()
        await pilot.pause()
        assert "the first" not in str(app.screen.query_one("#preview-told").render())

    previewing(home, previews, then)


def test_a_plan_that_cannot_be_tried_says_why(home: Home) -> None:
    async def then(app: DataTune, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "the rows are gone" in screen_text(app) and "do something else" in screen_text(app))

    previewing(home, FakePreviews("the rows are gone"), then)


def test_rates_and_plots_show_how_it_went(home: Home) -> None:
    home.running()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(pilot, app, "execute")
        shown = await until(pilot, lambda: "tokens/s" in screen_text(app) and screen_text(app))
        assert "500 tokens/s" in shown
        await until(pilot, lambda: app.screen.query_one(TrendPlots).children)
        await until(pilot, lambda: "units over time (s)" in screen_text(app) and "% that became examples" in screen_text(app))

    with_app(home, story, SIZE)


def test_the_share_of_examples_is_that_of_the_last_few_points() -> None:
    points = [TrendPoint(2.0 * n, 10 * min(n, 10), 0, 10 * max(0, n - 10), 0, 0) for n in range(21)]
    rates = accept_rate(points)
    assert rates[0] is None and rates[5] == 100 and rates[14] == 50 and rates[20] == 0
    assert rates_now(points) == (5.0, 0.0, 0.0) and rates_now(points[:1]) == (0, 0, 0)


def test_what_follows_a_changed_stage_is_stale() -> None:
    assert stale("plan", RunSettings(), False) == ("plan", "execute", "mix", "export")
    assert stale("schema", RunSettings(until="plan"), False) == ("schema", "plan")
    writing = RunSettings(options={"generate": {"examples": 5}})
    assert "generate" not in stale("retrieve", writing, False) and "generate" in stale("expand", writing, False)
    assert with_options(RunSettings(options={"a": {"x": 1}}), "a", x=None, y=2).options == {"a": {"y": 2}}
