"""Examples pasted in the forms people have them in, and loaded from the usual files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import task_examples
from engine.errors import BadInput
from engine.records import TaskExample
from engine.task_examples import examples_in, pasted


def test_blocks_with_an_arrow_or_with_the_output_on_the_last_line() -> None:
    text = "Where is it?\nI ordered in May. → delivery\n\nMoney back! => refund\r\n\r\nA → B → other\n \nThe box\nis wet.\ndamage"
    assert pasted(text) == (
        TaskExample("Where is it?\nI ordered in May.", "delivery"),
        TaskExample("Money back!", "refund"),
        TaskExample("A → B", "other"),
        TaskExample("The box\nis wet.", "damage"),
    )


def test_two_columns_of_a_spreadsheet() -> None:
    assert pasted('input\toutput\nMoney back!\trefund\n"two\nlines"\tother\n') == (
        TaskExample("Money back!", "refund"),
        TaskExample("two\nlines", "other"),
    )


def test_json_lines() -> None:
    assert pasted('{"input": "a", "output": "b"}\n\n{"output": "d", "input": "c"}') == (TaskExample("a", "b"), TaskExample("c", "d"))
    with pytest.raises(BadInput, match="line 2: no JSON object"):
        pasted('{"input": "a", "output": "b"}\n{"input"')


@pytest.mark.parametrize("text", ["Money back!", "Money back! →", "→ refund", "a\tb\n\nc", ""])
def test_a_text_without_an_output_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        pasted(text)


@example("\t")
@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    try:
        found = pasted(text)
    except BadInput:
        return
    assert all(one.input and one.output for one in found)


def test_the_usual_files(tmp_path: Path) -> None:
    import openpyxl

    rows = [{"input": "a, b", "output": "x"}, {"input": "ü\nö", "output": "y"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "a.csv").write_text('input,output\n"a, b",x\n"ü\nö",y\n', encoding="utf-8")
    (tmp_path / "a.tsv").write_text('text\tlabel\n"a, b"\tx\n"ü\nö"\ty\n', encoding="utf-8")
    book = openpyxl.Workbook()
    assert book.active
    for cells in (("note", "Input", "Output"), ("1", "a, b", "x"), ("2", "ü\nö", "y")):
        book.active.append(cells)
    book.save(tmp_path / "a.xlsx")
    wanted = tuple(TaskExample(row["input"], row["output"]) for row in rows)
    for name in ("a.jsonl", "a.csv", "a.tsv", "a.xlsx"):
        assert examples_in(tmp_path / name) == wanted, name


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.jsonl", '{"input": "a"}\n', "row 1"),
        ("b.jsonl", '{"input": "a", "output": 3}\n', "row 1"),
        ("b.jsonl", "[1]\n", "line 1"),
        ("b.csv", "a,b,c\nd,e,f\n", 'row 1: no "input" and "output" among a, b, c'),
        ("b.csv", "input,output\n", "holds no examples"),
        ("b.xlsx", "no", "no workbook"),
        ("b.jsonl", "\xff", "cannot be read"),
    ],
)
def test_a_file_without_examples_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(BadInput, match=says):
        examples_in(tmp_path / name)
    with pytest.raises(BadInput, match="cannot be read"):
        examples_in(tmp_path / "none.jsonl")


def test_rows_in_plenty_are_no_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_examples, "MOST_EXAMPLES", 3)
    (tmp_path / "c.csv").write_text("input,output\n" + "a,b\n" * 4)
    with pytest.raises(BadInput, match="over 3 examples"):
        examples_in(tmp_path / "c.csv")
    monkeypatch.setattr(task_examples, "MOST_BYTES", 10)
    with pytest.raises(BadInput, match="MB"):
        examples_in(tmp_path / "c.csv")
