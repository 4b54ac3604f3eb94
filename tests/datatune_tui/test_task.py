"""Task: what the form writes is what the command line reads; problems stand beside their field; examples pasted and loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from datatune_tui.app import DataTune
from datatune_tui.task_form import Form, examples_in, form_of, pasted
from engine.config import parse_task
from engine.errors import BadInput
from engine.records import TaskExample
from tests.datatune_tui.stored import Home, screen_text, until, with_app
from tests.end_to_end.workbench import TASK

GOOD = Form("mails", "Sort mails.\nOne label each.", "en", "label", "refund, other", (TaskExample("Money back!", "refund"),))


def test_what_the_form_writes_is_read_as_it_was_meant() -> None:
    task = parse_task(GOOD.toml(), "task").task
    assert (task.name, task.description, task.output.labels) == ("mails", "Sort mails.\nOne label each.", ("refund", "other"))
    assert task.examples == GOOD.examples and not task.test


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": " "}, "name", "short name"),
        ({"description": ""}, "description", "missing"),
        ({"language": "klingon!"}, "language", "not a language code"),
        ({"labels": "refund"}, "labels", "at least two"),
        ({"kind": "text"}, "labels", "kind"),
        ({"examples": (TaskExample("Money back!", "refunds"),)}, "examples", "did you mean 'refund'"),
        ({"test": "nowhere.jsonl"}, "test", "no file"),
        ({}, "", ""),
    ],
)
def test_a_problem_is_said_of_its_field(tmp_path: Path, change: dict[str, object], field: str, says: str) -> None:
    at, told = GOOD._replace(**change).problem(tmp_path)  # type: ignore[arg-type]
    assert (at, says in told) == (field, True), told


def test_a_task_file_goes_through_the_form_and_keeps_what_the_form_does_not_show(tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_text(TASK + '\n[models]\ndefault = "smollm2"\n[execute]\nexamples = 12\n')
    form = form_of(file)
    assert form.labels == "sun, rain, snow" and len(form.examples) == 2
    again = parse_task(form.toml(), "task")
    before = parse_task(file.read_text(), "task")
    assert (again.task, again.models, again.options) == (before.task, before.models, before.options)


def test_examples_are_pasted_several_at_once() -> None:
    text = "Where is it?\nI ordered in May. → delivery\n\nMoney back! => refund\n\nA → B → other"
    assert pasted(text) == (
        TaskExample("Where is it?\nI ordered in May.", "delivery"),
        TaskExample("Money back!", "refund"),
        TaskExample("A → B", "other"),
    )
    with pytest.raises(BadInput, match="no output in: Money"):
        pasted("Money back!")


def test_examples_are_loaded_from_the_usual_files(tmp_path: Path) -> None:
    rows = [{"input": "a, b", "output": "x"}, {"input": "ü\nö", "output": "y"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "a.csv").write_text('input,output\n"a, b",x\n"ü\nö",y\n', encoding="utf-8")
    wanted = tuple(TaskExample(row["input"], row["output"]) for row in rows)
    assert examples_in(tmp_path / "a.jsonl") == wanted == examples_in(tmp_path / "a.csv")
    (tmp_path / "b.jsonl").write_text('{"input": "a"}\n')
    with pytest.raises(BadInput, match="row 1"):
        examples_in(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").write_text("[1]\n")
    with pytest.raises(BadInput, match="line 1"):
        examples_in(tmp_path / "c.jsonl")
    with pytest.raises(BadInput, match="cannot be read"):
        examples_in(tmp_path / "none.jsonl")


def test_a_task_is_written_checked_and_saved(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def story(app: DataTune, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await until(pilot, lambda: app.screen.query("#description") and getattr(app.screen, "ready", False))
        await pilot.press(*"mails")
        await until(pilot, lambda: "task.description is missing" in screen_text(app))
        app.screen.query_one("#description", TextArea).text = "Sort mails."
        app.screen.query_one("#kind", Select).value = "label"
        await until(pilot, lambda: "at least two different labels" in screen_text(app))
        await pilot.press("ctrl+s")
        assert not (home.locations.home / "tasks").exists()
        app.screen.query_one("#labels", Input).value = "refund, other"
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.screen.query("#line-text"))
        app.screen.query_one("#line-text", TextArea).text = "Money back! → refund"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Money back!" in screen_text(app))
        await pilot.press("ctrl+s")
        file = home.locations.home / "tasks" / "mails.toml"
        await until(pilot, file.exists)
        assert parse_task(file.read_text(encoding="utf-8"), "t").task.examples == (TaskExample("Money back!", "refund"),)

    with_app(home, story, (100, 40))
