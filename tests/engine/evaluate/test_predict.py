"""Rows with a column of answers, in files that people open in a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from engine.evaluate.predict import write_rows
from engine.safe_cells import guarded

ROWS: list[dict[str, Any]] = [{"=HYPERLINK(1)": "=1+1", "note": "@sum"}, {"=HYPERLINK(1)": "plain", "note": "x" * 40_000}]
HEAD = ["'=HYPERLINK(1)", "note", "output"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_every_cell_is_guarded_names_of_columns_too(tmp_path: Path, ending: str) -> None:
    count = write_rows(tmp_path / f"out.{ending}", ROWS, "output", ["-cmd", None])
    with (tmp_path / f"out.{ending}").open(newline="", encoding="utf-8") as file:
        read = [*csv.reader(file, delimiter="\t" if ending == "tsv" else ",")]
    assert read == [HEAD, ["'=1+1", "'@sum", "'-cmd"], ["plain", "x" * 40_000, ""]] and count == 4


def test_a_workbook_is_guarded_and_its_cells_are_as_long_as_cells_can_be(tmp_path: Path) -> None:
    write_rows(tmp_path / "out.xlsx", ROWS, "output", ["-cmd", None])
    head, one, two = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0].iter_rows(values_only=True)
    assert [*head] == HEAD and one == ("'=1+1", "'@sum", "'-cmd") and two[1] == "x" * 32_767


@pytest.mark.parametrize("hidden", ["\x01=1+1", "\u200b=1+1", "\x1b=1+1"])
def test_what_only_hides_a_formula_goes_before_it_is_looked_for(hidden: str) -> None:
    assert guarded(hidden) == "'=1+1"
