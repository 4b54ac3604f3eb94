"""A table taken out of the screens: as text for the clipboard, and as a file a spreadsheet or a program reads.

Rows come from strangers, and both ways end in places that execute: a terminal acts on control characters, a spreadsheet on cells that
begin with = + - @ (CSV injection, OWASP). So what people paste and open loses control characters, and in CSV and TSV such a cell gets an
apostrophe before it, unless it is a plain number; how many did is said. JSON Lines are for programs: there every text stays as it is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.errors import BadInput
from engine.plain_text import clean
from engine.safe_cells import guarded, is_formula
from engine.whole_file import written_whole

TABLE_ENDINGS = (".csv", ".tsv", ".jsonl", ".txt")
TEXT_ENDINGS = (".txt", ".md")


class Sheet(NamedTuple):
    """Rows with the names of their columns; cells whole, however little of them a screen shows."""

    columns: tuple[str, ...]
    length: int
    """How many rows there are."""
    read: Callable[[int, int], Sequence[Sequence[str]]]
    """Rows from a number to before another; goes on reading the same rows when the screen shows others."""


def lines(columns: Sequence[str], row: Sequence[str]) -> str:
    """A row as "name: value" lines, those of empty cells left out."""
    pairs = [(clean(name).strip(), clean(value).strip()) for name, value in zip(columns, row, strict=False)]
    return "\n".join(f"{name.lower()}: {value}" if name else value for name, value in pairs if value)


def tabbed(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with tabs between cells, titles first: what spreadsheets paste as cells."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(map(guarded, columns))
    writer.writerows(map(guarded, row) for row in rows)
    return text.getvalue()


def writable(path: Path, endings: Sequence[str]) -> str:
    """What there is to know before a file of this name is written. Raises BadInput where none can be."""
    if path.suffix.lower() not in endings:
        raise BadInput(f"end the name in {', '.join(endings[:-1])} or {endings[-1]}")
    if path.is_dir():
        raise BadInput("that is a folder; name a file in it")
    return "this file is there already; you are asked before it is replaced" if path.exists() else ""


class SheetFile:
    """Writes a table piece by piece in the format its name ends in; the file appears whole, or not at all."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._ending = path.suffix.lower()
        self._columns = tuple(columns)
        self.written = 0
        """Rows."""
        self.guarded = 0
        """Cells that got an apostrophe."""

    @contextmanager
    def open(self) -> Iterator[SheetFile]:
        """Write within this. Raises BadInput where the file cannot be written."""
        with written_whole(self._path) as self._file:
            self._csv = csv.writer(self._file, delimiter="\t" if self._ending == ".tsv" else ",", lineterminator="\n")
            if self._ending in (".csv", ".tsv"):
                self._csv.writerow(map(guarded, self._columns))
            yield self

    def put(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows."""
        for row in rows:
            self.written += 1
            if self._ending == ".jsonl":
                named = {name.strip().lower() or "state": cell for name, cell in zip(self._columns, row, strict=False)}
                self._file.write(json.dumps(named, ensure_ascii=False) + "\n")
            elif self._ending == ".txt":
                self._file.write(lines(self._columns, row) + "\n\n")
            else:
                self.guarded += sum(map(is_formula, map(clean, row)))
                self._csv.writerow(map(guarded, row))
