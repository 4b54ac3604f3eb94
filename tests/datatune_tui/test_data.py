"""Data: a hundred thousand units, looking for some, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from datatune_tui.app import DataTune
from datatune_tui.unit_text import few_shot
from datatune_tui.widgets.long_list import LongList
from engine.records import TaskExample
from engine.store import items
from engine.store.reviews import Review, reviews_of
from engine.store.runs import read_run
from tests.datatune_tui.stored import Home, screen_text, until, with_app


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None]) -> LongList:
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.query("Rail") and app.screen.is_current and app.screen.ready)  # type: ignore[attr-defined]
    await pilot.press("3")
    await until(pilot, lambda: app.screen.query(LongList) and app.screen.query_one(LongList).count)
    return app.screen.query_one(LongList)


def test_all_units_are_there_and_the_one_under_the_cursor_is_shown_whole(home: Home) -> None:
    run = home.finished(examples=2_000)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        assert units.count == 2_003
        shown = screen_text(app)
        assert f"run {run}: 2,003 of 2,003 units" in shown
        assert "The gutter ran over again. (0)" in shown and "→ rain" in shown and "licence cc0-1.0" in shown
        await pilot.press("end", "up", "up", "up")
        await until(pilot, lambda: "(1999)" in screen_text(app))
        await pilot.press("pageup", "home")
        await until(pilot, lambda: units.cursor == 0)

    with_app(home, story, (120, 30))


def test_what_is_looked_for_narrows_the_list_at_once(home: Home) -> None:
    home.finished(examples=300)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("slash", *"(29")
        await until(pilot, lambda: units.count == 11)
        await pilot.press("escape")
        app.screen.query_one("#search", Input).value = "100%"
        await until(pilot, lambda: units.count == 0)
        await until(pilot, lambda: "Nothing to show." in screen_text(app))
        app.screen.query_one("#search", Input).value = ""
        app.screen.query_one("#state", Select).value = "rejected"
        await until(pilot, lambda: units.count == 2)
        await until(pilot, lambda: "rejected: too short" in screen_text(app))

    with_app(home, story)


def test_all_like_this_are_those_with_the_same_output_or_the_same_reason(home: Home) -> None:
    home.finished(examples=30)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("l")
        await until(pilot, lambda: units.count == 10)
        assert app.screen.query_one("#search", Input).value == "output=rain"
        app.screen.query_one("#search", Input).value = "reason=too short"
        app.screen.query_one("#state", Select).value = ""
        await until(pilot, lambda: units.count == 2)

    with_app(home, story)


def test_reviews_are_stored_shown_and_taken_back(home: Home) -> None:
    run = home.finished()
    step = f"{run} execute owner/notes"

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("r", "a")
        assert units.cursor == 2
        stored = reviews_of(home.connection, step)
        assert stored == {"train:0": Review("train:0", "rejected"), "train:1": Review("train:1", "accepted")}
        await until(pilot, lambda: "2 reviewed, 1 rejected" in screen_text(app))
        await pilot.press("home")
        await until(pilot, lambda: "rejected by you" in screen_text(app))
        await pilot.press("u")
        assert list(reviews_of(home.connection, step)) == ["train:1"]

    with_app(home, story)


def test_an_output_is_put_right_and_what_it_was_stays_in_sight(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: "The right output" in screen_text(app))
        await pilot.press(*" and sleet", "ctrl+s")
        await until(pilot, lambda: "was: rain" in screen_text(app))
        assert reviews_of(home.connection, f"{run} execute owner/notes")["train:0"].output == "rain and sleet"
        await pilot.press("n")
        await until(pilot, lambda: "Note" in screen_text(app))
        await pilot.press(*"odd", "escape")
        await pilot.pause()
        assert not reviews_of(home.connection, f"{run} execute owner/notes")["train:0"].note

    with_app(home, story)


def test_failures_cannot_be_reviewed(home: Home) -> None:
    run = home.finished()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("end", "r", "a", "e")
        await pilot.pause()
        assert reviews_of(home.connection, f"{run} execute owner/notes") == {}

    with_app(home, story)


def test_units_that_come_while_one_looks_leave_the_cursor_where_it_is(home: Home) -> None:
    run = home.running(done=40)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        await pilot.press("down", "down", "down")
        home.units(f"{run} execute owner/notes", 25, start=40)
        await until(pilot, lambda: units.count == 65)
        assert units.cursor == 3

    with_app(home, story)


def test_hostile_text_has_no_effect_and_a_megabyte_does_not_freeze(home: Home) -> None:
    run = home.running(done=0)
    step = f"{run} execute owner/notes"
    hostile = "[@click=app.quit]x[/] \x1b[2J ‮abc 漢字 שלום " + "y" * 1_000_000
    items.store_items(home.connection, step, [items.Item("u", 0, "failed", hostile, hostile)])

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        return screen_text(app)

    shown = with_app(home, story, (80, 24))
    assert "[@click=app.quit]x[/]" in shown and "\x1b" not in shown and "\u202e" not in shown
    assert shown.count("\n") == 23


class FakeProcess:
    """Answers every question with the same, and remembers what was asked."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = answer

    async def ask(self, kind: str, **question: Any) -> dict[str, Any]:
        self.asked.append(question)
        return self.answer

    async def close(self) -> None:
        """Nothing to end."""


