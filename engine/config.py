"""Task files: strict TOML in, frozen values out, and one clear line when something is off."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.errors import BadInput
from engine.metrics import METRICS
from engine.records import Output, Task, TaskExample, Value

T = TypeVar("T")

ROLES = ("default", "rerank", "expand", "plan", "execute", "retry", "generate", "judge", "base", "embed")
"""What a model can be asked to do; "default" stands in for every role that has none, "embed" is the embedder."""

NO_DATASET = "none"
"""As a data set's name: use none, and have a model write the examples."""

MOVED = {"export.validation_share": "mix.validation_share"}
"""Options that went to another stage. Stored runs were migrated; files get a line that says so."""

MAX_TASK_BYTES = 4_000_000


class TaskTable(Value):
    """`[task]` as it is written."""

    name: str = ""
    description: str = ""
    language: str = "en"
    metric: str = ""
    test: str = ""
    dataset: str = ""
    """Use this data set instead of finding one: an id of the catalog, or a folder's path from the task file's folder."""
    output: Output = Output()
    examples: tuple[TaskExample, ...] = ()


class TaskFile(Value):
    """A task file's content."""

    task: Task
    models: dict[str, str] = {}
    options: dict[str, dict[str, Any]] = {}
    dataset: str = ""
    """As in TaskTable."""


def read_task(path: Path) -> TaskFile:
    """Read and check a task file. Raises BadInput with what, where and what to do."""
    try:
        if path.stat().st_size > MAX_TASK_BYTES:
            raise BadInput(f"{path}: over {MAX_TASK_BYTES // 1_000_000} MB, so not a task file", "give the task's TOML file, not its data")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file", "write a task file first; `datatune demo --show-task` prints one to start from") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: a folder, not a task file", "give the TOML file itself") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", "check its permissions") from error
    file = parse_task(text, str(path))
    if not file.task.test:
        return file
    test = path.parent / Path(file.task.test).expanduser()
    if not test.is_file() and not (test / "task.json").is_file():
        what = "no task.json in" if test.is_dir() else "no file"
        raise BadInput(f"{path}: task.test: {what} {file.task.test}", "give its path from the task file's folder, or remove the line")
    # A run is in no folder: it must find the file wherever it is at work.
    return msgspec.structs.replace(file, task=msgspec.structs.replace(file.task, test=str(test.resolve())))


def parse_task(text: str, where: str) -> TaskFile:
    """Check a task file's text; `where` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where}: not valid TOML: {error}", "see README, “Task file”") from None
    return check_document(document, where)


def check_document(document: dict[str, Any], where: str) -> TaskFile:
    """Check what a task file's TOML says. Raises BadInput."""
    from engine.stages import STAGE_NAMES, options_type

    for key in document:
        if key not in ("task", "models", *STAGE_NAMES):
            raise BadInput(f"{where}: unknown table [{key}]{nearest(key, ('task', 'models', *STAGE_NAMES))}", "remove or rename it")
    if not isinstance(document.get("task"), dict):
        raise BadInput(f"{where}: no [task] table", 'start with [task], name = "…", description = "…"')
    table = convert(document["task"], TaskTable, where, "task")
    task = Task(
        name=table.name or Path(where).stem,
        description=table.description.strip(),
        language=table.language,
        output=table.output,
        examples=table.examples,
        metric=table.metric,
        test=table.test,
    )
    check_task(task, where)
    models = convert(document.get("models", {}), dict[str, str], where, "models")
    for role in models:
        check_role(role, where)
    options = {stage: document[stage] for stage in STAGE_NAMES if stage in document}
    for stage, given in options.items():
        convert(given, options_type(stage), where, stage)
    return TaskFile(task, models, options, table.dataset.strip())


