"""A task as a form holds it, and as the TOML file that the command line takes; what is wrong is said of the field it is in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from engine.config import parse_task, read_task
from engine.errors import BadInput
from engine.records import TaskExample

FIELDS = ("name", "description", "language", "labels", "examples", "test")
"""Where a problem can be shown; those of no field are shown with the description."""

_PLACES = (
    ("examples", r"task\.examples"),
    ("labels", r"label"),
    ("language", r"task\.language|language code"),
    ("test", r"task\.test"),
    ("name", r"task\.name"),
)


class Form(NamedTuple):
    """What stands in the fields."""

    name: str = ""
    description: str = ""
    language: str = "en"
    kind: str = "text"
    labels: str = ""
    """Separated by commas."""
    examples: tuple[TaskExample, ...] = ()
    test: str = ""
    rest: Mapping[str, Any] = {}
    """Tables of the file that the form does not show, as they were read: models, options of stages."""

    def toml(self) -> str:
        """The task file."""
        task: dict[str, Any] = {"name": self.name.strip(), "description": self.description.strip(), "language": self.language.strip()}
        if self.test.strip():
            task["test"] = self.test.strip()
        output: dict[str, Any] = {"kind": self.kind}
        if labels := [label.strip() for label in self.labels.split(",") if label.strip()]:
            output["labels"] = labels
        task["output"] = output
        task["examples"] = [{"input": one.input, "output": one.output} for one in self.examples]
        return tomli_w.dumps({"task": task, **self.rest}, multiline_strings=True)

    def problem(self, folder: Path) -> tuple[str, str]:
        """(field, what is wrong with it), the first that is; ("", "") where the task can be worked on."""
        if not self.name.strip():
            return "name", "give it a short name"
        try:
            parse_task(self.toml(), "task")
        except BadInput as error:
            told = f"{error.title} {error.hint}".removeprefix("task: ").strip()
            return next((field for field, pattern in _PLACES if re.search(pattern, error.title)), "description"), told
        if self.test.strip() and not (folder / Path(self.test.strip()).expanduser()).is_file():
            return "test", f"no file {self.test.strip()}"
        return "", ""


def form_of(path: Path) -> Form:
    """The form of a task file. Raises BadInput."""
    import tomllib

    file = read_task(path)
    document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    rest = {name: table for name, table in document.items() if name != "task"}
    task = file.task
    return Form(task.name, task.description, task.language, task.output.kind, ", ".join(task.output.labels), task.examples, task.test, rest)


def examples_in(path: Path) -> tuple[TaskExample, ...]:
    """Examples of a file: {"input", "output"} a line of JSON, or CSV and TSV with those columns. Raises BadInput."""
    import csv
    import json

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", "give a JSONL, CSV or TSV file with input and output") from error
    found: list[Mapping[str, Any]] = []
    if path.suffix.lower() in (".csv", ".tsv"):
        found = list(csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    found.append(dict(json.loads(line)))
                except (ValueError, TypeError) as error:
                    raise BadInput(f"{path}, line {number}: no JSON object", 'write lines such as {"input": "…", "output": "…"}') from error
    return _examples(found, path)


def pasted(text: str) -> tuple[TaskExample, ...]:
    """Examples as people paste them: blocks with an empty line between, in each the output after the last "→", "=>" or tab."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        parts = re.split(r"\s*(?:→|=>|\t)\s*", block.strip())
        if len(parts) < 2 or not parts[-1] or not "".join(parts[:-1]).strip():
            raise BadInput(f"no output in: {block.strip()[:60]}", "write: input → output, with an empty line between examples")
        cut = block.strip()[: -len(parts[-1])]
        found.append(TaskExample(re.sub(r"\s*(?:→|=>|\t)\s*$", "", cut), parts[-1]))
    return tuple(found)


def _examples(rows: Sequence[Mapping[str, Any]], path: Path) -> tuple[TaskExample, ...]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("input"), str) or not isinstance(row.get("output"), str):
            raise BadInput(f'{path}, row {number}: no text "input" and "output"', "name its two columns so")
    if not rows:
        raise BadInput(f"{path} holds no examples", "give a JSONL, CSV or TSV file with input and output")
    return tuple(TaskExample(row["input"], row["output"]) for row in rows)
