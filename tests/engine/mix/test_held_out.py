"""The user's test, read whole in every format it may have."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.mix.held_out import columns_taken, digest_of_test, items_of_test
from engine.records import TaskExample
from tests.engine.test_answer_file import ROWS, written

ITEMS = tuple(TaskExample(row["input"], row["output"]) for row in ROWS)


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.csv", "t.tsv", "t.parquet", "t.xlsx"])
def test_every_item_is_read_in_each_format(tmp_path: Path, name: str) -> None:
    assert items_of_test(str(written(tmp_path, name))) == ITEMS


def test_all_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"input": f"{n} " + "x" * 400, "output": "y"}) + "\n" for n in range(25_000)))
    assert len(items_of_test(str(path))) == 25_000


@pytest.mark.parametrize(
    ("row", "item"),
    [
        ({"Input": "a", "Output": "b", "id": 3}, TaskExample("a", "b")),
        ({"input": "a", "target": "b"}, TaskExample("a", "")),
        ({"question": "a", "answer": "b"}, TaskExample("a", "b")),
        ({"context": "a", "question": "b", "choices": ["c", "d"], "gone": None}, TaskExample("a\nb\nc\nd", "")),
        ({"input": {"premise": "a", "claim": "b"}, "output": 1}, TaskExample("a\nb", "1")),
    ],
)
def test_columns_of_other_names_are_items_too(tmp_path: Path, row: dict[str, object], item: TaskExample) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    assert items_of_test(str(tmp_path / "t.jsonl")) == (item,)


@pytest.mark.parametrize(
    ("text", "item", "taken"),
    [
        ("label,text\nsun,It shone.\n", TaskExample("It shone.", "sun"), "column text is taken"),
        ("text,label\nIt shone.,sun\n", TaskExample("It shone.", "sun"), "column text is taken"),
        ("id,question\n17,Did it shine?\n", TaskExample("Did it shine?", ""), "column question is taken"),
        ("number,words\n12,twelve\n", TaskExample("twelve", ""), "column words is taken"),
        ("digits,words\n12,twelve\n", TaskExample("12", "twelve"), "column digits is taken"),
        ("output,question\nyes,Did it shine?\n", TaskExample("Did it shine?", "yes"), "column question is taken"),
        ("id,question,by\n17,Did it shine?,me\n", TaskExample("17\nDid it shine?\nme", ""), "id, question, by, are read as one"),
        ("Input,id\n17,3\n", TaskExample("17", ""), ""),
    ],
)
def test_columns_without_the_usual_names_are_told_by_what_they_hold(tmp_path: Path, text: str, item: TaskExample, taken: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    labels = ("sun", "rain")
    assert items_of_test(str(tmp_path / "t.csv"), labels) == (item,)
    told = columns_taken(str(tmp_path / "t.csv"), labels)
    assert taken in told and bool(taken) == bool(told)


def test_a_file_without_names_of_columns_or_items_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("It shone.,sun\nIt poured.,rain\n")
    with pytest.raises(BadInput, match="the label 'sun' stands where a name of its column should"):
        items_of_test(str(file), ("sun", "rain"))
    file.write_text("label,text\nsun,rain\nsun,It shone.\n")
    assert items_of_test(str(file), ("sun", "rain"))[0] == TaskExample("rain", "sun"), "a file is read in one way, not each row in its own"
    file.write_text("input,output\nx,output\n")
    assert items_of_test(str(file), ("output", "input")) == (TaskExample("x", "output"),)
    file.write_text("text,sun\nIt shone.,yes\n")
    assert items_of_test(str(file), ("sun", "rain")) == (TaskExample("It shone.", "yes"),), "a column may be called so"
    file.write_text("input,output\n")
    with pytest.raises(BadInput, match=r"task\.test: t\.csv holds no items"):
        items_of_test(str(file))


def test_a_json_file_may_hold_its_items_in_a_list_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(json.dumps({"name": "n", "examples": [{"input": "a", "output": "b"}]}))
    assert items_of_test(str(tmp_path / "task.json")) == (TaskExample("a", "b"),)


def test_a_task_of_bigbench_is_read_with_its_subtasks_and_named_by_all_its_files(tmp_path: Path) -> None:
    head, below = tmp_path / "task.json", tmp_path / "part" / "task.json"
    below.parent.mkdir()
    head.write_text(json.dumps({"name": "n", "description": "d"}))
    below.write_text(json.dumps({"examples": [{"input": "What barks?", "target_scores": {"a dog": 1, "a cat": 0}}]}))
    (item,) = items_of_test(str(tmp_path))
    assert "What barks?" in item.input and item.output == "a dog"
    before = digest_of_test(str(tmp_path))
    below.write_text(json.dumps({"examples": [{"input": "What meows?", "target_scores": {"a dog": 0, "a cat": 1}}]}))
    assert digest_of_test(str(tmp_path)) != before
    assert digest_of_test(str(head)) == digest_of_test(str(tmp_path)), "its head stands for all"
    below.write_text("{")
    with pytest.raises(BadInput, match=r"task\.test"):
        items_of_test(str(tmp_path))


def test_what_cannot_be_read_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"input": "a"}\n{"input": \n')
    (tmp_path / "empty-row.jsonl").write_text('{"a": null, "b": null, "c": null}\n')
    (tmp_path / "t.pdf").write_text("x")
    (tmp_path / "t.parquet").write_text("no parquet")
    with pytest.raises(BadInput, match=r"bad\.jsonl"):
        items_of_test(str(tmp_path / "bad.jsonl"))
    with pytest.raises(BadInput, match=r"empty-row\.jsonl, item 1 holds no text"):
        items_of_test(str(tmp_path / "empty-row.jsonl"))
    with pytest.raises(BadInput, match="not a format that is read"):
        items_of_test(str(tmp_path / "t.pdf"))
    with pytest.raises(BadInput, match="no Parquet file"):
        items_of_test(str(tmp_path / "t.parquet"))
    for read in (digest_of_test, items_of_test):
        with pytest.raises(BadInput, match="cannot be read") as refused:
            read(str(tmp_path / "gone.jsonl"))
        assert "mix.leakage=off" in refused.value.hint


def test_the_digest_is_that_of_the_bytes_and_nothing_for_no_test(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"input,output\na,b\n")
    assert digest_of_test(str(tmp_path / "t.csv")) == hashlib.sha256(b"input,output\na,b\n").hexdigest()
    assert digest_of_test("") == ""