def check_task(task: Task, where: str) -> None:
    """Refuse a task that could not be worked on. Raises BadInput."""
    if not task.description:
        raise BadInput(f"{where}: task.description is missing", "say in two or three sentences what goes in and what comes out")
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", task.language):
        raise BadInput(f"{where}: task.language {task.language!r} is not a language code", 'use a code such as "en", "de" or "zh"')
    if task.metric and task.metric not in METRICS:
        raise BadInput(f"{where}: task.metric: no metric {task.metric!r}{nearest(task.metric, METRICS)}", f"metrics: {', '.join(METRICS)}")
    if task.output.kind == "label" and len(set(task.output.labels)) < 2:
        raise BadInput(f'{where}: output kind "label" needs at least two different labels', 'add labels = ["…", "…"] to [task.output]')
    if task.output.kind != "label" and task.output.labels:
        raise BadInput(f'{where}: labels are given but the output kind is "{task.output.kind}"', 'set kind = "label", or remove the labels')
    if any(not label.strip() for label in task.output.labels):
        raise BadInput(f"{where}: task.output.labels has an empty label", "remove it")
    for number, label in enumerate(task.output.labels):
        if label != label.strip():
            raise BadInput(f"{where}: task.output.labels: {label!r} has blanks around it", "write it without them")
        if twin := next((one for one in task.output.labels[:number] if one.casefold() == label.casefold()), ""):
            raise BadInput(f"{where}: task.output.labels: {twin!r} and {label!r} are one label to a reader", "remove one")
    for number, example in enumerate(task.examples, 1):
        if not example.input.strip() or not example.output.strip():
            raise BadInput(f"{where}: task.examples number {number} has an empty input or output", "fill it in or remove it")
        if task.output.kind == "label" and example.output not in task.output.labels:
            near = nearest(example.output, task.output.labels)
            raise BadInput(f"{where}: task.examples number {number}: output {example.output!r} is not one of the labels{near}", "")


def check_role(role: str, where: str) -> None:
    """Refuse a role nobody asks for. Raises BadInput."""
    if role not in ROLES:
        raise BadInput(f"{where}: unknown role {role!r}{nearest(role, ROLES)}", f"roles: {', '.join(ROLES)}")


def parse_setting(text: str, said: str = "--set") -> tuple[str, str, Any]:
    """`stage.option=value` in parts, the value read as TOML where it is TOML, else as text. Raises BadInput; `said` begins its words."""
    from engine.stages import STAGE_NAMES

    name, equals, value = text.partition("=")
    stage, dot, option = name.strip().partition(".")
    if not equals or not dot:
        raise BadInput(f"{said} {text}: not of the form stage.option=value", f"for example {said} execute.examples=500")
    if stage not in STAGE_NAMES:
        raise BadInput(f"{said} {text}: no stage {stage!r}{nearest(stage, STAGE_NAMES)}", f"stages: {', '.join(STAGE_NAMES)}")
    check_option(stage, option, f"{said} {text}")
    return stage, option, setting_value(stage, option, value)


def check_option(stage: str, option: str, where: str) -> None:
    """Refuse an option the stage does not have. Raises BadInput."""
    from engine.stages import options_type

    fields = options_type(stage).__struct_fields__
    if option not in fields:
        better = moved(f"{stage}.{option}") or nearest(option, fields)
        raise BadInput(f"{where}: {stage} has no option {option!r}{better}", f"options: {', '.join(fields)}")


def setting_value(stage: str, option: str, text: str) -> Any:
    """What a text stands for as a value of an option: TOML where it is TOML, else the text itself. Not checked otherwise."""
    try:
        parsed = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
    # A config may well be called 2024.
    text_is_meant = not _takes(stage, option, parsed) and _takes(stage, option, text.strip())
    return text.strip() if text_is_meant else parsed


def _takes(stage: str, option: str, value: Any) -> bool:
    try:
        stage_options(stage, {option: value})
    except BadInput:
        return False
    return True


def stage_options(stage: str, given: dict[str, Any]) -> Any:
    """A stage's Options filled from what the user gave. Raises BadInput."""
    from engine.stages import options_type

    return convert(given, options_type(stage), "options", stage)


def convert(value: Any, into: type[T], where: str, table: str) -> T:
    """Check `value` against a type; a wrong key gets its nearest neighbour. Raises BadInput."""
    try:
        return msgspec.convert(value, into, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(_plainly(str(error), where, table, into), "see README, “Task file”") from None


def _plainly(message: str, where: str, table: str, into: type) -> str:
    what, _, path = message.partition(" - at ")
    place = table + path.strip("`").removeprefix("$")
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        better = moved(f"{place}.{unknown[1]}") or nearest(unknown[1], _fields_at(into, path))
        return f"{where}: unknown key {place}.{unknown[1]}{better}"
    return f"{where}: {place}: {what[:1].lower()}{what[1:]}"


def _fields_at(into: Any, path: str) -> tuple[str, ...]:
    names = list(re.findall(r"[A-Za-z_]+", path))
    if names and names[-1] == "output":
        return Output.__struct_fields__
    if "examples" in names:
        return TaskExample.__struct_fields__
    return tuple(getattr(into, "__struct_fields__", ()))


def moved(name: str) -> str:
    """“; it is now …” for an option that another stage has now; "" for others."""
    return f"; it is now {MOVED[name]}" if name in MOVED else ""


def nearest(word: str, known: Any) -> str:
    """“; did you mean …?” with the known word that is most alike; "" where none is."""
    near = difflib.get_close_matches(str(word).lower(), [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
