"""Excel workbooks as rows of texts: each sheet with a header is a table."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.errors import BadInput


def sheet_tables(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """(sheet name, column names) of every sheet that has a header and a row. Raises BadInput for a damaged workbook."""
    with closing(_open(path)) as book:
        found = []
        for sheet in book.worksheets:
            rows = _rows(sheet)
            header = next(rows, None)
            if header and next(rows, None):
                found.append((str(sheet.title), _names(header)))
        return found


def sheet_rows(path: Path, sheet: str) -> Iterator[dict[str, Any]]:
    """Rows below the header; a cell is its text as the sheet holds it, None when empty."""
    with closing(_open(path)) as book:
        rows = _rows(book[sheet])
        names = _names(next(rows, []))
        for cells in rows:
            yield {name: cell or None for name, cell in zip(names, cells, strict=False)}


def _open(path: Path) -> Any:
    import openpyxl  # deferred: slow to import
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise BadInput(f"{path.name} is no workbook that can be read: {error}") from error


def _rows(sheet: Any) -> Iterator[list[str]]:
    """Rows with at least one filled cell, trailing empty cells cut."""
    for row in sheet.iter_rows(values_only=True):
        cells = [_text(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # a sheet stores every number as a float
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _names(header: list[str]) -> tuple[str, ...]:
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = " ".join(cell.split()) or f"column_{place}"
        names.append(name if name not in names else f"{name}_{place}")
    return tuple(names)
