"""Tables as text and as files: what a spreadsheet or a terminal would act on is made harmless, and a file is there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatune_tui.sheet import SheetFile, lines, tabbed, writable
from engine.errors import BadInput
from engine.safe_cells import is_formula
from engine.whole_file import written_whole

COLUMNS = ("", "OUTPUT", "INPUT")
ROWS = [("✓", "rain", 'two\nlines, and "quotes"'), ("✗", "=1+1", "-5"), ("·", "@sum(a)\x1b]52;c;eA==\x07", " \t+cmd|' /C calc'!A0")]


def saved(path: Path) -> str:
    with SheetFile(path, COLUMNS).open() as file:
        file.put(ROWS[:1])
        file.put(ROWS[1:])
    assert file.written == 3
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("cell", "yes"),
    [
        ("=1", True),
        ("＝1", True),
        ("  @a", True),
        ("-a", True),
        ("-5", False),
        ("+1,000.5", False),
        ("", False),
        ("a=1", False),
        ("-1e5%", False),
        ("-1+1", True),
    ],
)
def test_what_a_spreadsheet_takes_for_a_formula(cell: str, yes: bool) -> None:
    assert is_formula(cell) == yes


@given(st.lists(st.text(max_size=30), min_size=3, max_size=3))
def test_no_cell_that_is_pasted_is_a_formula_or_controls_a_terminal(cells: list[str]) -> None:
    text = tabbed(COLUMNS, [cells])
    assert not set(text) & {chr(n) for n in range(32)} - {"\n", "\t"} and "\x7f" not in text and "\u202e" not in text
    _, row = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    assert len(row) == 3 and not any(map(is_formula, row))


def test_csv_and_tsv_guard_cells_and_say_how_many(tmp_path: Path) -> None:
    for name, cut in (("a.csv", ","), ("a.tsv", "\t")):
        with SheetFile(tmp_path / name, COLUMNS).open() as file:
            file.put(ROWS)
        assert file.guarded == 3
        head, *rows = csv.reader(io.StringIO((tmp_path / name).read_text(encoding="utf-8")), delimiter=cut)
        assert head == list(COLUMNS) and rows[0] == list(ROWS[0])
        assert rows[1] == ["✗", "'=1+1", "-5"] and rows[2][1].startswith("'@sum(a)]52") and rows[2][2].startswith("' \t+cmd")


def test_json_lines_keep_every_text_as_it_is(tmp_path: Path) -> None:
    found = [json.loads(line) for line in saved(tmp_path / "a.jsonl").splitlines()]
    assert [tuple(row.values()) for row in found] == ROWS and list(found[0]) == ["state", "output", "input"]
    with SheetFile(tmp_path / "b.jsonl", ("A",)).open() as file:
        file.put([("half \udc80",)])
    assert json.loads((tmp_path / "b.jsonl").read_text(encoding="utf-8"))["a"] == "half \udc80"


def test_a_row_as_text_names_its_cells_and_leaves_empty_ones_out(tmp_path: Path) -> None:
    assert lines(COLUMNS, ("✓", "", "a\x1b[31m")) == "✓\ninput: a[31m"
    assert saved(tmp_path / "a.txt").startswith("✓\noutput: rain\ninput: two\nlines")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")
    with pytest.raises(KeyError), written_whole(file) as part:
        part.write("half")
        raise KeyError
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(BadInput, match="cannot be written") as raised, written_whole(tmp_path / "a" / "b.csv"):
        pass
    assert "\n" not in raised.value.title


def test_names_end_as_they_should(tmp_path: Path) -> None:
    assert writable(tmp_path / "a.CSV", (".csv", ".txt")) == ""
    (tmp_path / "a.csv").touch()
    assert "there already" in writable(tmp_path / "a.csv", (".csv", ".txt"))
    (tmp_path / "b.csv").mkdir()
    for name, says in (("a.xls", r"end the name in \.csv or \.txt"), ("b.csv", "folder")):
        with pytest.raises(BadInput, match=says):
            writable(tmp_path / name, (".csv", ".txt"))
