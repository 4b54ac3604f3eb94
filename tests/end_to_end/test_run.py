"""The main job through the real command line, with a scripted model and with no model at all."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def examples_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_plan_file_turns_a_folder_into_right_examples(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan, "--to", bench.folder / "out")
    assert ended.code == 0, ended.err
    assert ended.last["state"] == "done" and ended.last["examples"] == 60
    rows = [json.loads(line) for line in (bench.data / "train.jsonl").read_text().splitlines()]
    made = examples_of(bench.folder / "out")
    assert len(made) == 60
    for example in made:
        row = rows[example["source"]["row"]]
        assert example["input"] == row["note"]
        assert example["output"] == {"S": "sun", "R": "rain", "W": "snow"}[row["kind"]]
        assert example["output_origin"] == "derived"


def test_rows_are_drawn_over_the_whole_file_not_from_its_start(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan, "--set", "execute.examples=12", "--to", bench.folder / "out")
    assert ended.code == 0, ended.err
    drawn = [example["source"]["row"] for example in examples_of(bench.folder / "out")]
    assert len(drawn) == 12 and max(drawn) > 40 and min(drawn) < 20


def test_a_data_set_whose_labels_say_nothing_is_refused(bench: Workbench) -> None:
    ended = bench.datatune("run", bench.task, "--dataset", bench.data, "--model", bench.script(), "--model", "embed=hashing", "--json")
    assert ended.code == 3, "S, R and W say nothing of sun, rain and snow, so guessing would be wrong"
    assert ended.last["state"] == "failed" and ended.last["examples"] == 0 and ended.last["reason"]


def test_a_written_output_says_so_and_each_call_is_stored_once(bench: Workbench) -> None:
    model = bench.script(log="calls.jsonl")
    first = bench.run(bench.writing_task, bench.writing_plan, "--model", model, "--to", bench.folder / "out")
    assert first.code == 0, first.err
    assert {example["output_origin"] for example in examples_of(bench.folder / "out")} == {"written"}
    calls = (bench.folder / "calls.jsonl").read_text().splitlines()
    assert len(calls) == 60
    again = bench.run(bench.writing_task, bench.writing_plan, "--model", model)
    assert again.code == 0 and again.last["examples"] == 60
    assert (bench.folder / "calls.jsonl").read_text().splitlines() == calls


def test_an_edited_plan_repeats_only_calls_whose_prompts_changed(bench: Workbench) -> None:
    model = bench.script(log="calls.jsonl")
    assert bench.run(bench.writing_task, bench.writing_plan, "--model", model).code == 0
    edited = bench.write("edited.toml", bench.writing_plan.read_text().replace('output = "{{ title }}"', 'output = "{{ title }}!"'))
    ended = bench.run(bench.writing_task, edited, "--model", model, "--to", bench.folder / "out")
    assert ended.code == 0, ended.err
    assert all(example["output"].endswith("!") for example in examples_of(bench.folder / "out"))
    assert len((bench.folder / "calls.jsonl").read_text().splitlines()) == 60


def test_a_cut_off_answer_is_a_failure_with_its_reason(bench: Workbench) -> None:
    cut = {"match": "number 7\\b", "text": '{"title": "No', "finish": "length"}
    model = bench.script(rules=[cut, {"match": "number (\\d+)", "text": '{"title": "T \\1"}'}])
    ended = bench.run(bench.writing_task, bench.writing_plan, "--model", model)
    assert ended.code == 0, ended.err
    assert ended.last["examples"] == 59
    shown = bench.datatune("show", ended.last["run"], "--failures", "--json")
    (failure,) = json.loads(shown.out)
    assert "cut off by length" in failure["reason"] and "No" in failure["trace"]


def test_counts_of_units_add_up(bench: Workbench) -> None:
    plan = bench.write("some.toml", bench.mapping_plan.read_text().replace(', W = "snow"', ""))
    ended = bench.run(bench.task, plan, "--set", "execute.examples=20")
    shown = bench.datatune("show", ended.last["run"], "execute", "--json")
    record = json.loads(shown.out)[0]["record"]
    parts = sum(record.get(name, 0) for name in ("examples", "rejected", "failed", "skipped", "surplus"))
    assert record["units"] == parts and record["skipped"] > 0 and sum(record["reasons"].values()) == record["skipped"]


def test_until_stops_early_and_a_later_export_needs_no_model(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan, "--until", "execute")
    assert ended.code == 0 and ended.last["examples"] == 60
    assert not (bench.home / "exports").exists() or not list((bench.home / "exports").iterdir())
    assert "examples.jsonl" in bench.exported(ended.last["run"])


def test_an_export_lies_under_the_home_unless_told_otherwise(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan)
    (folder,) = (bench.home / "exports").iterdir()
    assert str(folder) in ended.last["reason"]


def test_detach_returns_at_once_and_the_run_goes_on(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan, "--detach")
    assert ended.code == 0 and ended.last["state"] == "started"
    shown = bench.datatune("show", ended.last["run"], "--follow", "--json")
    assert json.loads(shown.out)["state"] == "done" and json.loads(shown.out)["examples"] == 60


def test_a_budget_ends_a_run_with_what_it_has(bench: Workbench) -> None:
    bench.write_data(400)
    model = bench.script(delay=0.05)
    ended = bench.run(bench.writing_task, bench.writing_plan, "--model", model, "--budget", "8s")
    assert ended.code == 0, ended.err
    assert 0 < ended.last["examples"] < 400
    assert "budget" in ended.last["reason"]


def test_plans_can_be_saved_edited_checked_and_applied(bench: Workbench) -> None:
    ended = bench.run(bench.task, bench.mapping_plan)
    saved = bench.folder / "saved.toml"
    assert bench.datatune("plan", "save", ended.last["run"], saved).code == 0
    text = saved.read_text()
    assert bench.datatune("plan", "check", saved, "--dataset", bench.data, "--task", bench.task).code == 0
    saved.write_text(text.replace("note", "notte"))
    wrong = bench.datatune("plan", "check", saved, "--dataset", bench.data, "--task", bench.task)
    assert wrong.code == 2 and "notte" in wrong.out
    saved.write_text(text)
    applied = bench.datatune("plan", "apply", saved, bench.task, "--dataset", bench.data, "--json")
    assert applied.code == 0 and applied.last["examples"] == 60


def test_the_database_stays_whole(bench: Workbench) -> None:
    bench.run(bench.task, bench.mapping_plan)
    connection = sqlite3.connect(bench.home / "datatune.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nothing_of_the_test_a_task_file_names_is_in_the_export(bench: Workbench) -> None:
    """The test's path counts from the task file, wherever the engine is at work; rows 3 and 40 are hidden in it, dressed otherwise."""
    rows = [json.loads(line) for line in (bench.data / "train.jsonl").read_text().splitlines()]
    hidden = [rows[number]["note"] for number in (3, 40)]
    bench.write("held-out.csv", "input,output\n" + "".join(f'"Which weather? {note.upper()}",sun\n' for note in hidden))
    task = bench.write("tested.toml", bench.task.read_text().replace("[task]\n", '[task]\ntest = "held-out.csv"\n'))
    ended = bench.run(task, bench.mapping_plan, "--to", bench.folder / "out")
    assert ended.code == 0, ended.err
    made = examples_of(bench.folder / "out")
    assert ended.last["examples"] == len(made) and not {example["input"] for example in made} & set(hidden)
    (step,) = json.loads(bench.datatune("show", ended.last["run"], "mix", "--json").out)
    (source,) = step["record"]["sources"]
    counts = source["counts"]
    assert counts["leaked"] == 60 - len(made) >= 2 and counts["offered"] == 60
    shown = bench.datatune("show", ended.last["run"], "mix").out
    assert "IN THE TEST" in shown and f"{counts['leaked']} examples held 2 items of the test" in shown
    failures = bench.datatune("show", ended.last["run"], "--failures").out
    assert "mix 0:train:3  rejected: in the test or the examples given: holds" in failures and "item 1 of the test" in failures
    assert str(bench.folder) not in (bench.folder / "out" / "manifest.json").read_text()
