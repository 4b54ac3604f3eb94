"""Text formats as rows: delimiters, quoting, headers, encodings, JSON in every layout, workbooks."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from engine.catalog.delimited import delimited_rows, dialect_of
from engine.catalog.json_file import json_rows, json_tables
from engine.catalog.sheets import sheet_rows, sheet_tables
from engine.errors import BadInput


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_whatever_the_file_is_called(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "said", "n"], ["Ann", "well, yes; no", "1"], ["Bo", "a | b, c", "2"], ["Cy", "so; so", "3"]]
    text = "\n".join(delimiter.join(f'"{cell}"' if {",", ";", "|"} & set(cell) else cell for cell in row) for row in rows)
    found = list(delimited_rows(_write(tmp_path / "x.csv", text)))
    assert found == [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_one_column_of_sentences_stays_one_column(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "text\nOne, two, three.\nNo comma here\nWell; maybe, yes\n")
    assert [row["text"] for row in delimited_rows(path)] == ["One, two, three.", "No comma here", "Well; maybe, yes"]


def test_quoted_cells_may_hold_line_ends_delimiters_and_quotes(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", 'id,text\r\n1,"two\r\nlines, and ""quotes"""\r\n2,plain\r\n')
    assert list(delimited_rows(path)) == [{"id": "1", "text": 'two\r\nlines, and "quotes"'}, {"id": "2", "text": "plain"}]


def test_stray_quotes_in_a_tab_separated_file_are_characters(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tsv", 'a\tb\n"hello she said\tx\n"Hi" he said\ty\nplain\t"z\n')
    assert [row["a"] for row in delimited_rows(path)] == ['"hello she said', '"Hi" he said', "plain"]


def test_words_for_nothing_stay_words_and_an_empty_cell_is_none(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "a,b\nNA,\nNone,null\n")
    assert list(delimited_rows(path)) == [{"a": "NA", "b": None}, {"a": "None", "b": "null"}]


def test_a_file_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tsv", "good film\tpositive\nbad film\tnegative\nfine\tpositive\nawful\tpositive\n")
    rows = list(delimited_rows(path))
    assert len(rows) == 4
    assert rows[0] == {"column_1": "good film", "column_2": "positive"}


def test_years_as_column_names_are_a_header(tmp_path: Path) -> None:
    assert dialect_of(_write(tmp_path / "x.csv", "town,2001,2002\nA,5,6\nB,7,8\n")).header == ("town", "2001", "2002")


def test_ragged_rows_lose_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n9,10\n")
    assert list(delimited_rows(path))[:3] == [{"a": "1", "b": "2"}, {"a": "3"}, {"a": "4", "b": "5", "column_3": "6"}]


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    assert dialect_of(_write(tmp_path / "x.csv", "a,a,\n1,2,3\n4,5,6\n")).header == ("a", "a_2", "column_3")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_any_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = _write(tmp_path / "x.csv", "wort,n\nBär,1\nÖl,2\n", encoding)
    assert [row["wort"] for row in delimited_rows(path)] == ["Bär", "Öl"]


def test_a_packed_file_is_read_and_a_cut_off_one_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)
    (tmp_path / "x.csv.gz").write_bytes(packed)
    assert sum(1 for _ in delimited_rows(tmp_path / "x.csv.gz")) == 5000
    (tmp_path / "y.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(BadInput, match=r"y\.csv\.gz"):
        list(delimited_rows(tmp_path / "y.csv.gz"))


@pytest.mark.parametrize(
    ("text", "layout", "key", "rows"),
    [
        ('[{"a": 1}, {"a": 2}]', "array", "", [{"a": 1}, {"a": 2}]),
        ('{"a": 1}\n{"a": 2}\n', "lines", "", [{"a": 1}, {"a": 2}]),
        ('{"version": "1", "data": [{"a": 1}, {"a": [2]}]}', "array", "data", [{"a": 1}, {"a": [2]}]),
        ('{"a": [1, 2], "b": ["x", "y"]}', "columns", "", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ('{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}', "columns", "", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ('{"q1": {"t": "x"}, "q2": {"t": "y"}}', "keyed", "", [{"key": "q1", "t": "x"}, {"key": "q2", "t": "y"}]),
        ('["x", "y"]', "array", "", [{"value": "x"}, {"value": "y"}]),
    ],
)
def test_json_rows_are_found_in_every_layout(tmp_path: Path, text: str, layout: str, key: str, rows: list[dict[str, object]]) -> None:
    path = _write(tmp_path / "x.json", text)
    ((found, under, columns),) = json_tables(path)
    assert (found, under) == (layout, key)
    assert set(columns) == {name for row in rows for name in row}
    assert list(json_rows(path, found, under)) == rows


def test_splits_under_keys_of_one_object_are_tables_of_their_own(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.json", '{"train": [{"a": 1}], "test": [{"a": 2}, {"a": 3}]}')
    assert [(layout, key) for layout, key, _ in json_tables(path)] == [("array", "train"), ("array", "test")]
    assert list(json_rows(path, "array", "test")) == [{"a": 2}, {"a": 3}]


def test_one_record_is_no_table(tmp_path: Path) -> None:
    assert json_tables(_write(tmp_path / "x.json", '{"description": "d", "version": 3, "tags": ["a", "b"]}')) == []


def test_values_cut_by_the_read_buffer_come_out_whole(tmp_path: Path) -> None:
    rows = [{"n": 1234567890 + place, "t": "x" * (place * 137 % 5000)} for place in range(200)]
    path = _write(tmp_path / "x.json", json.dumps(rows))
    assert list(json_rows(path, "array", "")) == rows
    numbers = list(range(10**6, 10**6 + 30_000))
    assert [row["value"] for row in json_rows(_write(tmp_path / "y.json", json.dumps(numbers)), "array", "")] == numbers


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": ', '[{"a": 1} {"a": 2}]', "[" * 100_000])
def test_broken_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"x\.json"):
        list(json_rows(_write(tmp_path / "x.json", text), "array", ""))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 3"):
        list(json_rows(_write(tmp_path / "x.jsonl", '{"a": 1}\n\n{"a": \n'), "lines", ""))


def test_a_workbook_gives_one_table_a_sheet_with_cells_as_texts(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "train"
    for row in (
        ["code", "n", "ok", "empty"],
        ["00123", 5, True, None],
        ["7", 2.5, False, None],
        [None, None, None, None],
        ["8", 3, None, "x"],
    ):
        first.append(row)
    book.create_sheet("notes").append(["only a header"])
    book.save(tmp_path / "x.xlsx")
    assert sheet_tables(tmp_path / "x.xlsx") == [("train", ("code", "n", "ok", "empty"))]
    assert list(sheet_rows(tmp_path / "x.xlsx", "train")) == [
        {"code": "00123", "n": "5", "ok": "true"},
        {"code": "7", "n": "2.5", "ok": "false"},
        {"code": "8", "n": "3", "ok": None, "empty": "x"},
    ]
    with pytest.raises(BadInput, match=r"y\.xlsx"):
        sheet_tables(_write(tmp_path / "y.xlsx", "no workbook"))
