"""What would go wrong after hours is said before anything starts, in one line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.cli.run import check_models, run_settings
from engine.config import parse_task
from engine.errors import BadInput, ExitCode, StoreUnusable, Unavailable
from engine.export.folder import check_target
from engine.roles import absolute_spec
from engine.store import runs
from engine.store.runs import RunSettings
from engine.whole_file import must_be_writable
from models.llama_cpp.options import parse_options
from tests.engine.cli.conftest import Datatune
from tests.engine.cli.test_commands import TASK, task_file
from tests.engine.stages.house import House, notes


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--to", "full"), ExitCode.BAD_INPUT, "not empty, and not an earlier export"),
        (("--to", "full/a.txt"), ExitCode.BAD_INPUT, "a file, not a folder"),
        (("--to", "/proc/nothing"), ExitCode.STORE_UNUSABLE, "cannot be written: /proc"),
        (("--seed", "-1"), ExitCode.BAD_INPUT, "--seed"),
        (("--seed", str(2**32)), ExitCode.BAD_INPUT, "--seed"),
        (("--dataset", "full/b.csv"), ExitCode.BAD_INPUT, "a file"),
        (("--model", "generate=/nowhere/x.gguf"), ExitCode.UNAVAILABLE, "role generate: "),
        (("--finetune", "/nowhere/x.gguf"), ExitCode.UNAVAILABLE, "/nowhere/x.gguf"),
    ],
)
def test_a_run_that_could_not_end_does_not_begin(
    datatune: Datatune, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "full").mkdir()
    for name in ("a.txt", "b.csv"):
        (tmp_path / "full" / name).write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = len(runs.list_runs(house.connection))
    ended = datatune("run", task_file(tmp_path), *arguments)
    assert ended.code == code and said in ended.err and len(ended.err.splitlines()) <= 3
    assert len(runs.list_runs(house.connection)) == before


def test_a_folder_is_a_base_and_no_model_that_answers(tmp_path: Path) -> None:
    file = parse_task(TASK, "t.toml")

    def made(*models: str) -> RunSettings:
        settings = run_settings(file, tmp_path, "", (), "", ("finetune.train=true",), models, 0, "", None)
        check_models(models, settings)
        return settings

    assert made(f"base={tmp_path}").models == {"base": str(tmp_path)} and made("base=dry-run").models == {"base": "dry-run"}
    with pytest.raises(Unavailable, match="role execute: "):
        made(f"execute={tmp_path}")


def test_a_model_that_is_not_asked_need_not_be_here(tmp_path: Path) -> None:
    given = ("base=/elsewhere/x.gguf",)
    settings = run_settings(parse_task(TASK, "t.toml"), tmp_path, "", (), "", (), given, 0, "", None)
    check_models(given, settings)
    with pytest.raises(Unavailable, match="role base: "):
        check_models(given, msgspec.structs.replace(settings, experiment=True))


def test_an_id_is_an_id_whatever_lies_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "squad").write_text("notes of mine")
    monkeypatch.chdir(tmp_path)
    assert run_settings(parse_task(TASK, "t.toml"), tmp_path, "squad", (), "", (), (), 0, "", None).dataset == "squad"


def test_an_adapter_is_named_from_where_it_is_given_whatever_its_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "a, b %20 #c"
    made = absolute_spec("smollm2#sequences=1,adapter=x.gguf", folder)
    assert parse_options(made.rpartition("#")[2]).adapter == str(folder / "x.gguf")
    assert absolute_spec(made, Path("/")) == made


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_refusal_under_json_has_its_exit_code(datatune: Datatune, tmp_path: Path, command: str) -> None:
    said = datatune(command, tmp_path / "none.toml", "--json").json
    assert (said["run"], said["state"], said["exit_code"]) == (None, "refused", ExitCode.BAD_INPUT)


@pytest.mark.parametrize("command", [("evaluate",), ("compare",), ("report", "--to", "x.html"), ("compare-data",)])
def test_a_seed_below_zero_is_refused_everywhere(datatune: Datatune, command: tuple[str, ...]) -> None:
    said = datatune(*command, "abc", "--seed", "-1")
    assert said.code == ExitCode.BAD_INPUT and "--seed" in said.err


@pytest.mark.parametrize("place", ["", "/proc/x.html"])
def test_a_report_that_could_not_be_written_measures_nothing(datatune: Datatune, finished: str, tmp_path: Path, place: str) -> None:
    said = datatune("report", finished, "--to", place or tmp_path)
    assert said.code == ExitCode.BAD_INPUT and ("is a folder" in said.err or "cannot be written: /proc" in said.err)


def test_where_a_file_can_be_put_is_tried(tmp_path: Path) -> None:
    must_be_writable(tmp_path / "new" / "x.csv")
    check_target(tmp_path / "new" / "export")
    assert not list(tmp_path.iterdir()), "nothing is left of the trial"
    with pytest.raises(BadInput, match="cannot be written: /proc"):
        must_be_writable(Path("/proc/x.csv"))
    with pytest.raises(StoreUnusable, match="cannot be written: /proc"):
        check_target(Path("/proc/x"))


def test_an_export_goes_to_the_home_that_is_meant(
    datatune: Datatune, finished: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert datatune("export", finished, "--to", "~/out").code == 0
    assert (tmp_path / "out").is_dir() and not (tmp_path / "~").exists()


def test_a_number_of_examples_may_be_written_in_any_way_a_run_takes(datatune: Datatune, house: House, tmp_path: Path) -> None:
    ending = house.pipeline(options={"execute": {"examples": 2e1}})
    runs.finish_run(house.connection, house.session.run, "done", "20 examples", 0, ending.examples)
    assert datatune("export", house.session.run, "--to", tmp_path / "out", "--json").json["examples"] == 20


def test_a_task_without_data_set_has_something_to_write(datatune: Datatune, tmp_path: Path) -> None:
    task = task_file(tmp_path)
    task.write_text(TASK.replace("[task]\n", '[task]\ndataset = "none"\n'))
    said = datatune("run", task)
    assert said.code == ExitCode.BAD_INPUT and "--synthetic" in said.err


def test_files_of_a_folder_that_are_not_read_are_told(datatune: Datatune, house: House, tmp_path: Path) -> None:
    folder = house.write("mixed", notes(12), "# Notes\n\nNotes with their weather.")
    (folder / "more.xlsx").write_bytes(b"no workbook")
    added = datatune("catalog", "add", folder, "--json").json
    (unread,) = added["unread"]
    assert added["added"] == 1 and added["refused"] == [] and unread["what"] == str(folder) and "more.xlsx: " in unread["reason"]
    assert f"in {folder}: more.xlsx: " in datatune("catalog", "add", folder).out


def test_the_demos_task_is_told_in_json_too(datatune: Datatune) -> None:
    text = datatune("demo", "--show-task").out
    assert datatune("demo", "--show-task", "--json").json["task"] == text and "[task]" in text


@pytest.mark.parametrize("command", [("show",), ("report", "--to", "x.html"), ("bundle", "--to", "x.datatune")])
def test_before_the_first_run_there_is_none_of_this_id(datatune: Datatune, tmp_path: Path, command: tuple[str, ...]) -> None:
    said = datatune(command[0], "abc", *command[1:])
    assert said.code == ExitCode.BAD_INPUT and "there are no runs yet" in said.err
