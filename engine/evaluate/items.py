"""A test: items with their options or reference answers, which of them belong together, and how each is put to a model.

Options are shuffled for every item by a fixed seed: in published tests the right one often stands first.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from engine.answer_columns import answer_rows
from engine.config import nearest
from engine.errors import BadInput
from engine.evaluate.clusters import clustered
from engine.plan.options import stays_last
from engine.quality.listed_options import options_in
from engine.records import Output, Task, TaskExample, Value

MOST_ITEMS = 100_000
MOST_CHARACTERS = 200_000
"""Of one text of an item."""
COLUMNS = 'give "input" and "output" in each row; "references" may list several right answers, "cluster" name what belongs together'


class Frame(Value):
    """What stands around inputs and outputs in a prompt without chat markup."""

    instruction: str = ""
    """Before everything; "" for the task's description."""
    before: str = "Input: "
    after: str = "\nOutput: "
    between: str = "\n\n"
    bare: bool = False
    """Whether nothing at all stands before the first input where there is no instruction, as in some published tasks."""


class Item(Value):
    """One question of a test."""

    key: str
    """Its part and place in the file."""
    input: str
    """As asked, with the options where they are listed."""
    options: tuple[str, ...] = ()
    """Weighed against each other, in the order they are listed; () where an answer is written."""
    credits: tuple[float, ...] = ()
    """What choosing each option is worth, 0 to 1."""
    references: tuple[str, ...] = ()
    """Right answers."""
    cluster: str = ""
    """Items of one cluster share a stem, and are no independent evidence."""
    part: str = ""
    """Subtask it is of."""

    @property
    def right(self) -> tuple[int, ...]:
        """Places of the options with the highest credit."""
        best = max(self.credits, default=0.0)
        return tuple(place for place, credit in enumerate(self.credits) if credit == best)

    @property
    def answer(self) -> str:
        """A right answer, for a demonstration."""
        return self.references[0]

    @property
    def chance(self) -> float:
        """Credit of an option drawn blindly."""
        return sum(self.credits) / len(self.credits) if self.credits else 0.0


class Test(Value):
    """A test as read."""

    __test__: ClassVar[bool] = False  # pytest would take it for a class of its tests
    name: str
    items: tuple[Item, ...]
    metric: str
    """Fixed by the task or the file before anything is asked."""
    frames: dict[str, Frame] = {}
    """By part; others have the usual one."""
    notes: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether every item has options."""
        return all(item.options for item in self.items)

    @property
    def labels(self) -> tuple[str, ...]:
        """Options that are the same in every item, in alphabetical order; () where they differ."""
        sets = {frozenset(item.options) for item in self.items}
        return tuple(sorted(next(iter(sets)))) if len(sets) == 1 else ()

    @property
    def options_apart(self) -> float:
        """How many times as many characters the longest option of an item has as its shortest, the median over items; 1.0 for none."""
        apart = [max(lengths) / max(min(lengths), 1) for item in self.items if (lengths := [len(one) for one in item.options])]
        return statistics.median(apart) if apart else 1.0

    @property
    def clusters(self) -> int:
        """Independent groups of items."""
        return len({item.cluster for item in self.items})

    def frame(self, item: Item) -> Frame:
        """What stands around an item; around one that is of no part of this test, what stands around its first part."""
        return self.frames.get(item.part) or next(iter(self.frames.values()), Frame())

    def drawn(self, count: int, seed: int) -> tuple[Test, tuple[Item, ...]]:
        """At most so many items by seed, and those of other clusters, which are left."""
        if count >= len(self.items):
            return self, ()
        places = sorted(random.Random(f"items {seed}").sample(range(len(self.items)), count))
        taken = tuple(self.items[place] for place in places)
        notes = (*self.notes, f"{count:,} of {len(self.items):,} items, drawn by seed")
        used = {item.cluster for item in taken}
        rest = tuple(item for item in self.items if item.cluster not in used)
        return Test(self.name, taken, self.metric, self.frames, notes), rest


def read_test(path: Path, task: Task, *, shuffle: bool = True, seed: int = 0) -> Test:
    """A test of the user's (JSONL, JSON, CSV, TSV, Parquet, xlsx) or of BIG-bench (task.json, or the folder it lies in).

    Raises BadInput with what is wrong and where.
    """
    from engine.evaluate.bigbench import is_bigbench, read_bigbench

    if not path.exists():
        raise BadInput(f"{path}: no such test file", "give its path, or write it into the task file: test = …")
    if path.is_dir() or is_bigbench(path):
        return read_bigbench(path, shuffle=shuffle, seed=seed)
    if task.output.kind == "label" and len(task.output.labels) < 2:
        raise BadInput("the task has no labels to choose among", 'add labels = ["…", "…"] to [task.output]')
    items, notes = [], []
    unlisted = 0
    for number, row in enumerate(answer_rows(path, task.output.labels)[1], 1):
        if number > MOST_ITEMS:
            raise BadInput(f"{path.name}: over {MOST_ITEMS:,} items", "give a smaller file, such as a part drawn at random")
        item = _item(row, number, path.name, task.output, shuffle, seed)
        unlisted += task.output.kind.startswith("option") and not item.options
        items.append(item)
    if not items:
        raise BadInput(f"{path.name} holds no items", COLUMNS)
    if unlisted:
        notes.append(f"in {unlisted:,} of {len(items):,} items no list of options with the right one was found: answers are written")
        items = [Item(one.key, one.input, references=one.references, cluster=one.cluster) for one in items]
    return Test(path.stem, clustered(items), metric_of(task, all(item.options for item in items)), notes=tuple(notes))


def metric_of(task: Task, closed: bool) -> str:
    """By what a test of this task is judged: its own metric where that fits, else what is usual."""
    if closed:
        return "macro_f1" if task.metric == "macro_f1" and task.output.kind == "label" else "accuracy"
    fitting = ("exact_match", "exact_str_match", "token_f1", "rouge_l", "chrf")
    return task.metric if task.metric in fitting else "exact_match" if task.output.kind != "text" else "token_f1"


def example_items(examples: Sequence[TaskExample], task: Task, *, shuffle: bool = True, seed: int = 0) -> tuple[Item, ...]:
    """A task's own examples in the form of items, for trying prompts off the test and for demonstrations."""
    rows = [{"input": example.input, "output": example.output} for example in examples]
    items = [_item(row, number, "examples", task.output, shuffle, seed) for number, row in enumerate(rows, 1)]
    return clustered([msgspec.structs.replace(item, key=f"example {item.key}") for item in items])


