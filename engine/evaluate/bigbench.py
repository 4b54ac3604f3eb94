"""Tests in BIG-bench's form: a folder with task.json, or subtasks in folders below it (Srivastava et al., arXiv 2206.04615).

Field names and their defaults are those of that benchmark. The file is a stranger's: it is read under bounds, and nothing is kept of
it but the items and what stands around them; the canary, which asks to be in no training data, is not even read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.errors import BadInput
from engine.evaluate.clusters import clustered
from engine.evaluate.items import MOST_CHARACTERS, MOST_ITEMS, Frame, Item, Test, shuffled
from engine.metrics import METRICS
from engine.plain_text import one_line
from engine.records import Task

FILE = "task.json"
MOST_BYTES = 64_000_000
MOST_OPTIONS = 200
MOST_FRAME = 20_000
"""Characters of a task's prefix, and of others that stand around an item."""
FORM = "a task of BIG-bench is a folder with task.json, whose examples have input and target or target_scores"


class _Example(msgspec.Struct):
    input: str
    target: str | list[str] | int | float | None = None
    target_scores: dict[str, float] | None = None


class _File(msgspec.Struct):
    name: str = ""
    description: str = ""
    task_prefix: str = ""
    preferred_score: str = ""
    metrics: list[str] = []
    example_input_prefix: str = "\nQ: "
    example_output_prefix: str = "\nA: "
    choice_prefix: str = "\n  choice: "
    append_choices_to_input: bool = True
    few_shot_example_separator: str = "\n"
    examples: list[_Example] = []


def is_bigbench(path: Path) -> bool:
    """Whether a file is such a task, by its name."""
    return path.name == FILE


def read_bigbench(path: Path, *, shuffle: bool = True, seed: int = 0) -> Test:
    """All items of a task.json, or of those in the folders beside it where it has none itself. Raises BadInput."""
    file = path / FILE if path.is_dir() else path
    head = _read(file)
    parts = [("", head)]
    if not head.examples:
        parts = [(below.parent.name, _read(below)) for below in sorted(file.parent.glob(f"*/{FILE}"))]
    items: list[Item] = []
    frames: dict[str, Frame] = {}
    for part, read in parts:
        frames[part] = _frame(read, file)
        items += _items(part, read, file, shuffle, seed)
        if len(items) > MOST_ITEMS:
            raise BadInput(f"{file.parent.name}: over {MOST_ITEMS:,} items", "give one of its subtasks alone")
    if not items:
        raise BadInput(f"{file.parent.name}/{FILE} holds no examples, and no folder beside it does", FORM)
    closed = [bool(item.options) for item in items]
    notes = [f"subtasks: {', '.join(one_line(part, 40) for part, _ in parts)}"] if len(parts) > 1 else []
    if len(set(closed)) > 1:
        raise BadInput(f"{file.parent.name}: some items have options and others none", "give one of its subtasks alone")
    wanted = {read.preferred_score or next(iter(read.metrics), "") for _, read in parts}
    usual = "multiple_choice_grade" if closed[0] else "exact_str_match"
    metric = usual
    if not closed[0] and len(wanted) == 1 and (only := next(iter(wanted))) in METRICS and only != "multiple_choice_grade":
        metric = only
    if wanted - {metric, ""}:
        notes.append(f"the task asks for {one_line(', '.join(sorted(wanted - {''})), 80)}, judged here by {metric}")
    return Test(one_line(head.name, 80) or file.parent.name, clustered(items), metric, frames, tuple(notes))


def test_files(path: Path) -> list[Path]:
    """The files a test is read from: the file itself; of a task of BIG-bench, given as a folder or as its task.json, those of its subtasks
    too where it has no items of its own."""
    if path.is_dir():
        return [path / FILE, *sorted(path.glob(f"*/{FILE}"))]
    if not is_bigbench(path):
        return [path]
    try:
        whole = bool(_read(path).examples)
    except BadInput:
        whole = True
    return [path] if whole else [path, *sorted(path.parent.glob(f"*/{FILE}"))]


def task_of_bigbench(path: Path) -> Task:
    """The task such a folder describes, without examples."""
    file = path / FILE if path.is_dir() else path
    head = _read(file)
    if not head.description.strip() and not head.task_prefix.strip():
        raise BadInput(f"{file}: no description", FORM)
    described = "\n".join(filter(None, (head.description.strip(), head.task_prefix.strip())))
    return Task(one_line(head.name, 80) or file.parent.name, described[:MOST_FRAME])


def _read(file: Path) -> _File:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise BadInput(f"{file}: over {MOST_BYTES // 1_000_000} MB", FORM)
        return msgspec.json.decode(file.read_bytes(), type=_File)
    except RecursionError:
        raise BadInput(f"{file}: its JSON nests too deeply", FORM) from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{file}: {one_line(str(error), 200)}", FORM) from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror or error}", FORM) from error


def _frame(read: _File, file: Path) -> Frame:
    around = (read.task_prefix, read.example_input_prefix, read.example_output_prefix, read.few_shot_example_separator)
    if max(map(len, (*around, read.choice_prefix))) > MOST_FRAME:
        raise BadInput(f"{file}: a prefix of over {MOST_FRAME:,} characters", FORM)
    return Frame(*around, bare=True)


def _items(part: str, read: _File, file: Path, shuffle: bool, seed: int) -> Iterator[Item]:
    for number, example in enumerate(read.examples, 1):
        where = f"{file.parent.name}{f'/{part}' if part else ''}, example {number}"
        key = f"{part}/{number}" if part else f"{number}"
        if len(example.input) > MOST_CHARACTERS:
            raise BadInput(f"{where}: an input of over {MOST_CHARACTERS:,} characters", "leave it out, or shorten it")
        if example.target_scores is None:
            yield Item(key, example.input.strip(), references=_targets(example, where), part=part)
            continue
        scores = example.target_scores
        if not 2 <= len(scores) <= MOST_OPTIONS:
            raise BadInput(f"{where}: {len(scores)} options", f"give 2 to {MOST_OPTIONS}")
        if not all(math.isfinite(score) and 0 <= score <= 1 for score in scores.values()) or max(scores.values()) <= 0:
            raise BadInput(f"{where}: target_scores hold no right option, or scores beyond 0 to 1", FORM)
        if any(not option.strip() or len(option) > MOST_FRAME for option in scores):
            raise BadInput(f"{where}: an option is empty or too long", FORM)
        names = [*scores]
        # Keyed by the options too: the same number in another subtask need not have the same order.
        order = shuffled(f"{key} {names}", names, seed) if shuffle else range(len(names))
        options = tuple(names[place] for place in order)
        credits = tuple(scores[option] for option in options)
        listed = "".join(f"{read.choice_prefix}{option}" for option in options) if read.append_choices_to_input else ""
        right = tuple(option for option, credit in zip(options, credits, strict=True) if credit == max(credits))
        yield Item(key, f"{example.input.strip()}{listed}", options, credits, right, part=part)


def _targets(example: _Example, where: str) -> tuple[str, ...]:
    given = example.target if isinstance(example.target, list) else [] if example.target is None else [str(example.target)]
    if not any(one.strip() for one in given):
        raise BadInput(f"{where}: neither target nor target_scores", FORM)
    if max(map(len, given)) > MOST_CHARACTERS:
        raise BadInput(f"{where}: a target of over {MOST_CHARACTERS:,} characters", "leave it out, or shorten it")
    return tuple(given)
