"""Task files and forms: every field goes both ways, what the form does not show stays, and problems stand beside their field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datatune_tui.marks import Marks
from datatune_tui.task_document import rewritten
from datatune_tui.task_form import Form, form_of, joined_labels, save, split_labels
from engine.config import parse_task
from engine.errors import BadInput
from engine.metrics import METRICS
from engine.records import TaskExample
from tests.end_to_end.workbench import TASK

GOOD = Form("mails", "Sort mails.\nOne label each.", "en", "label", "refund, other", (TaskExample("Money back!", "refund"),))

COMMENTED = '''\
# What this is for.
[task]
name = "mails"          # short
description = """
Sort mails."""
metric = "accuracy"
[task.output]
kind = "label"
labels = ["refund", "other"]  # ask Ada
# the first is the clearest
[[task.examples]]
input = "Money back!"   # a classic
output = "refund"
[[task.examples]]
input = "Hello"
output = "other"

[models]
default = "smollm2"     # small

[retrieve]
# never this one
exclude = ["owner/bad"]
depth = 500
[execute]
examples = 12
'''


def test_every_field_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("{}")
    form = GOOD._replace(
        metric="macro_f1",
        test="t.jsonl",
        marks=Marks("starter/notes", ("owner/a",), ("owner/b", "owner/c")),
        rest={"retrieve": {"depth": 500}, "models": {"default": "smollm2"}, "execute": {"examples": 9}},
    )
    file = parse_task(form.toml(), "task")
    task = file.task
    assert (task.name, task.description, task.language) == ("mails", "Sort mails.\nOne label each.", "en")
    assert (task.output.kind, task.output.labels, task.metric, task.test) == ("label", ("refund", "other"), "macro_f1", "t.jsonl")
    assert task.examples == GOOD.examples and file.dataset == "starter/notes" and file.models == {"default": "smollm2"}
    assert file.options == {
        "retrieve": {"depth": 500, "prefer": ["owner/a"], "exclude": ["owner/b", "owner/c"]},
        "execute": {"examples": 9},
    }
    save(form, tmp_path / "task.toml")
    again = form_of(tmp_path / "task.toml")
    assert again._replace(source="", rest=form.rest) == form
    assert parse_task(again.toml(), "task") == file and again.toml() == again.source


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
FORMS = st.builds(
    Form,
    name=TEXT,
    description=TEXT,
    labels=st.just(""),
    rest=st.just({}),
    source=st.just(""),
    language=st.sampled_from(["en", "de", "pt-BR"]),
    kind=st.sampled_from(["text", "option_text", "option_letter"]),
    examples=st.lists(st.builds(TaskExample, TEXT, TEXT), max_size=3).map(tuple),
    metric=st.sampled_from(["", *METRICS]),
    test=TEXT,
    marks=st.builds(Marks, TEXT, st.lists(TEXT, max_size=2).map(tuple), st.lists(TEXT, max_size=2).map(tuple)),
)


@given(FORMS, st.sampled_from(["", COMMENTED, TASK]))
@example(Form(test="0\r\n0", name="a\rb"), "")
@example(Form(description="a\r\nb"), TASK)
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_the_fields_the_file_says_the_same(form: Form, source: str) -> None:
    wanted = form.document
    said = tomllib.loads(form._replace(source=source).toml())
    for name, usual in (("language", "en"), ("examples", [])):
        said["task"].setdefault(name, usual)
    said["task"].setdefault("output", {}).setdefault("kind", "text")
    said["task"]["description"] = said["task"]["description"].strip()
    assert said == wanted


def test_what_the_form_does_not_show_stays_with_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(COMMENTED)
    form = form_of(path)
    assert form.marks == Marks(exclude=("owner/bad",)) and form.toml() == COMMENTED
    changed = form._replace(
        description="Sort the mails.",
        examples=(TaskExample("New", "other"), *form.examples[:1]),
        marks=Marks("", ("owner/good",), ("owner/bad",)),
    )
    text = changed.toml()
    for comment in ("# What this is for.", "# short", "# ask Ada", "# a classic", "# small", "# never this one"):
        assert comment in text, text
    again = parse_task(text, "t")
    assert again.task.description == "Sort the mails." and again.task.examples == changed.examples
    assert again.options["retrieve"] == {"exclude": ["owner/bad"], "depth": 500, "prefer": ["owner/good"]}
    assert again.options["execute"] == {"examples": 12}


@pytest.mark.parametrize(
    "source",
    [
        'task = {name = "a", description = "b", examples = [{input = "x", output = "y"}]}\n',
        'task.name = "a"\ntask.description = "b"\n',
        '[task]\nname = "a"\ndescription = "b"\nexamples = [\n  {input = "x", output = "y"},  # one\n]\n',
        '[task]\nname = "a"\n[execute]\nexamples = 3\n[task.output]\nkind = "text"\n',
    ],
)
def test_a_file_written_in_another_way_is_rewritten_too(source: str) -> None:
    wanted = {
        "task": {"name": "c", "description": "d\ne", "examples": [{"input": "1", "output": "2"}, {"input": "x", "output": "y"}]},
        "retrieve": {"prefer": ["owner/a"]},
    }
    said = tomllib.loads(rewritten(source, wanted))
    said["task"].pop("output", None)
    assert said == wanted


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": " "}, "name", "short name"),
        ({"description": ""}, "description", "missing"),
        ({"language": "klingon!"}, "language", "not a language code"),
        ({"labels": "refund"}, "labels", "at least two"),
        ({"kind": "text"}, "labels", "kind"),
        ({"examples": (TaskExample("Money back!", "refunds"),)}, "examples", "did you mean 'refund'"),
        ({"examples": (TaskExample(" ", "refund"),)}, "examples", "empty input or output"),
        ({"metric": "acuracy"}, "metric", "did you mean 'accuracy'"),
        ({"test": "nowhere.jsonl"}, "test", "no file"),
        ({"test": "~nobody-of-this-name/x"}, "test", "no file"),
        ({"marks": Marks("./nowhere")}, "marks", "no folder"),
        ({"rest": {"execute": {"exampels": 3}}}, "name", "did you mean 'examples'"),
        ({}, "", ""),
    ],
)
def test_a_problem_is_said_of_its_field(tmp_path: Path, change: dict[str, Any], field: str, says: str) -> None:
    found = GOOD._replace(**change).problems(tmp_path)
    assert list(found) == ([field] if field else []) and says in found.get(field, "")


def test_every_field_that_is_wrong_is_said_to_be(tmp_path: Path) -> None:
    form = Form(" ", "", "?", "label", "a", (TaskExample("", "b"),), "x", "y")
    assert set(form.problems(tmp_path)) == {"name", "description", "language", "labels", "examples", "metric", "test"}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).map(str.strip).filter(bool), max_size=5))
def test_labels_go_through_their_line(labels: list[str]) -> None:
    assert split_labels(joined_labels(tuple(labels))) == labels


def test_a_file_that_cannot_be_written_says_so_and_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("x")
    with pytest.raises(BadInput, match="cannot be written"):
        save(GOOD, tmp_path / "folder" / "task.toml")
