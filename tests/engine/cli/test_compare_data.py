"""datatune compare-data: one table over the sources of runs, with and without models."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.store import runs
from engine.store.steps import steps_of_run
from tests.engine.cli.conftest import Datatune
from tests.engine.stages.house import WEATHER, House, notes, only


@pytest.fixture
def judge(tmp_path: Path) -> str:
    """A script that knows the weather of notes, with marks for everything else."""
    rules = [
        {"match": r"answer with its right output.*(?:sand was too hot|shade all day|laundry dried)[^\n]*\n<\|assistant", "text": "sun"},
        {"match": r"How hard is it.*very easy, 2 easy", "text": "2"},
        {"match": r"How hard is it", "text": "4"},
    ]
    file = tmp_path / "judge.json"
    file.write_text(json.dumps({"name": "judge", "rules": rules}))
    return f"scripted:{file}"


def test_a_run_is_set_out_in_one_table_without_any_model(datatune: Datatune, finished: str) -> None:
    said = datatune("compare-data", finished)
    assert said.code == 0
    assert "transformed: notes" in said.out and "self-ROUGE-L" in said.out and "cc-by-4.0 20" in said.out and "20 copied" in said.out
    assert "found right" not in said.out and "judge" not in said.err


def test_json_holds_all_figures_and_the_map(datatune: Datatune, finished: str) -> None:
    found = datatune("compare-data", finished, "--examples", 12, "--json").json["comparison"]
    (source,) = found["sources"]
    assert source["examples"] == 12 and source["stored"] == 20 and set(source["repeats"]) == {"0.7", "0.8", "0.9"}
    assert len(found["map"]["map"]["x"]) == 12 and found["embedder"].startswith("hashing") and found["regions"] == []


def test_two_runs_are_two_sources(datatune: Datatune, house: House, finished: str) -> None:
    house.add("more", notes(90, start=500), "---\nlicense: mit\n---\n# More weather notes\n\nThe weather of notes: sun, rain or snow.")
    house.pipeline(dataset="local/more", options={"execute": {"examples": 30}})
    said = datatune("compare-data", finished, house.session.run)
    assert said.code == 0 and "2 sources" in said.out and "at 20 examples each" in said.out
    assert "transformed: notes and transformed: more" in said.out and "halves of one source" in said.out
    merged = datatune("compare-data", finished, house.session.run, "--by", "kind", "--json").json["comparison"]
    assert only(merged["sources"])["name"] == "transformed" and only(merged["sources"])["stored"] == 50


def test_a_judge_is_asked_once_its_cost_told_first_and_its_error_shown(
    datatune: Datatune, house: House, finished: str, judge: str, tmp_path: Path
) -> None:
    known = tmp_path / "known.jsonl"
    lines = [{"input": note["note"], "output": note["weather"]} for note in notes(45, start=900)]
    known.write_text("".join(json.dumps(line) + "\n" for line in lines))
    first = datatune("compare-data", finished, "--judge", judge, "--known", known, "--judged", 20)
    assert first.code == 0
    assert "judge: at most 105 calls of judge" in first.err and "new answers" in first.err
    for words in ("found right by the judge", "of known right ones", "of known wrong ones", "difficulty 1 to 5"):
        assert words in first.out
    again = datatune("compare-data", finished, "--judge", judge, "--known", known, "--judged", 20)
    assert again.out == first.out and "new answers" not in again.err


@pytest.mark.parametrize("form", ["csv", "jsonl", "bigbench", "gone"])
def test_it_is_held_against_a_test_of_any_form(datatune: Datatune, house: House, tmp_path: Path, form: str) -> None:
    lines = [{"input": note["note"], "output": note["weather"]} for note in notes(90)]
    if form == "csv":
        (tmp_path / "mine.csv").write_text("input,output\n" + "".join(f'"{line["input"]}",{line["output"]}\n' for line in lines))
    elif form == "jsonl":
        (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif form == "bigbench":
        (tmp_path / "mine.bigbench").mkdir()
        examples = [{"input": line["input"], "target": line["output"]} for line in lines]
        (tmp_path / "mine.bigbench" / "task.json").write_text(json.dumps({"examples": examples}))
    file = tmp_path / f"mine.{form}"
    house.pipeline(options={"execute": {"examples": 20}}, until="execute")
    task = msgspec.structs.replace(WEATHER, test=str(file))
    house.connection.execute("UPDATE runs SET task = ? WHERE id = ?", (msgspec.json.encode(task).decode(), house.session.run))
    said = datatune("compare-data", house.session.run, "--json").json
    (source,) = said["comparison"]["sources"]
    assert source["of_test"] == (0 if form == "gone" else 9)
    if form == "gone":
        (told,) = (one for one in said["notes"] if "not held against the test" in one)
        assert "mine.gone" in told and str(tmp_path) not in told


def test_a_run_that_goes_on_is_compared_by_what_it_has(datatune: Datatune, house: House, finished: str) -> None:
    step = next(step for step in steps_of_run(house.connection, finished) if step.stage == "execute")
    house.connection.execute(
        "UPDATE steps SET state = 'running', owner_pid = ?, owner_started = ? WHERE fingerprint = ?",
        (house.session.owner.pid, house.session.owner.started, step.fingerprint),
    )
    house.connection.execute("UPDATE runs SET state = 'running' WHERE id = ?", (finished,))
    assert "20 so far" in datatune("compare-data", finished).out


def test_what_cannot_be_compared_is_told_in_a_line(datatune: Datatune, house: House, finished: str, tmp_path: Path) -> None:
    assert datatune("compare-data", "zzzzzz").code == 2
    assert "--known needs --judge" in datatune("compare-data", finished, "--known", tmp_path / "x.jsonl").err
    empty = runs.create_run(house.connection, WEATHER, runs.RunSettings())
    assert "no examples yet" in datatune("compare-data", empty).err
