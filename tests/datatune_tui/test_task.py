"""Task: a form that checks while one writes, takes examples in many forms, keeps files safe, and says what a run will do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from datatune_tui.app import DataTune
from datatune_tui.marks import Marks
from datatune_tui.screens.task import TaskScreen
from datatune_tui.task_form import Form
from datatune_tui.what_happens import told as what_happens
from datatune_tui.what_happens import told_comparison
from datatune_tui.widgets.keyed_table import KeyedTable
from engine.config import parse_task
from engine.records import TaskExample
from tests.datatune_tui.stored import Home, question, screen_text, told, until, with_app
from tests.end_to_end.workbench import Workbench

COMMENTED = """\
[task]
name = "mails"  # short
description = "Sort mails."
[task.output]
kind = "label"
labels = ["refund", "other"]
[[task.examples]]
input = "Money back!"
output = "refund"
[execute]
examples = 12  # a dozen
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def opened(app: DataTune, pilot: Pilot[None], file: Path | None = None) -> TaskScreen:
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, TaskScreen) and app.screen.ready)
    assert isinstance(app.screen, TaskScreen)
    if file:
        app.screen.show_file(file)
        await pilot.pause()
    return app.screen


def written(folder: Path, text: str = COMMENTED) -> Path:
    (folder / "mails.toml").write_text(text)
    return folder / "mails.toml"


def test_a_task_is_written_checked_and_saved(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        await until(pilot, lambda: "new: " in screen_text(app) or "changed: " in screen_text(app))
        assert "missing" not in screen_text(app), "nobody came to the description yet"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "task.description is missing" in screen_text(app))
        assert screen.focused is screen.query_one("#description") and not (home.locations.home / "tasks").exists()
        screen.query_one("#description", TextArea).text = "Sort mails."
        screen.query_one("#kind", Select).value = "label"
        await until(pilot, lambda: "at least two different labels" in screen_text(app))
        screen.query_one("#labels", Input).value = "refund, other"
        screen.query_one("#metric", Select).value = "macro_f1"
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.screen.query("#example-input"))
        await pilot.press(*"Money back!", "tab", *"refnd", "ctrl+s")
        await until(pilot, lambda: "refnd is not one of the labels; did you mean refund?" in screen_text(app))
        app.screen.query_one("#example-output", TextArea).text = "refund"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen and "Money back!" in screen_text(app))
        await pilot.press("ctrl+s")
        file = home.locations.home / "tasks" / "mails.toml"
        await until(pilot, file.exists)
        await until(pilot, lambda: "saved: tasks/mails.toml" in screen_text(app))
        task = parse_task(file.read_text(encoding="utf-8"), "t").task
        assert task.examples == (TaskExample("Money back!", "refund"),) and task.metric == "macro_f1"

    with_app(home, story, (100, 44))


def test_several_examples_are_pasted_and_what_was_read_is_said_before_they_are_taken(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: app.screen.query("#pasted-text"))
        area = app.screen.query_one("#pasted-text", TextArea)
        area.text = "no output here"
        await until(pilot, lambda: "no output in: no output here" in screen_text(app))
        await pilot.press("ctrl+s")
        assert app.screen is not screen
        area.text = "a\tb\nc [bold]\x1b[31m\td\n"
        await until(pilot, lambda: "2 examples; the last: c [bold][31m → d" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen)
        assert screen.form.examples == (TaskExample("a", "b"), TaskExample("c [bold]\x1b[31m", "d"))
        assert "\x1b" not in screen_text(app)

    with_app(home, story)


def test_examples_are_loaded_moved_changed_and_taken_out(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"input": name, "output": name.upper()}) + "\n" for name in "abc"))

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)

        def there() -> str:
            return "".join(one.input for one in screen.form.examples)

        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.screen.query("#path"))
        app.screen.query_one("#path", Input).value = str(tmp_path / "none.csv")
        await until(pilot, lambda: "cannot be read" in screen_text(app))
        await pilot.press("enter")
        assert app.screen is not screen
        app.screen.query_one("#path", Input).value = str(tmp_path / "a.jsonl")
        await until(pilot, lambda: "3 examples; the first: a → A" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and there() == "abc")
        await pilot.press("escape", "shift+down", "J")
        await until(pilot, lambda: there() == "bca")
        assert screen.query_one("#examples", KeyedTable).cursor_row == 2, "the cursor goes with it"
        await pilot.press("J", "K")
        await until(pilot, lambda: there() == "bac")
        await pilot.press("delete")
        await until(pilot, lambda: there() == "bc")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query("#example-input"))
        app.screen.query_one("#example-input", TextArea).text = "d"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: there() == "bd")

    with_app(home, story)


