"""Every command explains itself, keeps data and diagnostics apart, and speaks JSON when asked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from engine.cli import datatune as front
from engine.config import stage_options
from engine.errors import ExitCode
from engine.records import Exported, ModelFile
from engine.stages import STAGE_NAMES, options_type
from engine.store import runs
from tests.engine.cli.conftest import Datatune
from tests.engine.stages.house import House, notes

TASK = (
    '[task]\ndescription = "Say what kind of weather a note speaks of."\n[task.output]\nkind = "label"\nlabels = ["sun", "rain", "snow"]\n'
)


def commands(group: click.Command = front, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


ALL = dict(commands())
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


def task_file(folder: Path) -> Path:
    path = folder / "weather.toml"
    path.write_text(TASK, encoding="utf-8")
    return path


# ── help ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself(datatune: Datatune, path: tuple[str, ...]) -> None:
    said = datatune(*path, "--help")
    assert said.code == 0 and not said.err
    assert said.out.startswith(f"Usage: {' '.join(('datatune', *path))} ")
    assert ALL[path].help, "a command without help"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_has_help(path: tuple[str, ...]) -> None:
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts}"
            assert parameter.help.endswith((".", "?")), f"{' '.join(path)} {parameter.opts}: {parameter.help}"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_can_speak_json(path: tuple[str, ...]) -> None:
    assert any("--json" in parameter.opts for parameter in LEAVES[path].params)


def test_exit_codes_are_documented_in_the_help(datatune: Datatune) -> None:
    shown = datatune("--help").out
    for code in ExitCode:
        assert f"{int(code)} " in shown
    assert datatune().out == shown


def test_stages_are_named_where_one_can_be_chosen(datatune: Datatune) -> None:
    shown = " ".join(datatune("run", "--help").out.split())
    assert all(name in shown for name in STAGE_NAMES)


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("run",), "TASK"),
        (("run", "x.toml", "--frobnicate"), "--frobnicate"),
        (("run", "x.toml"), "no such file"),
        (("catalog", "add"), "no folder given"),
        (("catalog", "add", "nowhere"), "no such folder"),
        (("catalog", "import", "nowhere.jsonl"), "no such file"),
        (("catalog", "search"), "either TEXT or --queries"),
        (("catalog", "search", "x", "-k", "0"), "0"),
        (("catalog", "show", "some/set"), "no data set"),
        (("catalog", "remove", "some/set"), "no data set"),
        (("options", "exekute"), "no stage"),
        (("show", "abc"), "no run"),
        (("resume", "abc"), "no run"),
        (("cancel", "abc"), "no run"),
        (("plan", "check", "nowhere.toml", "--dataset", ".", "--task", "x.toml"), "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_is_one_line_with_a_hint_on_stderr_and_json_on_stdout(
    datatune: Datatune, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = datatune(*arguments)
    assert plain.code == ExitCode.BAD_INPUT
    assert said in plain.err and not plain.out
    lines = plain.err.splitlines()
    assert lines[0].startswith("datatune: ") and len(lines) <= 3
    if said == arguments[0] or "--frobnicate" in arguments:
        return
    spoken = datatune(*arguments, "--json")
    document = spoken.json
    assert spoken.code == ExitCode.BAD_INPUT
    assert said in document.get("error", document.get("reason"))


# ── catalog ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_is_added_found_shown_and_forgotten(datatune: Datatune, tmp_path: Path) -> None:
    folder = House(tmp_path).write("notes", notes(12), "# Weather notes\n\nNotes with their weather.")
    added = datatune("catalog", "add", folder, "--json")
    assert added.code == 0 and (added.json["added"], added.json["refused"]) == (1, [])
    assert datatune("catalog", "add", folder, "--json").json["unchanged"] == 1
    found = datatune("catalog", "search", "notes on the weather", "--json").json
    assert [hit["id"] for hit in found["results"]] == ["local/notes"] and found["results"][0]["available"]
    shown = datatune("catalog", "show", "local/notes", "--json").json
    assert shown["splits"] == {"default": ["train"]} and shown["entry"]["columns"] == ["number", "note", "weather"]
    assert datatune("catalog", "info", "--json").json["cards"] == 1
    assert datatune("catalog", "remove", "local/notes", "--json").json == {"removed": ["local/notes"]}
    assert datatune("catalog", "info", "--json").json["cards"] == 0


def test_cards_are_imported_with_what_was_left_out(datatune: Datatune, tmp_path: Path) -> None:
    file = tmp_path / "cards.jsonl"
    file.write_text('{"id": "a/b", "card_markdown": "# Films"}\nno JSON\n', encoding="utf-8")
    said = datatune("catalog", "import", file, "--json")
    assert said.code == 0 and said.json["added"] == 1 and said.json["refused"][0]["what"] == "line 2"
    assert "left out line 2" in datatune("catalog", "import", file).out
    assert not datatune("catalog", "search", "films", "--here", "--json").json["results"]
    assert datatune("catalog", "search", "films", "--json").json["results"][0]["available"] is False


def test_queries_are_answered_one_line_each_in_order(datatune: Datatune, house: House, tmp_path: Path) -> None:
    house.add("prices", [{"price": n} for n in range(9)], "# Prices of bread")
    file = tmp_path / "queries.jsonl"
    file.write_text('{"query": "price of bread"}\n\n{"query": "weather notes", "more": 1}\n{"query": ""}\n', encoding="utf-8")
    said = datatune("catalog", "search", "--queries", file, "-k", "1")
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert [answer["query"] for answer in answers] == ["price of bread", "weather notes", ""]
    assert [[hit["id"] for hit in answer["results"]] for answer in answers] == [["local/prices"], ["local/notes"], []]
    assert set(answers[0]["results"][0]) == {"id", "score", "aliases"}


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"text": "x"}', '{"query": 3}'])
def test_a_query_of_another_form_is_named_by_its_line(datatune: Datatune, tmp_path: Path, line: str) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text(f'{{"query": "x"}}\n{line}\n', encoding="utf-8")
    said = datatune("catalog", "search", "--queries", file)
    assert said.code == ExitCode.BAD_INPUT and "line 2" in said.err and not said.out


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_options_listed_are_those_there_are_with_their_defaults(datatune: Datatune) -> None:
    listed = datatune("options", "--json").json
    assert {(one["stage"], one["option"]) for one in listed} == {
        (name, option) for name in STAGE_NAMES for option in options_type(name).__struct_fields__
    }
    for name in STAGE_NAMES:
        defaults = {one["option"]: one["default"] for one in listed if one["stage"] == name}
        assert stage_options(name, defaults) == options_type(name)()
    assert all(one["help"] for one in listed)
    only = datatune("options", "execute")
    assert "execute.examples" in only.out and "retrieve." not in only.out


# ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_no_runs_before_the_first(datatune: Datatune) -> None:
    assert datatune("runs", "--json").json == []
    assert "datatune demo" in datatune("runs").out


def test_a_run_can_be_looked_at_from_all_sides_in_json(datatune: Datatune, finished: str) -> None:
    assert datatune("runs", "--json").json[0]["run"] == finished
    shown = datatune("show", finished, "--json").json
    assert (shown["state"], shown["examples"]) == ("done", 20)
    made = [name for name in STAGE_NAMES if name not in ("generate", "finetune", "evaluate", "export", "compare")]
    assert [step["stage"] for step in shown["steps"]] == made
    for name in made:
        (step,) = datatune("show", finished, name, "--json").json
        assert step["stage"] == name and step["record"]
        assert name in datatune("show", finished, name).out
    story = datatune("show", finished, "--events", "--json").json
    assert story[0]["kind"] == "step-started" and {"text", "stage", "at"} <= set(story[0])
    assert datatune("show", finished, "--failures", "--json").json == []
    (choice,) = datatune("plan", "show", finished, "--json").json
    assert choice["dataset"] == "local/notes"


def test_a_run_is_known_by_the_start_of_its_id(datatune: Datatune, finished: str) -> None:
    assert datatune("show", finished[:4], "--json").json["run"] == finished


def test_the_latest_export_is_shown_with_the_files_of_its_model(datatune: Datatune, house: House, finished: str, tmp_path: Path) -> None:
    first = datatune("show", finished, "export", "--json").json
    assert first["examples"] == 20 and Path(first["folder"]).is_dir() and not first["model"]
    again = datatune("export", finished, "--to", tmp_path / "again")
    assert again.out.splitlines() == [f"20 examples in {tmp_path / 'again'}"]
    assert datatune("show", finished, "export").out.startswith(f"20 examples in {tmp_path / 'again'}")
    file = ModelFile("model/weather-Q8_0.gguf", "base with the adapter merged in, Q8_0", 2_500_000, "ab", "sn\x1b[31mow")
    made = Exported("/some/place", 20, 18, 2, "cd", (file,), ("Modelfile: no room",))
    house.session.event("exported", "told", "export", **msgspec.to_builtins(made))
    shown = datatune("show", finished, "export").out
    assert "model/weather-Q8_0.gguf" in shown and "2.5 MB" in shown and "sn[31mow" in shown and "\x1b" not in shown
    assert "left out: Modelfile: no room" in shown
    house.session.event("exported", "told by an earlier version", "export", folder="/some/place")
    assert datatune("show", finished, "export").out == "20 examples in /some/place\n"


def test_an_export_that_was_not_made_is_said(datatune: Datatune, house: House) -> None:
    house.pipeline(until="retrieve")
    said = datatune("show", house.session.run, "export")
    assert said.code == ExitCode.BAD_INPUT and "was not exported yet" in said.err


def test_a_stage_not_reached_is_said(datatune: Datatune, house: House) -> None:
    house.pipeline(until="retrieve")
    said = datatune("show", house.session.run, "plan")
    assert said.code == ExitCode.BAD_INPUT and "has not reached plan" in said.err and "retrieve" in said.err


def test_a_run_is_exported_again_where_it_is_told(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    said = datatune("export", finished, "--to", tmp_path / "out", "--json")
    assert said.code == 0 and said.json["examples"] == 20
    assert len((tmp_path / "out" / "examples.jsonl").read_text().splitlines()) == 20


def test_a_run_that_is_over_cannot_be_cancelled(datatune: Datatune, finished: str) -> None:
    said = datatune("cancel", finished)
    assert said.code == ExitCode.BAD_INPUT and "not at work" in said.err


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_saved_checked_and_never_overwritten_unasked(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    assert datatune("plan", "save", finished, file, "--json").json["file"] == str(file)
    text = file.read_text(encoding="utf-8")
    again = datatune("plan", "save", finished, file)
    assert again.code == ExitCode.BAD_INPUT and "there already" in again.err and file.read_text(encoding="utf-8") == text
    assert datatune("plan", "save", finished, file, "--force").code == 0
    checked = datatune("plan", "check", file, "--dataset", "local/notes", "--task", task_file(tmp_path), "--json")
    assert checked.code == 0 and checked.json["trial"]["made"] == 60 and not checked.json["problems"]
    file.write_text(text.replace("weather", "wether"), encoding="utf-8")
    wrong = datatune("plan", "check", file, "--dataset", "local/notes", "--task", task_file(tmp_path), "--json")
    assert wrong.code == ExitCode.BAD_INPUT and wrong.json["problems"][0]["severity"] == "error" and wrong.json["trial"] is None


def test_a_runner_up_that_is_not_there_is_refused(datatune: Datatune, finished: str, tmp_path: Path) -> None:
    said = datatune("plan", "save", finished, tmp_path / "p.toml", "--runner-up", "99")
    assert said.code == ExitCode.BAD_INPUT and "runners-up" in said.err and not (tmp_path / "p.toml").exists()


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────


def test_models_are_listed_and_what_is_none_is_refused(datatune: Datatune, tmp_path: Path) -> None:
    assert isinstance(datatune("models", "list", "--json").json, list)
    file = tmp_path / "no.gguf"
    file.write_bytes(b"not a model")
    for arguments in (("add", file), ("verify", file), ("add", tmp_path / "nowhere.gguf")):
        said = datatune("models", *arguments, "--json")
        assert said.code == ExitCode.UNAVAILABLE and said.json["error"] and "Traceback" not in said.err


# ── mistakes of ours ──────────────────────────────────────────────────────────────────────────────────────


def test_a_mistake_of_ours_is_one_line_with_the_traceback_in_a_file(
    datatune: Datatune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: object) -> None:
        raise ZeroDivisionError("nobody saw this coming")

    monkeypatch.setattr("engine.config.read_task", broken)
    said = datatune("run", task_file(tmp_path), "--json")
    assert said.code == ExitCode.CRASHED and said.json["state"] == "refused"
    assert "unexpected ZeroDivisionError" in said.err and "Traceback" not in said.err
    (log,) = (tmp_path / "home" / "logs").glob("*")
    assert "nobody saw this coming" in log.read_text(encoding="utf-8")


# ── synthetic examples ────────────────────────────────────────────────────────────────────────────────────


def test_synthetic_examples_are_shown_with_model_and_reasons(datatune: Datatune, house: House) -> None:
    ending = house.pipeline(dataset="none", options={"generate": {"examples": 8, "topics": 10, "votes": 0, "near_duplicate": 1.1}})
    runs.finish_run(house.connection, house.session.run, "done", "8 examples", 0, ending.examples)
    shown = datatune("show", house.session.run, "generate").out
    assert "model generate" in shown and "examples 8" in shown and "outputs: " in shown and "topics: " in shown
    assert datatune("show", house.session.run, "generate", "--json").json[0]["record"]["examples"] == 8


@pytest.mark.parametrize("more", [(), ("--synthetic", "0"), ("--set", "generate.examples=0")])
def test_no_data_set_and_no_synthetic_examples_leave_nothing_to_do(datatune: Datatune, tmp_path: Path, more: tuple[str, ...]) -> None:
    task = tmp_path / "task.toml"
    task.write_text('[task]\ndescription = "Write a title for a note."\n', encoding="utf-8")
    said = datatune("run", task, "--dataset", "none", *more)
    assert said.code == ExitCode.BAD_INPUT and "--synthetic" in said.err


def test_a_number_below_zero_is_refused(datatune: Datatune, tmp_path: Path) -> None:
    task = tmp_path / "task.toml"
    task.write_text('[task]\ndescription = "Write a title for a note."\n', encoding="utf-8")
    assert datatune("run", task, "--synthetic", "-3").code == ExitCode.BAD_INPUT