def question(text: str, number: int = 1) -> Item:
    """An input alone, as `predict` asks it."""
    return Item(f"{number}", text)


def shuffled(key: str, options: Sequence[str], seed: int) -> list[int]:
    """An order of options for the item of this key; what speaks of the others, such as "none of these", stays where it is."""
    moving = [place for place, option in enumerate(options) if not stays_last(option)]
    mixed = moving[:]
    random.Random(f"options {seed} {key}").shuffle(mixed)
    order = list(range(len(options)))
    for place, taken in zip(moving, mixed, strict=True):
        order[place] = taken
    return order


def _item(row: dict[str, Any], number: int, name: str, output: Output, shuffle: bool, seed: int) -> Item:
    where = f"{name}, item {number}"
    text = row.get("input")
    if not isinstance(text, str):
        raise BadInput(f'{where}: no text "input" among {", ".join(map(str, list(row)[:8]))}', COLUMNS)
    references = _references(row, where)
    if max(map(len, (text, *references))) > MOST_CHARACTERS:
        raise BadInput(f"{where}: a text of over {MOST_CHARACTERS:,} characters", "leave it out, or shorten it")
    cluster = str(row.get("cluster") or "")
    key = f"{number}"
    if output.kind == "label":
        stripped = [reference.strip() for reference in references]
        strange = next((one for one in stripped if one not in output.labels), None)
        if strange is not None:
            near = nearest(strange, output.labels)
            raise BadInput(f"{where}: output {strange[:60]!r} is none of the labels{near}", f"labels: {', '.join(output.labels[:12])}")
        return Item(key, text, output.labels, tuple(float(label in stripped) for label in output.labels), tuple(stripped), cluster)
    if output.kind in ("option_text", "option_letter"):
        listed = options_in(text, references[0], output.kind)
        if listed is not None:
            order = shuffled(key, listed.options, seed) if shuffle else [*range(len(listed.spans))]
            names = listed.signs if output.kind == "option_letter" else listed.options
            was_right = names.index(references[0].strip())
            # Signs stay where they are and options move below them, so the right sign becomes another.
            shown = names if output.kind == "option_letter" else tuple(listed.options[place] for place in order)
            right = order.index(was_right)
            credits = tuple(float(place == right) for place in range(len(shown)))
            return Item(key, listed.ordered(order), shown, credits, (shown[right],), cluster)
    return Item(key, text, references=references, cluster=cluster)


def _references(row: dict[str, Any], where: str) -> tuple[str, ...]:
    found: list[str] = []
    for column in ("output", "references"):
        given = row.get(column)
        texts = given if isinstance(given, list) else [] if given is None else [given]
        if not all(isinstance(one, str) for one in texts):
            raise BadInput(f'{where}: "{column}" is neither a text nor a list of texts', COLUMNS)
        found += [one for one in texts if one not in found]
    if not any(one.strip() for one in found):
        raise BadInput(f'{where}: no right answer in "output"', COLUMNS)
    return tuple(found)