def test_a_test_file_is_looked_at_while_its_path_is_written(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path)
    (tmp_path / "test.csv").write_text("input,output\nx,refund\ny,\x1b]0;x\x07odd\n")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, file)
        screen.query_one("#test", Input).value = "test.cs"
        await until(pilot, lambda: "no file" in screen_text(app))
        screen.query_one("#test", Input).value = "test.csv"
        await until(pilot, lambda: "2 items; columns input, output; no labels: ]0;xodd" in screen_text(app))
        assert "no file" not in screen_text(app)
        screen.query_one("#labels", Input).value = "refund, other, x"
        screen.query_one("#kind", Select).value = "text"
        await until(pilot, lambda: "no labels" not in screen_text(app))
        (tmp_path / "bad.jsonl").write_text("{")
        screen.query_one("#test", Input).value = "bad.jsonl"
        await until(pilot, lambda: "bad.jsonl, line 1: no JSON" in screen_text(app))

    with_app(home, story, (100, 50))


def test_an_opened_file_keeps_its_comments_and_is_not_written_over_what_others_wrote(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: app.screen.query("#path"))
        app.screen.query_one("#path", Input).value = str(tmp_path / "a.jsonl")
        await until(pilot, lambda: "no such file" in screen_text(app))
        app.screen.query_one("#path", Input).value = str(file)
        await until(pilot, lambda: "mails: Sort mails." in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and screen.query_one("#name", Input).value == "mails")
        await until(pilot, lambda: "saved: " in screen_text(app))
        screen.query_one("#description", TextArea).text = "Sort all mails."
        await until(pilot, lambda: "changed: " in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: file.read_text() == COMMENTED.replace("Sort mails", "Sort all mails"))
        file.write_text(COMMENTED)
        screen.query_one("#description", TextArea).text = "Sort no mails."
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "was changed elsewhere" in screen_text(app))
        await pilot.press("n")
        await pilot.pause()
        assert file.read_text() == COMMENTED
        await pilot.press("f2")
        await until(pilot, lambda: "is not saved. Forget it?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: screen.form == Form())

    with_app(home, story)


def test_closing_asks_about_a_task_that_is_not_saved(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        await until(pilot, lambda: "changed: " in screen_text(app))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "not saved. Close, and forget it?" in question(app))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert app.is_running and screen.form.name == "mails"
        await pilot.press("escape", "1", "q")
        await until(pilot, lambda: "not saved. Close, and forget it?" in question(app))
        await pilot.press("y")
        await until(pilot, lambda: not app.is_running)

    with_app(home, story)


def test_another_question_does_not_stand_for_that_one(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        await until(pilot, lambda: "changed: " in screen_text(app))
        await pilot.press("f2")
        await until(pilot, lambda: "is not saved. Forget it?" in question(app))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "Close, and forget it?" in question(app))
        assert app.is_running
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running)
        assert screen.form.name == "mails"

    with_app(home, story)


def test_closing_asks_nothing_where_all_is_saved(home: Home) -> None:
    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        screen.query_one("#description", TextArea).text = "Sort mails."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "saved: " in screen_text(app))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running)

    with_app(home, story)


def test_another_task_of_the_same_name_is_asked_about(home: Home) -> None:
    file = home.locations.home / "tasks" / "mails.toml"
    file.parent.mkdir()
    file.write_text("mine")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        screen.query_one("#description", TextArea).text = "Sort mails."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "with another task. Replace it?" in question(app))
        await pilot.press("escape")
        await pilot.pause()
        assert file.read_text() == "mine"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "with another task" in question(app))
        await pilot.press("y")
        await until(pilot, lambda: "Sort mails." in file.read_text())

    with_app(home, story)


