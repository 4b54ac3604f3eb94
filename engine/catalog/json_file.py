"""JSON and JSON Lines files as rows, read piece by piece: arrays, one-key wrappers, columns, rows keyed by id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from engine.catalog.text_file import open_text, plain_name
from engine.errors import BadInput

JsonLayout = Literal["lines", "array", "columns", "keyed"]

SAMPLE_ROWS = 50
WHOLE_LIMIT = 1 << 29
"""Characters of one value, or of a file that can only be read whole; more is refused."""


def json_tables(path: Path) -> list[tuple[JsonLayout, str, tuple[str, ...]]]:
    """The tables a file holds: layout, key it lies under ("" for the top), column names seen in its first rows.

    An object that is one record and no table gives an empty list. Raises BadInput for what is no JSON.
    """
    with open_text(path) as file:
        reader = _Reader(file, path.name)
        first = reader.peek()
        if not first:
            return []
        if first == "[" and not _one_a_line(path):
            return [("array", "", _columns(reader.elements()))]
        if first != "{" or plain_name(path.name).lower().endswith((".jsonl", ".ndjson")):
            return [("lines", "", _columns(_values(reader)))]
        lists: dict[str, tuple[str, ...]] = {}
        others: dict[str, Any] = {}
        for key, element in reader.members():
            if element is _LIST:
                lists[key] = ()
            elif key in lists:
                if isinstance(element, dict):
                    lists[key] = tuple(dict.fromkeys((*lists[key], *map(str, element))))[:2000]
            else:
                others[key] = element
        if reader.peek():  # another value follows: JSON Lines under a .json name
            with open_text(path) as again:
                return [("lines", "", _columns(_values(_Reader(again, path.name))))]
    of_rows = [("array", key, columns) for key, columns in lists.items() if columns]
    if of_rows:
        return [("array", key, columns) for _, key, columns in of_rows]
    if lists and not others:
        return [("columns", "", tuple(lists))] if _same_lengths(path) else []
    records = [value for value in others.values() if isinstance(value, dict)]
    if len(records) >= 2 and len(records) == len(others) and not lists:
        if all(record and all(str(key).isdigit() for key in record) for record in records):
            return [("columns", "", tuple(others))]
        shared = Counter(key for record in records for key in record)
        if shared and max(shared.values()) == len(records):
            return [("keyed", "", ("key", *shared))]
    return []


def json_rows(path: Path, layout: JsonLayout, key: str) -> Iterator[dict[str, Any]]:
    """Rows in file order; an element that is no object becomes the one column "value".

    Raises BadInput naming the line for what is no JSON.
    """
    with open_text(path) as file:
        if layout == "lines":
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _row(_line(line, number, path.name))
        elif layout == "array":
            reader = _Reader(file, path.name)
            if not key:
                yield from map(_row, reader.elements())
            else:
                yield from (_row(element) for name, element in reader.members(only=key) if name == key and element is not _LIST)
        else:
            whole = _Reader(file, path.name).value()
            if layout == "keyed":
                for name, record in whole.items():
                    yield {"key": name, **record}
            else:
                yield from _columns_to_rows(whole)


_LIST = object()


class _Reader:
    """Pulls one JSON value after another off a text stream in bounded memory."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file = file
        self._name = name
        self._text = ""
        self._at = 0
        self._done = False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(1 << 16):
                return ""

    def take(self, character: str) -> None:
        found = self.peek()
        if found != character:
            raise BadInput(f"{self._name} is no valid JSON: expected {character!r}, found {found!r}" if found else self._cut_off())
        self._at += 1

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        size = 1 << 16
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise BadInput(f"{self._name} nests too deeply to be read") from error
            except ValueError as error:
                if len(self._text) - self._at < WHOLE_LIMIT and self._more(size):
                    size = min(size * 2, 1 << 26)
                    continue
                raise BadInput(f"{self._name} is no valid JSON: {getattr(error, 'msg', error)}") from error
            if end == len(self._text) and self._more(size):  # a number may go on
                continue
            self._at = end
            return value

    def elements(self) -> Iterator[Any]:
        """Elements of the array that comes next."""
        self.take("[")
        while self.peek() != "]":
            yield self.value()
            if self.peek() == ",":
                self._at += 1
            elif self.peek() != "]":
                raise BadInput(self._cut_off())
        self._at += 1

    def members(self, only: str | None = None) -> Iterator[tuple[str, Any]]:
        """(key, value) of the object that comes next; a list yields (key, _LIST) first and then its elements one by one."""
        self.take("{")
        while self.peek() != "}":
            key = self.value()
            self.take(":")
            if self.peek() == "[" and only in (None, key):
                yield key, _LIST
                for element in self.elements():
                    yield key, element
            else:
                yield key, self.value()
            if self.peek() == ",":
                self._at += 1
            elif self.peek() != "}":
                raise BadInput(self._cut_off())
        self._at += 1

    def _more(self, size: int) -> bool:
        if self._done:
            return False
        try:
            piece = self._file.read(size)
        except (OSError, EOFError) as error:
            raise BadInput(f"{self._name} cannot be unpacked: {error}") from error
        self._done = not piece
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)

    def _cut_off(self) -> str:
        return f"{self._name} is no valid JSON: it breaks off or a comma is missing"


def _values(reader: _Reader) -> Iterator[Any]:
    while reader.peek():
        yield reader.value()


def _columns(rows: Iterator[Any]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for place, row in enumerate(rows):
        if place >= SAMPLE_ROWS:
            break
        names.update(dict.fromkeys(_row(row)))
    return tuple(names)


def _row(element: Any) -> dict[str, Any]:
    return element if isinstance(element, dict) else {"value": element}


def _line(line: str, number: int, name: str) -> Any:
    try:
        return json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "it nests too deeply")
        raise BadInput(f"{name} line {number} is no valid JSON: {reason}", "Each line of the file must be one JSON value.") from error


def _one_a_line(path: Path) -> bool:
    """Whether a JSON Lines file holds an array on each line, rather than one array over all of them."""
    if not plain_name(path.name).lower().endswith((".jsonl", ".ndjson")):
        return False
    with open_text(path) as file:
        first, second = file.readline(1 << 24).strip(), file.read(1 << 12).strip()
    return first.endswith("]") and second.startswith("[")


def _same_lengths(path: Path) -> bool:
    lengths: Counter[str] = Counter()
    with open_text(path) as file:
        for key, element in _Reader(file, path.name).members():
            lengths[key] += element is not _LIST
    return len(set(lengths.values())) == 1 and max(lengths.values()) > 0


def _columns_to_rows(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of {"column": [values]} or {"column": {"0": value}}."""
    lists = [list(values.values()) if isinstance(values, dict) else values for values in columns.values()]
    for cells in zip(*lists, strict=False):
        yield dict(zip(columns, cells, strict=True))