def test_the_row_and_the_steps_of_a_unit_are_shown_whether_it_became_an_example_or_not(home: Home) -> None:
    run = home.finished()
    failed = items.Item("train:77", 99, "failed", "write: no text for title", '{"completions": ["{\\"tit[b]le"]}')
    items.store_items(home.connection, f"{run} execute owner/notes", [failed])
    steps = [{"place": 0, "do": "write", "before": {"note": "A note."}, "after": {}}]
    unit = {"key": "77", "row": 77, "steps": steps, "state": "asks", "reason": "asks the model: Write.", "prompt": "Write. [/x] A note."}

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        app.catalog = FakeProcess({"row": {"note": "As it stands in the file."}})  # type: ignore[assignment]
        app.previews = FakeProcess({"preview": {"units": [unit]}})  # type: ignore[assignment]
        await opened(app, pilot)
        await pilot.press("o")
        await until(pilot, lambda: "As it stands in the file." in screen_text(app))
        assert app.catalog.asked == [{"show": "owner/notes", "config": "default", "split": "train", "row": 0}]  # type: ignore[attr-defined]
        await pilot.press("end")
        await until(pilot, lambda: "Answer 1 of the model" in screen_text(app) and '{"tit[b]le' in screen_text(app))
        await pilot.press("s")
        shown = await until(pilot, lambda: "prompt" in screen_text(app) and screen_text(app))
        assert "1 write" in shown and "Write. [/x] A note." in shown
        assert app.previews.asked[0]["preview"]["row"] == 77  # type: ignore[attr-defined]

    with_app(home, story, (160, 50))


def test_accepted_examples_become_those_of_the_next_run_when_that_is_wanted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = home.finished()
    commands: list[tuple[str, ...]] = []

    async def command(*arguments: str) -> dict[str, str]:
        commands.append(arguments)
        return {"state": "started"}

    monkeypatch.setattr("datatune_tui.screens.data.command", command)

    async def story(app: DataTune, pilot: Pilot[None]) -> str:
        await opened(app, pilot)
        await pilot.press("f")
        await until(pilot, lambda: "accept some examples first" in screen_text(app))
        await pilot.press("a", "a", "r", "f")
        await until(pilot, lambda: "Start a run with 2 more examples of its own?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: app.current_mode == "run")
        return app.run_id

    made = with_app(home, story, (120, 40))
    assert made != run and commands == [("resume", made, "--detach")]
    task = read_run(home.connection, made).task  # type: ignore[union-attr]
    before = read_run(home.connection, run).task  # type: ignore[union-attr]
    assert task.examples[: len(before.examples)] == before.examples
    assert [example.output for example in task.examples[len(before.examples) :]] == ["rain", "sun"]


def test_examples_for_the_next_run_are_taken_from_each_output_in_turn() -> None:
    given = [TaskExample(str(number), "sun" if number < 20 else "rain") for number in range(22)] * 2
    chosen = few_shot(given)
    assert [example.input for example in chosen] == ["0", "20", "1", "21", "2", "3", "4", "5"]
    assert few_shot([]) == []


def test_synthetic_examples_name_their_model_and_have_no_row_to_show(home: Home) -> None:
    home.synthetic()

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        assert units.count == 8
        assert "synthetic, written by tiny.gguf" in screen_text(app) and "row -1" not in screen_text(app)
        await pilot.press("o")
        await until(pilot, lambda: "no row stands behind" in screen_text(app))

    with_app(home, story, (120, 30))


def test_what_the_mix_left_out_is_listed_when_asked_for_and_its_examples_once_otherwise(home: Home) -> None:
    run = home.finished(examples=6)
    home.mix(run, 6, {1: ("leaked", "holds all of item 4 of the test"), 3: ("repeats", "the same as row 0 of owner/notes, train")})

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        units = await opened(app, pilot)
        assert units.count == 9 and "9 of 9 units" in screen_text(app)
        app.screen.query_one("#state", Select).value = "left out"
        await until(pilot, lambda: app.screen.query_one(LongList).count == 2)
        shown = screen_text(app)
        assert "2 of 6 units" in shown and "holds all of item 4 of" in shown and "We looked for shade all day. (1)" in shown
        units.focus()
        await pilot.press("down")
        await until(pilot, lambda: "the same as row 0 of owner/notes, train" in screen_text(app).replace("\n", " "))
        await pilot.press("l")
        assert app.screen.query_one("#search", Input).value == "reason=the same as an earlier example"
        await until(pilot, lambda: app.screen.query_one(LongList).count == 1)
        assert units.whole is not None
        rows = units.whole.read(0, 1)
        assert rows[0][4] == "The gutter ran over again. (3)" and rows[0][5].startswith("the same as an earlier example: the same as row 0")

    with_app(home, story)