def test_marks_of_the_catalog_stand_in_the_form_and_in_the_file_and_are_taken_back(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, file)
        await until(pilot, lambda: "none is marked" in screen_text(app))
        await pilot.press("escape", "4")
        await until(pilot, lambda: app.current_mode == "catalog")
        app.marks = Marks("", ("owner/[b]good",), ("owner/bad",))
        await pilot.press("escape", "5")
        await until(pilot, lambda: "▲ preferred" in screen_text(app) and "owner/[b]good" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "prefer" in file.read_text())
        assert parse_task(file.read_text(), "t").options["retrieve"] == {"prefer": ["owner/[b]good"], "exclude": ["owner/bad"]}
        screen.query_one("#marks", KeyedTable).focus()
        await pilot.press("delete")
        await until(pilot, lambda: app.marks == Marks("", (), ("owner/bad",)))
        app.marks = Marks("owner/x", (), ("owner/bad",))
        app.look_at(screen)
        await until(pilot, lambda: "none is looked for, so the others do not matter" in screen_text(app))
        await pilot.press("delete", "delete")
        await until(pilot, lambda: app.marks == Marks() and "none is marked" in screen_text(app))

    with_app(home, story, (100, 44))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the task place asks of the engine, which one model and a run that starts answer."""
    asked: list[tuple[str, ...]] = []

    async def command(*words: str) -> object:
        asked.append(words)
        return [{"spec": "smollm2", "path": "/s.gguf", "rates": {"read": 416.0, "write": 95.0}}] if words[0] == "models" else {"run": "abc"}

    monkeypatch.setattr("datatune_tui.screens.task.command", command)
    return asked


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    made = Workbench(tmp_path)
    monkeypatch.setenv("DATATUNE_HOME", str(made.home))
    return made


def test_what_a_run_will_do_is_said_before_it_starts(bench: Workbench, commands: list[tuple[str, ...]], tmp_path: Path) -> None:

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await opened(app, pilot, bench.task)
        await pilot.press("ctrl+r")
        shown = await until(pilot, lambda: question(app))
        assert shown.startswith("Run weather-notes?")
        assert "expand, retrieve, rerank, schema, plan, execute, mix, export" in shown
        assert "it reads 416 and writes 95 tokens a second here" in shown and "3,000 examples" in shown
        await pilot.press("n")
        await pilot.pause()
        assert commands == [("models", "list")]
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Run weather-notes?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: app.current_mode == "run" and app.run_id == "abc")
        assert commands[-1] == ("run", str(bench.task), "--detach")

    with_app(Home(tmp_path / "other"), story, (80, 24))


def test_a_comparison_is_told_and_started_where_there_is_a_test(bench: Workbench, commands: list[tuple[str, ...]], tmp_path: Path) -> None:
    options = '[models]\nbase = "/w/small.gguf"\n[compare]\narms = ["few-shot", "transformed", "mix"]\nexamples = 40\nseeds = 2\n'
    bench.task.write_text(f"{bench.task.read_text()}\n{options}")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, bench.task)
        await pilot.press("f3")
        await until(pilot, lambda: "a comparison needs a test" in told(app))
        assert not commands and app.focused is screen.query_one("#test")
        (bench.task.parent / "test.csv").write_text("input,output\nIt is warm.,sun\n")
        screen.query_one("#test", Input).value = "test.csv"
        await pilot.press("f3")
        shown = await until(pilot, lambda: question(app))
        assert shown.startswith("Compare weather-notes?") and "Arms: few-shot, transformed, mix." in shown
        assert "40 examples an arm; small.gguf is trained 4 times and asked the test each time." in shown
        await pilot.press("y")
        await until(pilot, lambda: app.current_mode == "run" and app.run_id == "abc")
        assert commands == [("compare", str(bench.task), "--detach")]

    with_app(Home(tmp_path / "other"), story, (100, 44))


def test_what_happens_names_the_model_of_each_role_and_the_data_set_that_is_used() -> None:
    form = Form("a", "b", marks=Marks("starter/x"), rest={"execute": {"examples": 7}})
    said = what_happens(form, {"plan": "/w/big.gguf", "default": "openai:http://x/v1"}, [])
    assert "schema, plan, execute, mix, export" in said and "retrieve" not in said
    assert "http://x/v1 is asked in expand, execute;" in said
    assert "big.gguf is asked in plan; how fast it is here was not measured yet" in said
    assert "Data: starter/x, and no other." in said and "7 examples" in said


def test_a_comparison_has_the_options_of_the_settings_where_the_task_has_none() -> None:
    form = Form("a", "b", rest={"compare": {"seeds": 3, "arms": ["few-shot", "mix"]}})
    said = told_comparison(form, {"default": "/w/big.gguf"}, {"examples": 70, "seeds": 2})
    assert "Arms: few-shot, mix." in said and "70 examples an arm; big.gguf is trained 3 times" in said


def test_what_cannot_be_written_is_said_with_its_cure(home: Home) -> None:
    (home.locations.home / "tasks").write_text("a file where a folder should be")

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot)
        await pilot.press(*"mails")
        screen.query_one("#description", TextArea).text = "Sort mails."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen.query("#trouble-title") and "cannot be written" in screen_text(app))
        await pilot.press("escape")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.screen.query("#trouble-title"))
        assert "saved" not in told(app)

    with_app(home, story)
