"""CSV and TSV files as rows of texts: delimiter, quoting and header found by looking, no cell interpreted."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.catalog.text_file import open_text, plain_name
from engine.errors import BadInput

SAMPLE_CHARACTERS = 400_000
SAMPLE_ROWS = 300


class Dialect(NamedTuple):
    """How a delimited file is written."""

    delimiter: str
    quoting: bool
    escape: str | None
    header: tuple[str, ...]
    """Column names; made up when the first line is a row already."""
    headed: bool


def dialect_of(path: Path) -> Dialect:
    """Find delimiter, quoting and header from the file's start. Raises BadInput for a file without any cell."""
    with open_text(path) as file:
        sample = file.read(SAMPLE_CHARACTERS)
        whole = not file.read(1)
    if not whole and "\n" in sample:
        sample = sample[: sample.rindex("\n") + 1]
    best: tuple[float, int, str, bool, str | None, list[list[str]]] | None = None
    by_tabs = plain_name(path.name).lower().endswith((".tsv", ".tab"))
    for preference, delimiter in enumerate("\t,;|" if by_tabs else ",;\t|"):
        for quoting, escape, penalty in ((True, None, 0.0), (True, "\\", 0.005), (False, None, 0.01)):
            rows = _sample_rows(sample, delimiter, quoting, escape, whole)
            if not rows or len(rows[0]) < 2:
                continue
            even = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            rating = even - penalty - preference * 0.001
            if best is None or rating > best[0]:
                best = (rating, len(rows[0]), delimiter, quoting, escape, rows)
    if best is None:  # one column: no delimiter at all, so that commas in the text stay text
        rows = _sample_rows(sample, "\x1f", True, None, whole) or _sample_rows(sample, "\x1f", False, None, whole)
        if not rows:
            raise BadInput(f"{path.name} holds no rows")
        best = (1.0, 1, "\x1f", bool(_sample_rows(sample, "\x1f", True, None, whole)), None, rows)
    _, width, delimiter, quoting, escape, rows = best
    headed = _is_header(rows)
    names = _distinct(rows[0] if headed else [""] * width)
    return Dialect(delimiter, quoting, escape, names, headed)


def delimited_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows in file order; a cell is its text, None when empty. Cells beyond the header get columns of their own."""
    dialect = dialect_of(path)
    names = list(dialect.header)
    with open_text(path) as file:
        reader = _reader(file, dialect.delimiter, dialect.quoting, dialect.escape, strict=False)
        try:
            for number, cells in enumerate(reader):
                if (number == 0 and dialect.headed) or not cells:
                    continue
                while len(cells) > len(names) and any(cells[len(names) :]):
                    names.append(_unused(f"column_{len(names) + 1}", names))
                yield {name: cell or None for name, cell in zip(names, cells, strict=False)}
        except (csv.Error, OSError, EOFError) as error:
            raise BadInput(f"{path.name} line {reader.line_num} cannot be read: {error}") from error


def _sample_rows(sample: str, delimiter: str, quoting: bool, escape: str | None, whole: bool) -> list[list[str]]:
    """Rows of the sample under a strict reading; empty when the file is not written that way."""
    reader = _reader(io.StringIO(sample, newline=""), delimiter, quoting, escape, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= SAMPLE_ROWS:
                break
    except csv.Error as error:
        # A sample that ends inside quotes is no fault of the file, if something came before.
        if whole or "unexpected end" not in str(error) or len(rows) < 2:
            return []
    return rows


def _reader(file: Any, delimiter: str, quoting: bool, escape: str | None, *, strict: bool) -> Any:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    style: Any = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    return csv.reader(file, delimiter=delimiter, quoting=style, escapechar=escape, strict=strict)


def _is_header(rows: list[list[str]]) -> bool:
    """The first line names columns unless its cells look like values: repeated below them, or long texts."""
    first = rows[0]
    if any(len(cell) > 200 or "\n" in cell for cell in first):
        return False
    body = [row for row in rows[1:] if row != first]
    for place, cell in enumerate(first):
        repeats = Counter(row[place] for row in body if len(row) > place)[cell]
        if cell and repeats >= 2:
            return False
    numbers = sum(cell.strip().lstrip("-").replace(".", "", 1).isdigit() for cell in first)
    return not (numbers and any(len(cell.split()) >= 5 for cell in first))


def _distinct(names: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for place, name in enumerate(names, start=1):
        found.append(_unused(" ".join(name.split()) or f"column_{place}", found))
    return tuple(found)


def _unused(name: str, taken: list[str]) -> str:
    number = 2
    unused = name
    while unused in taken:
        unused = f"{name}_{number}"
        number += 1
    return unused
