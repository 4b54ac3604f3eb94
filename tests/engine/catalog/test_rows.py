"""Rows of every format, typed by us, at any place."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pytest

from engine.catalog.rows import DataRows, open_rows, shown
from engine.catalog.scan import scan_folder
from engine.errors import BadInput
from engine.records import RowSource


def _open(folder: Path, config: str = "", split: str = "") -> DataRows:
    return open_rows(scan_folder(folder), config, split, cache=folder.parent / "cache")


def _made(tmp_path: Path, name: str, text: str) -> Path:
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder


def _kinds(rows: DataRows) -> dict[str, str]:
    return {column.name: column.kind for column in rows.columns}


def test_cells_are_typed_only_when_the_whole_column_is(tmp_path: Path) -> None:
    text = "code,n,x,ok,word,mixed,big\n00123,1,1.5,true,NA,1,99999999999999999999\n7,-2,2,False,None,a,1\n,,,,null,,\n"
    rows = _open(_made(tmp_path, "t.csv", text))
    assert _kinds(rows) == {"code": "text", "n": "integer", "x": "number", "ok": "boolean", "word": "text", "mixed": "text", "big": "text"}
    assert [row.values for row in rows] == [
        {"code": "00123", "n": 1, "x": 1.5, "ok": True, "word": "NA", "mixed": "1", "big": "99999999999999999999"},
        {"code": "7", "n": -2, "x": 2.0, "ok": False, "word": "None", "mixed": "a", "big": "1"},
        {"code": None, "n": None, "x": None, "ok": None, "word": "null", "mixed": None, "big": None},
    ]


def test_json_values_come_back_as_they_were_even_when_types_mix(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [
        {"t": "a", "m": 1, "l": [1, "x"], "d": {"k": 1}, "f": 1, "b": True, "n": None, "e": 2**70},
        {"t": "é\U0001f600", "m": "one", "l": [], "d": {"other": [None]}, "f": 2.5, "b": False, "n": None, "e": 1},
        {"t": "", "m": [1], "d": None},
    ]
    rows = _open(_made(tmp_path, "t.jsonl", "\n".join(map(json.dumps, given))))
    assert _kinds(rows) == {"t": "text", "m": "mixed", "l": "list", "d": "dict", "f": "number", "b": "boolean", "n": "null", "e": "mixed"}
    assert [row.values for row in rows] == [{name: row.get(name) for name in given[0]} for row in given]
    assert rows.take([0])[0].values["f"] == 1.0


def test_a_column_that_first_appears_late_is_there_from_the_start(tmp_path: Path) -> None:
    rows = _open(_made(tmp_path, "t.jsonl", '{"a": 1}\n' * 1500 + '{"a": 2, "late": "x"}\n'))
    assert rows.take([0, 1500])[0].values == {"a": 1, "late": None}
    assert rows.take([1500])[0].values == {"a": 2, "late": "x"}


def test_halves_of_surrogate_pairs_do_not_stop_the_reading(tmp_path: Path) -> None:
    rows = _open(_made(tmp_path, "t.jsonl", '{"a": "x\\ud800y", "b": ["\\udfff"]}\n'))
    assert next(iter(rows)).values["a"] == "x\ufffdy"


def test_indices_run_through_the_files_of_a_split(tmp_path: Path) -> None:
    folder = _made(tmp_path, "part-1.csv", "a,b\n0,x\n1,x\n")
    _made(tmp_path, "part-2.csv", "a,b\n2,x\n3,x\n")
    rows: RowSource = _open(folder)
    assert len(rows) == 4
    assert [(row.index, row.values["a"]) for row in rows] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert [row.index for row in rows.take([3, 0, 3])] == [3, 0, 3]
    assert [row.values["a"] for row in rows.take([3, 0, 3])] == [3, 0, 3]
    assert rows.take([]) == []
    with pytest.raises(IndexError):
        rows.take([4])


def test_huge_cells_pass_whole_and_are_shown_short(tmp_path: Path) -> None:
    huge = "x" * 3_000_000
    rows = _open(_made(tmp_path, "t.csv", f'a,b\n1,"{huge}"\n2,y\n'))
    cell = rows.take([0])[0].values["b"]
    assert cell == huge
    assert len(shown(cell)) == 500
    assert shown({"k": ["é"]}) == '{"k": ["é"]}'
    assert shown(b"abc") == "(3 bytes)"


def test_parquet_keeps_types_labels_and_order(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B"])),
            "when": datasets.Value("timestamp[s]"),
            "price": datasets.Value("decimal128(8, 2)"),
            "raw": datasets.Value("binary"),
            "score": datasets.Value("float64"),
            "pair": {"a": datasets.Value("int32"), "on": datasets.Value("date32")},
        }
    )
    row = {
        "text": "a",
        "label": 1,
        "tags": [0, 1],
        "when": datetime.datetime(2024, 5, 6, 7, 8),
        "price": decimal.Decimal("9.50"),
        "raw": b"\x00",
        "score": float("nan"),
        "pair": {"a": 3, "on": datetime.date(2024, 1, 2)},
    }
    folder = tmp_path / "set"
    folder.mkdir()
    datasets.Dataset.from_list([row, {**row, "label": 0}], features=features).to_parquet(str(folder / "train.parquet"))
    rows = _open(folder)
    columns = {column.name: column for column in rows.columns}
    assert {name: column.kind for name, column in columns.items()} == {
        "text": "text",
        "label": "class",
        "tags": "list",
        "when": "time",
        "price": "number",
        "raw": "binary",
        "score": "number",
        "pair": "dict",
    }
    assert columns["label"].class_names == ("no", "yes")
    assert columns["tags"].class_names == ("O", "B")
    assert rows.take([0])[0].values == {
        "text": "a",
        "label": 1,
        "tags": [0, 1],
        "when": "2024-05-06T07:08:00",
        "price": 9.5,
        "raw": b"\x00",
        "score": None,
        "pair": {"a": 3, "on": "2024-01-02"},
    }


def test_parquet_shards_whose_types_differ_are_read_as_one(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "set"
    folder.mkdir()
    pq.write_table(pa.table({"a": pa.array([1], pa.int32()), "b": pa.array([None], pa.null())}), folder / "p-1.parquet")
    pq.write_table(pa.table({"b": ["x"], "a": pa.array([2**40], pa.int64())}), folder / "p-2.parquet")
    assert [row.values for row in _open(folder)] == [{"a": 1, "b": None}, {"a": 2**40, "b": "x"}]


def test_images_are_handed_on_undecoded(tmp_path: Path) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "set"
    folder.mkdir()
    features = datasets.Features({"image": datasets.Image(), "t": datasets.Value("string")})
    table = pa.table({"image": [{"bytes": b"no image", "path": None}], "t": ["x"]}, schema=features.arrow_schema)
    pq.write_table(table, folder / "train.parquet")
    assert next(iter(_open(folder))).values == {"image": {"bytes": b"no image", "path": None}, "t": "x"}


def test_saved_folders_are_read_in_place(tmp_path: Path) -> None:
    import datasets

    whole = datasets.Dataset.from_dict({"a": ["x", "y"], "l": [0, 1]}).cast_column("l", datasets.ClassLabel(names=["p", "q"]))
    whole.save_to_disk(str(tmp_path / "set"))
    rows = _open(tmp_path / "set")
    assert rows.columns[1].class_names == ("p", "q")
    assert [row.values for row in rows] == [{"a": "x", "l": 0}, {"a": "y", "l": 1}]
    assert not (tmp_path / "cache").exists()


def test_class_names_come_from_the_card_when_the_file_has_none(tmp_path: Path) -> None:
    folder = _made(tmp_path, "t.csv", "text,label,stars,place\na,0,5,0\nb,2,1,1\n")
    card = "# T\n- `label`: 0 sad, 1 glad, 2 mad\n- `stars`: 0 worst, 1 best\n- `place`: 0 is text, 1 is label\n"
    (folder / "README.md").write_text(card)
    columns = {column.name: column for column in _open(folder).columns}
    assert (columns["label"].kind, columns["label"].class_names) == ("class", ("sad", "glad", "mad"))
    assert (columns["stars"].kind, columns["stars"].class_names) == ("integer", ())  # 5 has no name
    assert columns["place"].class_names == ()  # names of columns: places, not classes
    assert columns["stars"].description == "0 worst, 1 best"
    declared = "---\nlicense: mit\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
    declared += "        names: {'0': x, '1': y, '2': z}\n---\n"
    (folder / "README.md").write_text(declared)
    rows = _open(folder)
    assert rows.licence == "mit"
    assert {column.name: column.class_names for column in rows.columns}["label"] == ("x", "y", "z")


def test_the_revision_changes_with_the_bytes_and_with_nothing_else(tmp_path: Path) -> None:
    folder = _made(tmp_path, "t.csv", "a,b\n1,2\n")
    first = _open(folder).revision
    (folder / "README.md").write_text("# new words")
    assert _open(folder).revision == first
    _made(tmp_path, "t.csv", "a,b\n1,3\n")
    changed = _open(folder)
    assert changed.revision != first
    assert next(iter(changed)).values == {"a": 1, "b": 3}


def test_a_damaged_copy_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    folder = _made(tmp_path, "t.csv", "a,b\n1,2\n")
    _open(folder)
    (copy,) = (tmp_path / "cache" / "rows").iterdir()
    copy.write_bytes(b"rubbish")
    assert next(iter(_open(folder))).values == {"a": 1, "b": 2}


def test_what_cannot_be_read_names_file_and_place_and_leaves_no_draft(tmp_path: Path) -> None:
    folder = _made(tmp_path, "t.jsonl", '{"a": 1}\n' * 60 + "{oops\n")
    with pytest.raises(BadInput, match=r"t\.jsonl line 61"):
        _open(folder)
    assert list((tmp_path / "cache" / "rows").iterdir()) == []


def test_a_file_lost_since_the_scan_is_said(tmp_path: Path) -> None:
    folder = _made(tmp_path, "t.csv", "a,b\n1,2\n")
    data = scan_folder(folder)
    (folder / "t.csv").unlink()
    with pytest.raises(BadInput, match="lost a file"):
        open_rows(data, cache=tmp_path / "cache")


def test_a_sheet_is_typed_like_a_text_file(tmp_path: Path) -> None:
    import openpyxl

    (tmp_path / "set").mkdir()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["id", "n", "when"], ["001", 4, datetime.datetime(2024, 1, 2)], ["002", 5, None]):
        sheet.append(row)
    book.save(tmp_path / "set" / "t.xlsx")
    assert [row.values for row in _open(tmp_path / "set")] == [
        {"id": "001", "n": 4, "when": "2024-01-02"},
        {"id": "002", "n": 5, "when": None},
    ]
