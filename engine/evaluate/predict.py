"""A model does a task on the rows of a file: the same rows come out, with a column more."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

from engine.config import nearest
from engine.errors import BadInput
from engine.evaluate.asking import CHOICE_ONLY, Answer, Asker, Setting, demonstrations
from engine.evaluate.items import Item, Test
from engine.evaluate.scores import predicted
from engine.records import Task, Value
from engine.safe_cells import guarded, is_formula
from engine.table_file import rows_in
from engine.whole_file import must_be_writable, whole, written_whole

MOST_ROWS = 500_000
ENDINGS = (".csv", ".tsv", ".jsonl", ".xlsx")
_MOST_CELL = 32_767
"""Characters a cell of a workbook can hold."""


class Predicted(Value):
    """What became of the rows."""

    file: str
    rows: int
    answered: int
    failed: dict[str, int]
    """Why rows have no answer, by count; their cell is empty."""
    outputs: dict[str, int]
    """How often each label is the answer; empty where answers are free."""
    guarded: int
    """Cells that a spreadsheet would have taken for formulas and that got an apostrophe."""


def read_rows(path: Path, column: str) -> tuple[list[dict[str, Any]], str]:
    """All rows, and which column holds the inputs: the one named, else "input", else the only one. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file", "give a JSONL, CSV, TSV, Parquet or xlsx file with a row for each input")
    rows = [{str(name): value for name, value in row.items()} for row in islice(rows_in(path), MOST_ROWS + 1)]
    if not rows:
        raise BadInput(f"{path.name} holds no rows", "give a file with a row for each input")
    if len(rows) > MOST_ROWS:
        raise BadInput(f"{path.name}: over {MOST_ROWS:,} rows", "give it in parts")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    wanted = column or ("input" if "input" in columns or len(columns) > 1 else columns[0])
    if wanted not in columns:
        there = ", ".join(columns[:12])
        raise BadInput(f"{path.name}: no column {wanted!r}{nearest(wanted, columns)}", f"columns: {there}; name one: --column NAME")
    for number, row in enumerate(rows, 1):
        if row.get(wanted) is not None and not isinstance(row[wanted], str | int | float):
            raise BadInput(f"{path.name}, row {number}: {wanted!r} is neither text nor number", "name another column: --column NAME")
    return rows, wanted


def column_out(rows: Sequence[dict[str, Any]], wanted: str) -> str:
    """A name for the column of answers. Raises BadInput where the rows have one of that name."""
    if any(wanted in row for row in rows):
        raise BadInput(f"the rows have a column {wanted!r} already", "name another for the answers: --into NAME")
    return wanted


def check_target(path: Path, replace: bool) -> None:
    """Refuse a file that cannot or must not be written, before a model is asked. Raises BadInput."""
    if path.suffix.lower() not in ENDINGS:
        raise BadInput(f"{path.name}: not a format that is written", f"end the name in {', '.join(ENDINGS)}")
    if path.exists() and not path.is_dir() and not replace:
        raise BadInput(f"{path} is there already", "name another file, or say --replace")
    if not path.parent.is_dir():
        raise BadInput(f"no folder {path.parent}", "make it first, or name another")
    must_be_writable(path)


def predict(asker: Asker, task: Task, rows: Sequence[dict[str, Any]], column: str, pool: Sequence[Item], setting: Setting) -> list[Answer]:
    """An answer for each row, in their order; a row without input gets none."""
    labels = task.output.labels if task.output.kind == "label" else ()
    chances = tuple(0.0 for _ in labels)
    texts = ["" if row.get(column) is None else str(row[column]) for row in rows]
    items = [Item(f"row {number}", text, labels, chances, cluster=f"row {number}") for number, text in enumerate(texts, 1)]
    asked = [item for item in items if item.input.strip()]
    test = Test(task.name, tuple(asked), "")
    answers = asker.ask(test, asked, setting, demonstrations(pool, setting.shots, 0), CHOICE_ONLY)
    by_key = {item.key: answer for item, answer in zip(asked, answers, strict=True)}
    return [by_key.get(item.key, Answer(error="no input")) for item in items]


def text_of(answer: Answer, task: Task) -> str | None:
    """What a row's cell says; None where no answer came."""
    if answer.error:
        return None
    if task.output.kind == "label":
        taken = predicted(answer, "sum")
        return task.output.labels[taken[0]] if taken else None
    return answer.text


def write_rows(path: Path, rows: Sequence[dict[str, Any]], into: str, texts: Sequence[str | None]) -> int:
    """Write the rows with the column of answers; the file appears whole or not at all. Returns how many cells got an apostrophe."""
    columns = [*dict.fromkeys(name for row in rows for name in row), into]
    answered = ({**row, into: text} for row, text in zip(rows, texts, strict=True))
    ending = path.suffix.lower()
    if ending == ".jsonl":
        with written_whole(path) as file:
            for row in answered:
                file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        return 0
    count = [0]

    def cells(values: Sequence[Any]) -> list[str]:
        texts = [_text(value) for value in values]
        count[0] += sum(map(is_formula, texts))
        return [guarded(text) for text in texts]

    with whole(path) as part:
        if ending == ".xlsx":
            _write_workbook(part, cells(columns), (cells([row.get(name) for name in columns]) for row in answered))
        else:
            with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                _write_delimited(file, "\t" if ending == ".tsv" else ",", columns, answered, cells)
    return count[0]


def _write_delimited(
    file: IO[str], delimiter: str, columns: Sequence[str], rows: Iterator[dict[str, Any]], cells: Callable[[Sequence[Any]], list[str]]
) -> None:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(cells(columns))
    writer.writerows(cells([row.get(name) for name in columns]) for row in rows)


def _write_workbook(path: Path, head: list[str], rows: Iterator[list[str]]) -> None:
    import openpyxl  # deferred: slow to import
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append(head)
    for row in rows:
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", cell)[:_MOST_CELL] for cell in row])
    with path.open("wb") as file:
        book.save(file)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
