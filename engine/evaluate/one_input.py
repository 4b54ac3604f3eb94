"""One input put to one model or two, with how sure each is of every label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from engine.evaluate.asking import CHOICE_ONLY, Asker, Setting, demonstrations
from engine.evaluate.items import Item, Test
from engine.evaluate.predict import text_of
from engine.records import Value


class Side(NamedTuple):
    """One model and how it is asked."""

    name: str
    """What it is to the person who asks: "trained", "base", "model"."""
    asker: Asker
    setting: Setting
    pool: Sequence[Item]
    """Examples of the task that may be shown."""


class Weighed(Value):
    """One label."""

    label: str
    log_probability: float
    """Natural, summed over its tokens and its end."""
    share: float
    """Of the probability of all labels."""


class Said(Value):
    """What a model makes of an input."""

    side: str
    model: str
    setting: str
    answer: str | None
    """The likeliest label, or what it wrote; None where no answer came."""
    weighed: tuple[Weighed, ...] = ()
    """Labels, in the task's order; () where the task has none."""
    only_order: bool = False
    """Whether the numbers order the labels and say no more: a server picks from a lettered menu."""
    error: str = ""


def say(side: Side, text: str) -> Said:
    """What one model makes of an input."""
    asker, task = side.asker, side.asker.task
    labels = task.output.labels if task.output.kind == "label" else ()
    item = Item("input", text, labels, tuple(0.0 for _ in labels), cluster="input")
    test = Test(task.name, (item,), "")
    (answer,) = asker.ask(test, [item], side.setting, demonstrations(side.pool, side.setting.shots, 0), CHOICE_ONLY)
    return Said(
        side.name,
        asker.answers.model.identity.name,
        str(side.setting),
        text_of(answer, task),
        tuple(map(Weighed, labels, answer.sums, shares(answer.sums))) if answer.sums else (),
        bool(labels) and not asker.plain,
        answer.error,
    )


def shares(sums: Sequence[float]) -> list[float]:
    """Log-probabilities as shares of their probability together."""
    top = max(sums, default=0.0)
    weights = [math.exp(one - top) for one in sums]
    return [weight / sum(weights) for weight in weights]
