"""A model's plan: a small closed form that a grammar can hold a model to, turned into plan steps.

A small model asked for free steps writes valid ones that mean something else; here it only chooses among columns that exist and a
few ways to reach the output. What it chose is checked and tried like any other plan.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from engine.plan.profile import read_sample
from engine.plan.steps import AnyStep, Bin, Emit, Map, Match, Options, Pick, Plan, Shuffle, Template, Write
from engine.plan.values import as_text
from engine.records import Column, Row, Task

MOST_VALUES = 30
MOST_VALUE_CHARS = 60

Way = Literal["copy", "pick", "map", "after", "threshold", "write"]


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model chose."""

    input: tuple[str, ...]
    """Columns the input shows, in order."""
    way: Way
    column: str
    """Column the output is read from."""
    options: tuple[str, ...] = ()
    """For "pick": columns that hold the options."""
    by: Literal["index", "letter", "text"] = "index"
    base: int = 0
    table: dict[str, str] = {}
    """For "map": value → label."""
    marker: str = ""
    """For "after": text before the output."""
    threshold: float = 0.5
    instruction: str = ""
    """For "write"."""


def few_values(columns: Sequence[Column], rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """The distinct values, as text, of columns that have few of them, most frequent first."""
    found: dict[str, tuple[str, ...]] = {}
    for column in columns:
        counts = Counter(as_text(row.values.get(column.name)) for row in rows)
        counts.pop("", None)
        if 2 <= len(counts) <= MOST_VALUES and all(len(value) <= MOST_VALUE_CHARS for value in counts):
            found[column.name] = tuple(value for value, _ in counts.most_common())
    return found


def showable(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[str, ...]:
    """Columns an input may show in a draft: those with natural text in them, for numbers, ids and votes give answers away."""
    profiles = read_sample(columns, rows).profiles
    texts = dict.fromkeys(profile.column for profile in profiles if profile.free_text or profile.text_list)
    return tuple(texts)


def draft_schema(
    task: Task,
    columns: Sequence[Column],
    values: dict[str, tuple[str, ...]],
    inputs: Sequence[str],
    *,
    allow_write: bool = False,
    allow_guess: bool = False,
) -> dict[str, Any] | None:
    """JSON schema of the drafts that make sense, None when there are none.

    `values` are the few distinct values of columns that have few, `inputs` the columns that may be shown. Names and values enter only
    as quoted enum members.
    """
    names = [column.name for column in columns]
    if not inputs or (task.output.kind == "label" and not allow_guess):
        return None
    shown: dict[str, Any] = {"type": "array", "items": {"enum": list(inputs)}, "minItems": 1, "maxItems": min(8, len(inputs))}
    column: dict[str, Any] = {"enum": names}
    ways: list[dict[str, Any]] = [
        _object(input=shown, way={"const": "copy"}, column=column),
        _object(input=shown, way={"const": "after"}, column=column, marker={"type": "string", "minLength": 1, "maxLength": 20}),
    ]
    if task.output.kind in ("option_text", "option_letter") and len(names) > 2:
        options = {"type": "array", "items": {"enum": names}, "minItems": 1, "maxItems": min(10, len(names))}
        ways = [
            _object(
                input=shown,
                way={"const": "pick"},
                column=column,
                options=options,
                by={"enum": ["index", "letter", "text"]},
                base={"enum": [0, 1]},
            ),
            ways[0],
        ]
    if task.output.kind == "label":
        ways = []
        labels = {"enum": [*task.output.labels, ""]}
        for name, few in values.items():
            ways.append(_object(input=shown, way={"const": "map"}, column={"const": name}, table=_object(**dict.fromkeys(few, labels))))
        if len(task.output.labels) == 2:
            ways.append(_object(input=shown, way={"const": "threshold"}, column=column, threshold={"type": "number"}))
        ways = ways or [_object(input=shown, way={"const": "copy"}, column=column)]
    if allow_write and task.output.kind == "text":
        ways.append(
            _object(input=shown, way={"const": "write"}, column=column, instruction={"type": "string", "minLength": 10, "maxLength": 300})
        )
    return {"anyOf": ways}


def read_draft(text: str) -> Draft:
    """A draft from an answer. Raises ValueError with what is wrong."""
    try:
        return msgspec.json.decode(text, type=Draft)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not a draft: {error}") from None


def plan_of(draft: Draft, task: Task, name: str, columns: Sequence[Column]) -> Plan:
    """The plan a draft stands for; its own names avoid those of the columns. Raises ValueError for one that stands for none."""
    if draft.way == "pick" and not draft.options:
        raise ValueError("a pick without options to pick from")
    if draft.way == "threshold" and len(task.output.labels) != 2:
        raise ValueError("a threshold, which needs a task with two labels")
    steps: list[AnyStep] = []
    taken = {column.name for column in columns}
    output, choices = _free("answer", taken), _free("choices", taken)
    chosen = tuple(dict.fromkeys(draft.options))
    decides = set() if draft.way == "write" else {draft.column}
    parts = [column for column in dict.fromkeys(draft.input) if column not in chosen and column not in decides]
    if not parts and not chosen:
        raise ValueError(f"the input would show nothing but {draft.column}, which decides the output")
    if draft.way == "copy":
        steps.append(Template(into=output, template=_show(draft.column)))
    elif draft.way == "pick":
        several = chosen if len(chosen) > 1 else ()
        steps.append(Options(into=choices, columns=several, list="" if several else chosen[0]))
        steps.append(Pick(options=choices, into=output, by=draft.by, value=draft.column, base=draft.base))
        steps.append(Shuffle(options=choices))
    elif draft.way == "map":
        steps.append(Map(value=draft.column, into=output, table={value: label for value, label in draft.table.items() if label}))
    elif draft.way == "after":
        pattern = f"{re.escape(draft.marker)}\\s*(.+)$"
        steps.append(Match(value=draft.column, into=output, pattern=pattern, group=1, which="last"))
    elif draft.way == "threshold":
        low, high = task.output.labels[0], task.output.labels[1]
        steps.append(Bin(value=draft.column, into=output, thresholds=(draft.threshold,), labels=(low, high)))
    else:
        steps.append(Write(instruction=draft.instruction, given=draft.input, into=(output,)))
    text = "\n".join(_show(part) if len(parts) == 1 else f"{_heading(part)}: {_show(part)}" for part in parts)
    if draft.way == "pick":
        text += f"\nOptions:\n{{{{ {choices}{'.lettered' if task.output.kind == 'option_letter' else ''} }}}}"
    answer = f"{{{{ {output}{'.letter' if draft.way == 'pick' and task.output.kind == 'option_letter' else ''} }}}}"
    return Plan(
        name=name,
        steps=tuple(steps),
        emit=Emit(input=text.strip(), output=answer),
        origin="model",
        reasons=(f"the model chose: {_told(draft)}",),
    )


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _told(draft: Draft) -> str:
    return {
        "copy": f"output copied from {draft.column}",
        "pick": f"output picked from {', '.join(draft.options)} by {draft.by} in {draft.column}",
        "map": f"output mapped from {draft.column}",
        "after": f"output is what follows {draft.marker!r} in {draft.column}",
        "threshold": f"output by whether {draft.column} reaches {draft.threshold:g}",
        "write": "output written by a model",
    }[draft.way]


def _show(name: str) -> str:
    return f"{{{{ {name} }}}}" if name.isidentifier() else f"{{{{ row[{_quoted(name)}] }}}}"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _heading(name: str) -> str:
    words = re.sub(r"[_\W]+", " ", name).strip()
    return (words[:1].upper() + words[1:]).replace("{", "").replace("}", "") or "Text"


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
