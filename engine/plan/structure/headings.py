"""Which value each piece of the examples' inputs stands for: an assignment over all pieces together, by name and by form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.plan.labels.words import folded, meanings
from engine.plan.profile import ColumnProfile, Sample
from engine.plan.structure.shape import Shape, contents_of, drop_headings, form_of, shape_of
from engine.plan.structure.texts import form_likeness
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

SURE = 0.75
"""Likeness from which a value stands for a piece, be it by its form alone."""
_NEVER = -9.0
_BY_NAME = (0.0, 0.4, 1.2, 1.8)
"""Weight of the four degrees of `same_word`, beside a form that weighs 0 to 1: part of a compound says less than the form."""
_BY_VALUE = 0.8
_BY_MEANING = 0.8
_UNRELATED = 0.25
"""Nearness in meaning that any two names may have."""
_MOST_TEXTS = 64


class Part(Value):
    """A piece of the examples' inputs that is no list of options."""

    heading: str
    texts: tuple[str, ...]
    """What each example has there."""
    near: dict[str, float] = msgspec.field(default_factory=dict)
    """Names of values near the heading in meaning, 0 to 1."""


def asked_parts(
    task: Task, shape: Shape, dropped: Sequence[str], names: Sequence[str] = (), embedder: Embedder | None = None
) -> tuple[Part, ...]:
    """The pieces of the shape with what stands there in each example that has all of them; `dropped` as for the shape itself.

    With an embedder headings are held against `names`.
    """
    slots = [slot for slot in shape.slots if not slot.options]
    if len(slots) == 1 and not slots[0].heading and len(shape.slots) == 1:
        return (Part(heading="", texts=tuple(contents_of(task))),)
    texts: list[list[str]] = [[] for _ in slots]
    for example in task.examples:
        own = drop_headings(shape_of(msgspec.structs.replace(task, examples=(example,))), dropped)
        found = [slot for slot in own.slots if not slot.options]
        if [slot.heading for slot in found] == [slot.heading for slot in slots]:
            for held, slot in zip(texts, found, strict=True):
                held.append(slot.content)
    near = _nearness([slot.heading for slot in slots], names, embedder)
    return tuple(
        Part(heading=slot.heading, texts=tuple(held), near=near.get(slot.heading, {})) for slot, held in zip(slots, texts, strict=True)
    )


def same_word(name: str, heading: str) -> int:
    """How well a heading names a column: 3 equal words, 2 the name ends in it or means it, 1 the name holds it, 0 not at all."""
    words, goal = folded(name).split(), folded(re.sub(r"\([^()]*\)$", "", heading)).split()
    if not words or not goal:
        return 0
    if words == goal or "".join(words).rstrip("s0123456789") == "".join(goal).rstrip("s"):
        return 3
    if words[-1].rstrip("s") == goal[-1].rstrip("s") or (len(words) == len(goal) == 1 and meanings(words[0]) & meanings(goal[0])):
        return 2
    return int(len(goal) == 1 and goal[0] in words)


def likeness(name: str, part: Part, sample: Sample) -> float:
    """How far a value stands for a piece: 0 to 1 for its form, more for its name and for holding what the examples have there.

    What only tells rows apart never does by half a name.
    """
    named = same_word(name, part.heading)
    by_name = max(_BY_NAME[named], _BY_MEANING * part.near.get(name, 0.0))
    profile = sample.by_name.get(name)
    if profile is None or not part.texts:
        return by_name + 0.5
    if profile.id_like and named < 2:
        return _NEVER
    return by_name + _form(profile, part, sample) + _BY_VALUE * has_values(profile, part)


def has_values(profile: ColumnProfile, part: Part) -> bool:
    """A column of few values that has one for each example: a kind of product, an aspect, a relation."""
    if not profile.label_set or profile.kind not in ("text", "class") or profile.numeric or profile.constant or not part.texts:
        return False
    known = {folded(value) for value in profile.counts}
    return all(folded(text) in known for text in part.texts)


def assigned(names: Sequence[str], parts: Sequence[Part], sample: Sample, in_order: float) -> dict[int, tuple[int, float]]:
    """Place of a part → place of the name that stands for it, and their likeness; as good as all parts together can be had.

    `in_order` is what keeping the names' order is worth, so that parts of one form are filled in order.
    """
    from scipy.optimize import linear_sum_assignment

    if not names or not parts:
        return {}
    table = [[likeness(name, part, sample) for name in names] for part in parts]
    weights = [
        [value + in_order * (1 - abs(row / max(1, len(parts) - 1) - column / max(1, len(names) - 1))) for column, value in enumerate(line)]
        for row, line in enumerate(table)
    ]
    rows, columns = linear_sum_assignment(weights, maximize=True)
    pairs = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    return {row: (column, table[row][column]) for row, column in pairs if table[row][column] >= 0}


def _nearness(headings: Sequence[str], names: Sequence[str], embedder: Embedder | None) -> dict[str, dict[str, float]]:
    headed = [heading for heading in headings if heading]
    if embedder is None or not headed or len(names) < 2:
        return {}
    near = embedder.embed(headed) @ embedder.embed([folded(name) for name in names]).T
    return {
        heading: {name: max(0.0, float(value) - _UNRELATED) / (1 - _UNRELATED) for name, value in zip(names, line, strict=True)}
        for heading, line in zip(headed, near, strict=True)
    }


def _form(profile: ColumnProfile, part: Part, sample: Sample) -> float:
    if profile.kind not in ("text", "class", "integer", "number"):
        return 0.5
    texts = [text for text in sample.texts(profile.name) if text][:_MOST_TEXTS]
    return form_likeness(form_of(texts), form_of(part.texts))[0]
