"""Task files are read strictly: whatever is off is named with its place, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import MAX_TASK_BYTES, ROLES, parse_setting, parse_task, read_task, stage_options
from engine.errors import BadInput
from engine.records import Output, TaskExample
from engine.stages.execute import Options as ExecuteOptions

WHOLE = """
[task]
name = "weather-notes"
description = "  Say what kind of weather a note speaks of.  "
language = "de"
metric = "accuracy"
[task.output]
kind = "label"
labels = ["sun", "rain"]
[[task.examples]]
input = "We ate ice cream."
output = "sun"
[models]
default = "smollm2"
embed = "hashing"
[retrieve]
exclude = ["some/set"]
[execute]
examples = 50
"""
LEAST = '[task]\ndescription = "Say it in other words."\n'


def refused(text: str) -> str:
    """Title and hint of the refusal, which is short and of one line each."""
    with pytest.raises(BadInput) as error:
        parse_task(text, "my/task.toml")
    assert "\n" not in error.value.title and error.value.title.startswith("my/task.toml: ")
    return f"{error.value.title} | {error.value.hint}"


def test_a_whole_task_file_is_read_as_it_is_written() -> None:
    file = parse_task(WHOLE, "my/task.toml")
    task = file.task
    assert (task.name, task.language, task.metric) == ("weather-notes", "de", "accuracy")
    assert task.description == "Say what kind of weather a note speaks of."
    assert task.output == Output("label", ("sun", "rain"))
    assert task.examples == (TaskExample("We ate ice cream.", "sun"),)
    assert file.models == {"default": "smollm2", "embed": "hashing"}
    assert file.options == {"retrieve": {"exclude": ["some/set"]}, "execute": {"examples": 50}}


def test_a_description_is_enough_and_the_file_gives_the_name() -> None:
    task = parse_task(LEAST, "my/other-words.toml").task
    assert (task.name, task.language, task.output, task.examples) == ("other-words", "en", Output("text", ()), ())


@pytest.mark.parametrize(
    ("text", "place", "nearest"),
    [
        (LEAST + "[retreive]\ndepth = 3", "[retreive]", "retrieve"),
        (LEAST + "[tasks]\nname = 'x'", "[tasks]", "task"),
        (LEAST + "lable = 'x'", "task.lable", ""),
        (LEAST + "langauge = 'de'", "task.langauge", "language"),
        (LEAST + "[task.output]\nkin = 'text'", "task.output.kin", "kind"),
        (LEAST + "[[task.examples]]\ninputs = 'a'\noutput = 'b'", "inputs", "input"),
        (LEAST + "[execute]\nexample = 3", "execute.example", "examples"),
        (LEAST + "[schema]\nincludetest = true", "schema.includetest", "include_test"),
        (LEAST + "[models]\nexecut = 'smollm2'", "'execut'", "execute"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(text: str, place: str, nearest: str) -> None:
    said = refused(text)
    assert "unknown" in said and place in said
    assert f"did you mean {nearest!r}?" in said if nearest else True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no [task] table"),
        ("task = 3", "no [task] table"),
        ("[task]\nname = 'x'", "task.description is missing"),
        ("[task]\ndescription = '  '", "task.description is missing"),
        ("[task]\ndescription = 3", "task.description: expected `str`, got `int`"),
        (LEAST + "language = 'in English'", "not a language code"),
        (LEAST + "[task.output]\nkind = 'labels'", "task.output.kind"),
        (LEAST + "[task.output]\nkind = 'label'", "at least two different labels"),
        (LEAST + "[task.output]\nkind = 'label'\nlabels = ['a', 'a']", "at least two different labels"),
        (LEAST + "[task.output]\nkind = 'label'\nlabels = ['a', 'b', ' ']", "empty label"),
        (LEAST + "[task.output]\nkind = 'label'\nlabels = ['a', 'b', 'a']", "'a' and 'a' are one label"),
        (LEAST + "[task.output]\nkind = 'label'\nlabels = ['Damage', 'b', 'damage']", "'Damage' and 'damage' are one label"),
        (LEAST + "[task.output]\nkind = 'label'\nlabels = [' a', 'b']", "' a' has blanks around it"),
        (LEAST + "[task.output]\nlabels = ['a', 'b']", 'the output kind is "text"'),
        (LEAST + "[[task.examples]]\ninput = 'a'", "missing required field `output`"),
        (LEAST + "[[task.examples]]\ninput = 'a'\noutput = ' '", "number 1 has an empty input or output"),
        (LEAST + "[task.examples]\ninput = 'a'", "task.examples"),
        (LEAST + "[execute]\nexamples = 0", "execute.examples"),
        (LEAST + "[execute]\nexamples = 2.5", "execute.examples"),
        (LEAST + "[execute]\ntemperature = nan", "execute.temperature"),
        (LEAST + "[schema.roles]\ntext = 'inptu'", "schema.roles"),
        ("models = 3\n" + LEAST, "models"),
        ("execute = 3\n" + LEAST, "execute"),
        (LEAST + "[models]\nplan = 3", "models"),
        ("[task", "not valid TOML"),
        (LEAST + LEAST, "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(text: str, said: str) -> None:
    assert said in refused(text)


def test_an_example_outside_the_labels_names_the_nearest_label() -> None:
    said = refused(WHOLE.replace('output = "sun"', 'output = "Sun"'))
    assert "task.examples number 1" in said and "did you mean 'sun'?" in said


def test_files_that_are_no_task_are_told_apart(tmp_path: Path) -> None:
    for name, content, said in (
        ("latin.toml", "[task]\ndescription = 'Übung'".encode("latin-1"), "not UTF-8"),
        ("large.toml", b"#" * (MAX_TASK_BYTES + 1), "not a task file"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=said):
            read_task(tmp_path / name)
    with pytest.raises(BadInput, match="no such file"):
        read_task(tmp_path / "nowhere.toml")
    with pytest.raises(BadInput, match="a folder"):
        read_task(tmp_path)


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert read_task(tmp_path / "task.toml").task.name == "task"


def test_a_test_file_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(LEAST + 'test = "held-out.jsonl"\n')
    with pytest.raises(BadInput, match=r"task\.test"):
        read_task(tmp_path / "task.toml")
    (tmp_path / "held-out.jsonl").write_text("{}\n")
    assert read_task(tmp_path / "task.toml").task.test


# ── --set ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("execute.examples=50", 50),
        (" execute.examples = 50 ", 50),
        ("execute.temperature=0.5", 0.5),
        ("expand.use_model=false", False),
        ("plan.mode=prose", "prose"),
        ('plan.mode="prose"', "prose"),
        ("schema.config=a=b", "a=b"),
        ('retrieve.exclude=["a/b", "c/d"]', ["a/b", "c/d"]),
        ('schema.roles={text = "input"}', {"text": "input"}),
        ("schema.config=", ""),
        ("schema.config=2024", "2024"),
        ("schema.config=2024-01-01", "2024-01-01"),
        ("schema.config=true", "true"),
        ("export.instruction=1", "1"),
    ],
)
def test_a_setting_is_read_as_what_its_option_takes(text: str, value: object) -> None:
    stage, option, parsed = parse_setting(text)
    assert parsed == value
    stage_options(stage, {option: parsed})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("execute.examples", "stage.option=value"),
        ("examples=3", "stage.option=value"),
        ("=", "stage.option=value"),
        ("exekute.examples=3", "did you mean 'execute'"),
        ("execute.exampels=3", "did you mean 'examples'"),
        ("execute.=3", "has no option ''"),
        ("execute.__init__=3", "has no option"),
    ],
)
def test_a_setting_of_what_there_is_not_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_setting(text)
    assert said in error.value.title and "\n" not in error.value.title


def test_options_left_out_keep_their_defaults() -> None:
    assert stage_options("execute", {}) == ExecuteOptions()
    assert stage_options("execute", {"examples": "12"}) == ExecuteOptions(examples=12)


def test_every_role_a_stage_asks_can_be_given_a_model() -> None:
    from engine.stages import STAGE_NAMES, stage

    for name in STAGE_NAMES:
        assert set(stage(name).roles) <= set(ROLES)


def test_a_metric_is_one_that_is_known_or_none() -> None:
    assert parse_task(LEAST.replace("[task]", '[task]\nmetric = "macro_f1"'), "t").task.metric == "macro_f1"
    with pytest.raises(BadInput, match="no metric 'acuracy'; did you mean 'accuracy'") as raised:
        parse_task(LEAST.replace("[task]", '[task]\nmetric = "acuracy"'), "t")
    assert "rouge_l" in raised.value.hint


def test_a_task_may_name_its_data_set() -> None:
    file = parse_task(LEAST.replace("[task]", '[task]\ndataset = "starter/notes"'), "t")
    assert file.dataset == "starter/notes"
    assert parse_task(LEAST, "t").dataset == ""
