"""The user's own test, read whole: what no training example may hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.answer_columns import answer_rows
from engine.answer_file import FORMATS
from engine.errors import BadInput
from engine.evaluate.bigbench import is_bigbench, read_bigbench, test_files
from engine.records import Task, TaskExample

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
    """All items of a test: of its columns input and output, else of two columns (see engine.answer_columns), else all texts of a row as
    one input; or those of a task of BIG-bench.

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
        items = tuple(_item(row, f"{file.name}, item {number}") for number, row in enumerate(answer_rows(file, labels)[1], 1))
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
    chosen, rows = answer_rows(file, labels)
    first = next(rows, {"input": ""})
    if chosen is None and "input" in first:
        return ""
    how = f"the column {chosen.input} is taken as the input" if chosen else f"all columns, {', '.join([*first][:8])}, are read as one input"
    return f"{file.name} has no column called input: {how}"


def mark_of_test(task: Task) -> str:
    """The digest of a task's test, and which columns were taken where their names do not say it: what a mix is held against."""
    digest = digest_of_test(task.test)
    return " ".join(filter(None, (digest, columns_taken(task.test, task.output.labels) if digest else "")))


def _item(row: Mapping[str, Any], where: str) -> TaskExample:
    texts = {column: _text(value) for column, value in row.items() if value is not None}
    if "input" in texts:
        return TaskExample(texts["input"], texts.get("output", ""))
    if not any(texts.values()):
        raise BadInput(f"{where} holds no text", FORMATS)
    return TaskExample("\n".join(filter(None, texts.values())), "")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if isinstance(value, dict):
        return "\n".join(map(_text, value.values()))
    return str(value)
