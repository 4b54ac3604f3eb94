"""Commands about settings, and what a run takes from them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExitCode
from tests.engine.cli.conftest import Datatune

TASK = """\
[task]
name = "notes"
description = "Say what kind of weather a note speaks of."
[models]
plan = "smollm2"
[execute]
max_tokens = 99
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(exist_ok=True)
    return tmp_path / "home" / "settings.toml"


def test_what_is_set_is_shown_and_can_be_taken_out_again(datatune: Datatune, file: Path) -> None:
    assert "nothing is set" in datatune("settings").out
    said = datatune("settings", "set", "execute.examples=500", "screens.theme=light", "keys.run.resume=f5", "--json")
    assert said.json["set"] == {"execute.examples": 500, "screens.theme": "light", "keys.run.resume": "f5"}
    shown = datatune("settings", "show", "--json").json
    assert shown["settings"]["options"] == {"execute": {"examples": 500}} and shown["wrong"] == []
    assert datatune("settings", "--json").json == shown
    assert datatune("settings", "path").out.strip() == str(file)
    text = datatune("settings").out
    assert "execute.examples  500" in text and "screens.theme" in text and "keys.run.resume" in text
    assert datatune("settings", "unset", "execute.examples").code == ExitCode.DONE
    assert "execute" not in datatune("settings").out
    assert datatune("settings", "unset", "execute.examples").code == ExitCode.BAD_INPUT


def test_the_options_say_where_their_values_come_from(datatune: Datatune) -> None:
    datatune("settings", "set", "execute.examples=500", 'retrieve.exclude=["a/b"]')
    listed = {(one["stage"], one["option"]): one for one in datatune("options", "--json").json}
    assert {one["from"] for one in listed.values()} == {"default", "settings"}
    examples = listed["execute", "examples"]
    assert (examples["value"], examples["default"], examples["from"]) == (500, 3000, "settings")
    assert listed["retrieve", "exclude"]["value"] == ["a/b"]
    assert "settings (default 3000)" in datatune("options", "execute").out


def test_a_path_of_a_model_is_meant_from_where_the_command_was_given(
    datatune: Datatune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    datatune("settings", "set", "models.plan=./mine.gguf")
    assert datatune("settings", "--json").json["settings"]["models"] == {"plan": str(tmp_path / "mine.gguf")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("execute.exampels=3", "did you mean 'examples'?"),
        ("execute.examples=0", "expected `int` >= 1"),
        ("screens.theme=blue", "no theme 'blue'"),
        ("models.boss=x", "unknown role"),
        ("examples", "not of the form"),
    ],
)
def test_a_change_that_is_wrong_is_refused(datatune: Datatune, file: Path, change: str, said: str) -> None:
    answer = datatune("settings", "set", change)
    assert answer.code == ExitCode.BAD_INPUT and said in answer.err and not file.exists()


def test_default_then_settings_then_task_file_then_flags(datatune: Datatune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def caught(file: Any, settings: Any, *rest: Any, **more: Any) -> int:
        made.append(settings)
        return 0

    commands = import_module("engine.cli.run")  # the package has the command of this name
    monkeypatch.setattr(commands, "start", caught)
    task = tmp_path / "task.toml"
    task.write_text(TASK, encoding="utf-8")
    names = ("execute.examples=5", "execute.max_tokens=64", "execute.temperature=0.5", "models.plan=hers", "models.rerank=ours")
    datatune("settings", "set", *names)
    datatune("run", task, "--set", "execute.temperature=1", "--model", "execute=smollm2")
    assert made[0].options == {"execute": {"examples": 5, "max_tokens": 99, "temperature": 1}}
    assert made[0].models == {"plan": "smollm2", "rerank": "ours", "execute": "smollm2"}
    datatune("demo")
    assert made[1].options["execute"]["examples"] == commands.DEMO_EXAMPLES and made[1].options["execute"]["max_tokens"] == 64


@pytest.mark.parametrize("arguments", [("run", "task.toml"), ("demo",), ("options",), ("catalog", "info")])
def test_settings_that_cannot_be_read_are_one_line_and_stay_as_they_are(
    datatune: Datatune, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.toml").write_text(TASK, encoding="utf-8")
    file.write_text("[execute]\nexamples = many\n", encoding="utf-8")
    said = datatune(*arguments)
    assert said.code == ExitCode.BAD_INPUT and f"{file}, line 2: not valid TOML" in said.err
    assert file.read_text(encoding="utf-8") == "[execute]\nexamples = many\n"
    shown = datatune("settings")
    assert shown.code == ExitCode.BAD_INPUT and f"{file}, line 2" in shown.err
