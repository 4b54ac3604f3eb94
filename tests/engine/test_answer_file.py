"""Test files: looked at without being read whole, and what is wrong with them told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import answer_file
from engine.answer_file import look_at
from engine.errors import BadInput

ROWS = [{"input": "a, b", "output": "x"}, {"input": "ü\nö", "output": "y"}, {"input": "c", "output": "x"}]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".jsonl"):
        path.write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    elif name.endswith(".json"):
        path.write_text(json.dumps(ROWS))
    elif name.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif name.endswith(".xlsx"):
        import openpyxl

        book = openpyxl.Workbook()
        assert book.active
        for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
            book.active.append(row)
        book.save(path)
    else:
        cut = "\t" if name.endswith(".tsv") else ";"
        path.write_text("".join(f'"{one}"{cut}"{two}"\n' for one, two in [("input", "output"), *(row.values() for row in ROWS)]))
    return path


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.csv", "t.tsv", "t.parquet", "t.xlsx"])
def test_items_columns_and_outputs_are_found_in_each_format(tmp_path: Path, name: str) -> None:
    found = look_at(written(tmp_path, name))
    assert (found.items, found.exact, found.columns, found.outputs) == (3, True, ("input", "output"), ("x", "y"))
    assert found.told(("x", "z")) == "3 items; columns input, output; no labels: y"


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
def test_of_a_long_file_only_the_start_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(answer_file, "LOOKED_AT", 10_000)
    path = tmp_path / name
    one = '{"input": "some words of text", "output": "x"}\n' if name == "t.jsonl" else '"some words\nof text",x\n'
    path.write_text(("" if name == "t.jsonl" else "input,output\n") + one * 5000)
    found = look_at(path)
    assert not found.exact and 4900 < found.items < 5100
    assert found.told().startswith("about ") and found.columns == ("input", "output")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.txt", "x", "not a format"),
        ("t.jsonl", '{"input": "a"}\n{', "line 2: no JSON"),
        ("t.jsonl", "[1]\n", "line 1: no JSON object"),
        ("t.jsonl", "", "holds no items"),
        ("t.csv", "input,output\n", "holds no items"),
        ("t.parquet", "no", "no Parquet file"),
        ("t.xlsx", "no", "no workbook"),
        ("t.json", "7", "no list of JSON objects"),
        ("t.jsonl", "[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_test_file_is_refused_in_one_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(BadInput, match=says) as raised:
        look_at(path)
    assert "\n" not in raised.value.title


def test_columns_of_other_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    assert look_at(tmp_path / "t.csv").told() == "1 item; columns text, label; none is called input or output"
