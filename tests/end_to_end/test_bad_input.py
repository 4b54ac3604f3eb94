"""Bad input gets one clear line, at most two of hint, exit code 2, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.workbench import TASK, Workbench

WRONG_TASKS = {
    "not TOML": ("[task", "not valid TOML"),
    "no task": ("", "no [task] table"),
    "unknown table": (TASK + "\n[exekute]\nexamples = 3\n", "did you mean 'execute'"),
    "unknown key": (TASK.replace("description", "descripton"), "did you mean 'description'"),
    "unknown option": (TASK + "\n[execute]\nexample = 3\n", "did you mean 'examples'"),
    "wrong type": (TASK + '\n[execute]\nexamples = "many"\n', "execute.examples"),
    "too few": (TASK + "\n[execute]\nexamples = 0\n", "execute.examples"),
    "one label": (TASK.replace('["sun", "rain", "snow"]', '["sun"]'), "two different labels"),
    "foreign output": (TASK.replace('output = "rain"', 'output = "hail"'), "not one of the labels"),
    "unknown role": (TASK + '\n[models]\nexecuter = "smollm2"\n', "unknown role"),
    "unknown kind": (TASK.replace('"label"', '"lable"'), "output.kind"),
    "language": (TASK.replace("[task.output]", 'language = "english please"\n[task.output]'), "language"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("bad"))


def refused(bench: Workbench, *arguments: str | Path, code: int = 2) -> str:
    ended = bench.datatune(*arguments)
    lines = ended.err.strip().splitlines()
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err + ended.out
    assert 1 <= len(lines) <= 3, ended.err
    return ended.err


@pytest.mark.parametrize("name", WRONG_TASKS)
def test_a_wrong_task_file_is_refused_in_one_line(bench: Workbench, name: str) -> None:
    text, said = WRONG_TASKS[name]
    assert said in refused(bench, "run", bench.write("wrong.toml", text))


def test_what_is_not_there_is_named(bench: Workbench) -> None:
    assert "nowhere.toml" in refused(bench, "run", bench.folder / "nowhere.toml")
    assert "no such folder" in refused(bench, "run", bench.task, "--dataset", "./nowhere")
    assert "no run" in refused(bench, "resume", "abcdef")
    assert "no such folder" in refused(bench, "catalog", "add", bench.folder / "nowhere")
    assert "no such stage" in refused(bench, "run", bench.task, "--until", "exekute")
    assert "did you mean" in refused(bench, "run", bench.task, "--set", "execute.exampels=3")
    assert "not a time" in refused(bench, "run", bench.task, "--budget", "soon")
    assert "unknown role" in refused(bench, "run", bench.task, "--model", "exekute=smollm2")


def test_binary_and_non_utf8_files_are_refused(bench: Workbench) -> None:
    path = bench.folder / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    assert "UTF-8" in refused(bench, "run", path)
    assert "folder" in refused(bench, "run", bench.folder)


def test_nothing_is_stored_of_what_was_refused(bench: Workbench) -> None:
    bench.datatune("run", bench.write("wrong.toml", "[task"))
    ended = bench.datatune("runs", "--json")
    assert ended.code == 0 and ended.out.strip() == "[]"


def test_a_refusal_in_json_is_json(bench: Workbench) -> None:
    ended = bench.datatune("run", bench.folder / "nowhere.toml", "--json")
    assert ended.code == 2 and ended.last["state"] == "refused" and "nowhere.toml" in ended.last["reason"]


def test_a_folder_without_data_says_what_is_expected(bench: Workbench) -> None:
    empty = bench.folder / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "notes.docx").write_bytes(b"PK")
    ended = bench.datatune("run", bench.task, "--dataset", empty, "--model", bench.script(), "--json")
    assert ended.code == 2 and ended.last["examples"] == 0 and ended.last["reason"]


def test_a_test_file_that_is_not_there_is_named(bench: Workbench) -> None:
    task = bench.write("tested.toml", TASK.replace("[task.output]", 'test = "nowhere.jsonl"\n[task.output]'))
    assert "nowhere.jsonl" in refused(bench, "run", task)
