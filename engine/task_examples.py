"""Examples of a task as people have them: pasted text in several forms, and small files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.records import TaskExample

MOST_BYTES = 4_000_000
MOST_EXAMPLES = 1000
"""More are a data set, not examples of a task."""
FORMS = "write: input → output, with an empty line between examples; or paste two columns of a spreadsheet, or JSON lines"
COLUMNS = 'name its two columns "input" and "output"'

_ARROW = re.compile(r"[^\S\n]*(?:→|=>|\t)[^\S\n]*")


def examples_in(path: Path) -> tuple[TaskExample, ...]:
    """Examples of a JSONL, CSV, TSV or xlsx file with columns input and output, or with two columns alone. Raises BadInput."""
    try:
        if path.stat().st_size > MOST_BYTES:
            hint = "a task takes a few examples; rows in plenty are a data set: datatune catalog add FOLDER"
            raise BadInput(f"{path}: over {MOST_BYTES // 1_000_000} MB", hint)
        ending = path.suffix.lower()
        if ending == ".xlsx":
            return _of_rows(_sheet(path), str(path))
        if ending in (".csv", ".tsv", ".tab"):
            return _of_rows(_delimited(path), str(path))
        return _of_lines(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", "give a JSONL, CSV, TSV or xlsx file with input and output") from error


def pasted(text: str) -> tuple[TaskExample, ...]:
    """Examples in a text a person pasted: JSON lines; two columns of a spreadsheet; or blocks with an empty line between, in each of
    which the output follows the last "→", "=>" or tab, or is the last line. Raises BadInput.
    """
    text = text.replace("\r\n", "\n").strip("\n ")
    if text.startswith("{"):
        return _of_lines(text, "the text")
    if columns := _columns_of_a_sheet(text):
        return _limited(columns, "the text")
    return _limited([_of_block(block) for block in re.split(r"\n[^\S\n]*\n\s*", text.strip()) if block.strip()], "the text")


def _of_block(block: str) -> TaskExample:
    arrows = list(_ARROW.finditer(block))
    if arrows:
        given, wanted = block[: arrows[-1].start()].strip(), block[arrows[-1].end() :].strip()
    else:
        given, _, wanted = (part.strip() for part in block.strip().rpartition("\n"))
    if not given or not wanted:
        raise BadInput(f"no output in: {block.strip()[:60]}", FORMS)
    return TaskExample(given, wanted)


def _columns_of_a_sheet(text: str) -> list[TaskExample]:
    """Examples where every line is two cells with a tab between, as spreadsheets copy them; else none."""
    if "\t" not in text:
        return []
    try:
        rows = [row for row in csv.reader(text.splitlines(keepends=True), delimiter="\t", strict=True) if any(row)]
    except csv.Error:
        return []
    if not rows or any(len(row) != 2 or not row[0].strip() or not row[1].strip() for row in rows):
        return []
    if [cell.strip().lower() for cell in rows[0]] == ["input", "output"]:
        rows = rows[1:]
    return [TaskExample(given.strip(), wanted.strip()) for given, wanted in rows]


def _of_lines(text: str, where: str) -> tuple[TaskExample, ...]:
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append(dict(json.loads(line)))
            except (ValueError, TypeError, RecursionError) as error:
                raise BadInput(f"{where}, line {number}: no JSON object", 'write lines such as {"input": "…", "output": "…"}') from error
    return _of_rows(found, where)


def _delimited(path: Path) -> Iterable[Mapping[str, Any]]:
    from engine.catalog.delimited import delimited_rows

    return delimited_rows(path)


def _sheet(path: Path) -> Iterable[Mapping[str, Any]]:
    from engine.catalog.sheets import sheet_rows, sheet_tables

    tables = sheet_tables(path)
    if not tables:
        raise BadInput(f"{path} holds no examples", COLUMNS)
    fitting = [name for name, columns in tables if {"input", "output"} <= {column.lower() for column in columns}]
    return sheet_rows(path, fitting[0] if fitting else tables[0][0])


def _of_rows(rows: Iterable[Mapping[str, Any]], where: str) -> tuple[TaskExample, ...]:
    found = []
    names: tuple[str, str] | None = None
    for number, row in enumerate(rows, 1):
        names = names or _names(list(row), where)
        given, wanted = row.get(names[0]), row.get(names[1])
        if not isinstance(given, str) or not isinstance(wanted, str):
            raise BadInput(f'{where}, row {number}: no text "{names[0]}" and "{names[1]}"', COLUMNS)
        found.append(TaskExample(given, wanted))
        if len(found) > MOST_EXAMPLES:
            break
    return _limited(found, where)


def _names(columns: Sequence[str], where: str) -> tuple[str, str]:
    """The columns that hold input and output: those of that name, else the only two."""
    lowered = {column.strip().lower(): column for column in columns}
    if "input" in lowered and "output" in lowered:
        return lowered["input"], lowered["output"]
    if len(columns) == 2:
        return columns[0], columns[1]
    there = f" among {', '.join(columns[:8])}" if columns else ""
    raise BadInput(f'{where}, row 1: no "input" and "output"{there}', COLUMNS)


def _limited(found: Sequence[TaskExample], where: str) -> tuple[TaskExample, ...]:
    if not found:
        raise BadInput(f"{where} holds no examples", FORMS)
    if len(found) > MOST_EXAMPLES:
        hint = "a task takes a few; rows in plenty are a data set: datatune catalog add FOLDER"
        raise BadInput(f"{where} holds over {MOST_EXAMPLES:,} examples", hint)
    return tuple(found)
