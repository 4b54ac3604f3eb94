"""The user's own test, read whole: what no training example may hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.answer_file import FORMATS
from engine.errors import BadInput
from engine.evaluate.bigbench import is_bigbench, read_bigbench, test_files
from engine.records import TaskExample
from engine.table_file import rows_in, test_row

WITHOUT = "put the file back and resume, or go on without looking: --set mix.leakage=off"


def digest_of_test(path: str) -> str:
    """SHA-256 of a test in hexadecimal, of a folder's files together; "" where there is none. Raises BadInput where it cannot be read."""
    if not path:
        return ""
    try:
        digests = []
        for one in test_files(Path(path)):
            with one.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise BadInput(f"task.test: {path} cannot be read: {error.strerror}", WITHOUT) from error
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def items_of_test(path: str, labels: Sequence[str] = ()) -> tuple[TaskExample, ...]:
    """All items of a test: of its columns input and output, else of two columns, of which one that holds `labels` is no input and one
    that holds numbers neither, else all texts of a row as one input; or those of a task of BIG-bench.

    Raises BadInput where it cannot be read, holds no items, or a row holds no text.
    """
    file = Path(path)
    if file.is_dir() or is_bigbench(file):
        try:
            return tuple(TaskExample(item.input, item.answer) for item in read_bigbench(file, shuffle=False).items)
        except BadInput as error:
            # A file of that name may as well hold rows of another form.
            if file.is_dir():
                raise BadInput(f"task.test: {error.title}", error.hint or WITHOUT) from error
    try:
        items = tuple(_item(row, labels, f"{file.name}, item {number}") for number, row in enumerate(rows_in(file), 1))
        if not items:
            raise BadInput(f"{file.name} holds no items", FORMATS)
        return items
    except BadInput as error:
        raise BadInput(f"task.test: {error.title}", error.hint or WITHOUT) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"task.test: {file.name} cannot be read: {error}", WITHOUT) from error


def columns_taken(path: str, labels: Sequence[str]) -> str:
    """In words, which columns of a test are read as what, where their names do not say it; "" where they do. Raises BadInput."""
    file = Path(path)
    if file.is_dir() or is_bigbench(file):
        return ""
    row = next(iter(rows_in(file)), {})
    names = [str(column).strip() for column in row]
    if not names or _named(row):
        return ""
    asked = _item(row, labels, file.name).input
    taken = next((name for name, value in zip(names, row.values(), strict=True) if _text(value) == asked), "")
    how = f"the column {taken} is taken as the input" if taken else f"all columns, {', '.join(names[:8])}, are read as one input"
    return f"{file.name} has no column called input: {how}"


def _item(row: Mapping[str, Any], labels: Sequence[str], where: str) -> TaskExample:
    texts = {column: _text(value) for column, value in test_row(row, labels, where).items() if value is not None}
    if "input" in texts:
        text, output = texts["input"], texts.get("output", "")
        # The number of a row is nothing that an example could hold.
        numbered = not _named(row) and text.isdigit() and bool(output)
        return TaskExample(output, "") if numbered else TaskExample(text, output)
    if not any(texts.values()):
        raise BadInput(f"{where} holds no text", FORMATS)
    return TaskExample("\n".join(filter(None, texts.values())), "")


def _named(row: Mapping[str, Any]) -> bool:
    return any(str(column).strip().lower() == "input" for column in row)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if isinstance(value, dict):
        return "\n".join(map(_text, value.values()))
    return str(value)
