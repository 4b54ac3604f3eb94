"""A task as a form holds it, and as the TOML file that the command line takes; what is wrong is said of the field it is in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from datatune_tui.marks import Marks, marks_of
from datatune_tui.task_document import dumped, rewritten
from engine.config import check_document, read_task
from engine.errors import BadInput
from engine.records import TaskExample
from engine.whole_file import written_whole

FIELDS = ("name", "description", "language", "labels", "metric", "examples", "test", "marks")
"""Where a problem can be shown; those of tables the form does not show are shown with the name."""


class Form(NamedTuple):
    """What stands in the fields."""

    name: str = ""
    description: str = ""
    language: str = "en"
    kind: str = "text"
    labels: str = ""
    """Separated by commas; one that holds a comma stands in quotes."""
    examples: tuple[TaskExample, ...] = ()
    metric: str = ""
    test: str = ""
    marks: Marks = Marks()
    rest: Mapping[str, Any] = {}
    """Tables of the file that the form does not show, as they were read: models, options of stages."""
    source: str = ""
    """The text of the file that was opened: what is not changed stays as it stands there, comments too."""

    @property
    def document(self) -> dict[str, Any]:
        """What the task file says."""
        task: dict[str, Any] = {"name": self.name.strip(), "description": self.description.strip(), "language": self.language.strip()}
        for name, value in (("metric", self.metric), ("test", self.test), ("dataset", self.marks.dataset)):
            if value.strip():
                task[name] = value.strip()
        output: dict[str, Any] = {"kind": self.kind}
        if labels := split_labels(self.labels):
            output["labels"] = labels
        task["output"] = output
        task["examples"] = [{"input": one.input, "output": one.output} for one in self.examples]
        marked = {name: list(value) for name, value in (("prefer", self.marks.prefer), ("exclude", self.marks.exclude)) if value}
        others = {name: value for name, value in self.rest.get("retrieve", {}).items() if name not in ("prefer", "exclude")}
        document = {"task": task, **self.rest}
        document.pop("retrieve", None)
        return document | ({"retrieve": others | marked} if others or marked else {})

    def toml(self) -> str:
        """The task file."""
        if self.source:
            return rewritten(self.source, self.document)
        return dumped(self.document)

    def problems(self, folder: Path) -> dict[str, str]:
        """What is wrong with each field, of those that are wrong; nothing where the task can be worked on.

        `folder` is the task file's: paths in it count from there.
        """
        sound = Form("task", "A task.")
        found = {} if self.name.strip() else {"name": "give it a short name"}
        parts = {
            "description": sound._replace(description=self.description),
            "language": sound._replace(language=self.language),
            "labels": sound._replace(kind=self.kind, labels=self.labels),
            "metric": sound._replace(metric=self.metric),
            "examples": sound._replace(examples=self.examples),
            "marks": sound._replace(marks=self.marks),
        }
        for field, part in parts.items():
            if told := _refused(part):
                found[field] = told
        if not {"labels", "examples"} & found.keys() and (told := _refused(parts["labels"]._replace(examples=self.examples))):
            found["examples"] = told
        if self.rest and "name" not in found and (told := _refused(sound._replace(rest=self.rest))):
            found["name"] = told
        if self.test.strip() and not (folder / expanded(self.test)).is_file():
            found["test"] = f"no file {folder / expanded(self.test)}"
        named = self.marks.dataset
        if named.startswith(("/", "./", "../", "~")) and not (folder / expanded(named)).is_dir():
            found["marks"] = f"no folder {folder / expanded(named)}"
        return found


def form_of(path: Path) -> Form:
    """The form of a task file. Raises BadInput."""
    file = read_task(path)
    source = path.read_bytes().decode("utf-8-sig")
    document = tomllib.loads(source)
    rest = {name: table for name, table in document.items() if name != "task"}
    task = file.task
    return Form(
        name=task.name,
        description=task.description,
        language=task.language,
        kind=task.output.kind,
        labels=joined_labels(task.output.labels),
        examples=task.examples,
        metric=task.metric,
        test=str(document["task"].get("test", "")),
        marks=marks_of(file.dataset, rest.get("retrieve", {})),
        rest=rest,
        source=source,
    )


def save(form: Form, path: Path) -> str:
    """Write the task file, whole or not at all; its text. Raises BadInput where it cannot be written."""
    text = form.toml()
    with written_whole(path) as file:
        file.write(text)
    return text


def expanded(path: str) -> Path:
    """A path a person wrote, "~" resolved where it names somebody."""
    try:
        return Path(path.strip()).expanduser()
    except RuntimeError:
        return Path(path.strip())


def split_labels(text: str) -> list[str]:
    """Labels from a line with commas between; quotes hold one together that has a comma of its own."""
    import csv

    try:
        cells = next(csv.reader([text.replace("\n", " ")], skipinitialspace=True, strict=True), [])
    except csv.Error:
        cells = text.split(",")
    return [cell.strip() for cell in cells if cell.strip()]


def joined_labels(labels: tuple[str, ...]) -> str:
    """The line that `split_labels` reads as these."""
    quoted = ['"{}"'.format(label.replace('"', '""')) if "," in label or '"' in label else label for label in labels]
    return ", ".join(quoted)


def _refused(form: Form) -> str:
    """Why the task would be refused; "" where it would not be."""
    try:
        check_document(form.document, "task")
    except BadInput as error:
        return "; ".join(filter(None, (error.title, error.hint))).removeprefix("task: ")
    return ""
