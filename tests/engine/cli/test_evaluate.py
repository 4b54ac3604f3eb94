"""datatune evaluate and datatune predict, from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest

from tests.engine.cli.conftest import Datatune
from tests.engine.evaluate.made import bigbench, lines

TASK = """
[task]
name = "weather"
description = "Say what weather a note speaks of."
metric = "accuracy"
test = "test.jsonl"
[task.output]
kind = "label"
labels = ["sun", "rain"]
[[task.examples]]
input = "The beach was full."
output = "sun"
[[task.examples]]
input = "It poured."
output = "rain"
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    rows = [
        {"input": f"{'The beach was full' if number % 2 else 'It poured'} on day {number}.", "output": "sun" if number % 2 else "rain"}
        for number in range(20)
    ]
    lines(tmp_path / "test.jsonl", rows)
    (tmp_path / "task.toml").write_text(TASK)
    return tmp_path / "task.toml"


def script(folder: Path, name: str, *rules: tuple[str, str]) -> str:
    """A model that answers by the last line that fits."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"name": name, "log": f"{name}.log", "rules": [{"match": match, "text": text} for match, text in rules]}))
    return f"scripted:{file}"


@pytest.fixture
def good(tmp_path: Path) -> str:
    rain, sun = r"poured[^\n]*(\nOutput:)?$", r"beach[^\n]*(\nOutput:)?$"
    return script(tmp_path, "good", (rf"\[user\].*{rain}", "[-3, -0.1]"), (rain, "[-3, -0.1]"), (sun, "[-0.1, -3]"))


@pytest.fixture
def weak(tmp_path: Path) -> str:
    return script(tmp_path, "weak", ("", "[-0.1, -3]"))


def test_figures_come_with_n_and_interval_cost_first(datatune: Datatune, task: Path, good: str, tmp_path: Path) -> None:
    said = datatune("evaluate", task, "--model", good, "--shots", "0,2")
    assert said.code == 0
    assert "★ accuracy, sum" in said.out and "1.000 (0.832 to 1.000) n 20" in said.out and "0 chance, 100 all right" in said.out
    assert "good: at most" in said.err and said.err.index("at most") < said.err.index("new answers")
    assert "best of 5 on 2 examples" in said.out and "descriptive: 20 independent items" in said.out
    calls = len((tmp_path / "good.log").read_text().splitlines())
    again = datatune("evaluate", task, "--model", good, "--shots", "0,2")
    assert again.out == said.out and "new answers" not in again.err
    assert len((tmp_path / "good.log").read_text().splitlines()) == calls


def test_two_models_are_compared_item_by_item(datatune: Datatune, task: Path, good: str, weak: str) -> None:
    found = datatune("evaluate", task, "--model", good, "--compare", weak, "--json").json["evaluation"]
    difference = found["comparison"]["difference"]
    assert difference["estimate"]["value"] == 0.5 and difference["estimate"]["n"] == 20 and "McNemar" in difference["test"]
    assert difference["p"] == pytest.approx(2 / 2**10) and found["comparison"]["share"] is None
    said = datatune("evaluate", task, "--model", good, "--compare", weak).out
    assert "model 1 less model 2, accuracy, sum: +0.500" in said and "rain" in said and "sun 10" in said


def test_a_published_task_needs_no_task_file(datatune: Datatune, weak: str, tmp_path: Path) -> None:
    examples = [{"input": f"Number {number}", "target_scores": {"even": 1 - number % 2, "odd": number % 2}} for number in range(40)]
    folder = bigbench(tmp_path / "parity", examples, append_choices_to_input=False)
    found = datatune("evaluate", folder, "--model", weak, "--items", 12, "--shots", "0,2", "--json").json["evaluation"]
    assert found["items"] == 12 and found["examples"] == 28 and found["metric"] == "accuracy, sum"
    assert "CANARY" not in json.dumps(found)


def test_bad_questions_get_a_line(datatune: Datatune, task: Path, weak: str, tmp_path: Path) -> None:
    assert "--shots x" in datatune("evaluate", task, "--model", weak, "--shots", "x").err
    assert datatune("evaluate", tmp_path / "none.toml", "--model", weak).code == 2
    assert "no such test file" in datatune("evaluate", task, "--model", weak, "--test", tmp_path / "none.csv").err
    assert datatune("evaluate", task, "--model", "scripted:nowhere").code == 6
    (tmp_path / "bare.toml").write_text(TASK.replace('test = "test.jsonl"\n', ""))
    assert "has no test" in datatune("evaluate", tmp_path / "bare.toml", "--model", weak).err


def test_a_file_comes_back_with_a_column_more(datatune: Datatune, task: Path, good: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,note\n1,It poured and poured.\n2,\n3,The beach again.\n")
    said = datatune("predict", task, tmp_path / "in.csv", "--column", "note", "--model", good, "--to", tmp_path / "out.csv")
    assert said.code == 0 and "3 rows, 2 with an answer" in said.out and "1 without: no input" in said.out
    assert [*csv.reader((tmp_path / "out.csv").open())] == [
        ["id", "note", "output"],
        ["1", "It poured and poured.", "rain"],
        ["2", "", ""],
        ["3", "The beach again.", "sun"],
    ]
    again = datatune("predict", task, tmp_path / "in.csv", "--column", "note", "--model", good, "--to", tmp_path / "out.jsonl")
    assert "new answers" not in again.err
    read = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert read[0] == {"id": "1", "note": "It poured and poured.", "output": "rain"} and read[1]["output"] is None


def test_a_number_is_an_input_nought_too(datatune: Datatune, task: Path, good: str, tmp_path: Path) -> None:
    rows = lines(tmp_path / "in.jsonl", [{"input": 0}, {"input": None}, {"input": 1.5}])
    said = datatune("predict", task, rows, "--model", good, "--to", tmp_path / "out.jsonl", "--json").json["predicted"]
    assert said["answered"] == 2


def test_workbooks_go_in_and_out_without_formulas(datatune: Datatune, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[task]\ndescription = "Write a formula."\n')
    model = script(tmp_path, "rogue", ("", "=cmd|'/c calc'!A1"))
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (("input", "number"), ("one", 1), ("two", -2.5)):
        sheet.append(row)
    book.save(tmp_path / "in.xlsx")
    said = datatune("predict", tmp_path / "task.toml", tmp_path / "in.xlsx", "--model", model, "--to", tmp_path / "out.xlsx", "--json").json
    assert said["predicted"]["guarded"] == 2 and said["predicted"]["answered"] == 2
    rows = [*openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0].iter_rows(values_only=True)]
    assert rows == [("input", "number", "output"), ("one", "1", "'=cmd|'/c calc'!A1"), ("two", "-2.5", "'=cmd|'/c calc'!A1")]
    datatune("predict", tmp_path / "task.toml", tmp_path / "in.xlsx", "--model", model, "--to", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["output"] == "=cmd|'/c calc'!A1"


def test_nothing_is_asked_where_nothing_could_be_written(datatune: Datatune, task: Path, weak: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,note\n1,It poured.\n")
    asked = ("predict", task, tmp_path / "in.csv", "--model", weak)
    assert "no column 'input'" in datatune(*asked, "--to", tmp_path / "o.csv").err
    assert "did you mean 'note'" in datatune(*asked, "--to", tmp_path / "o.csv", "--column", "notes").err
    assert "a column 'id' already" in datatune(*asked, "--to", tmp_path / "o.csv", "--column", "note", "--into", "id").err
    assert "not a format" in datatune(*asked, "--to", tmp_path / "o.doc").err
    late = lines(
        tmp_path / "late.jsonl", [*({"note": f"It poured {number}."} for number in range(1200)), {"note": "Sun.", "output": "mine"}]
    )
    assert (
        "a column 'output' already" in datatune("predict", task, late, "--column", "note", "--model", weak, "--to", tmp_path / "o.csv").err
    )
    assert "is there already" in datatune(*asked, "--to", tmp_path / "in.csv").err
    assert "no folder" in datatune(*asked, "--to", tmp_path / "none" / "o.csv").err
    assert not (tmp_path / "weak.log").exists()


def test_a_run_stands_for_its_task(datatune: Datatune, finished: str, weak: str, tmp_path: Path) -> None:
    model = script(tmp_path, "three", ("", "[-1, -0.5, -2]"))
    (tmp_path / "in.jsonl").write_text('{"note": "It froze."}\n')
    said = datatune("predict", finished, tmp_path / "in.jsonl", "--model", model, "--to", tmp_path / "out.tsv", "--json").json["predicted"]
    assert said["outputs"] == {"rain": 1} and (tmp_path / "out.tsv").read_text() == "note\toutput\nIt froze.\train\n"
    test = lines(tmp_path / "t.jsonl", [{"input": f"It froze {number}.", "output": "rain"} for number in range(4)])
    found = datatune("evaluate", finished, "--model", model, "--test", test, "--shots", "0", "--json").json["evaluation"]
    assert found["models"][0]["results"][0]["figures"][0]["estimate"]["value"] == 1
    assert datatune("evaluate", "zzzz", "--model", model).code == 2
