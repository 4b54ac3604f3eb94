"""A plan on sample rows, as a witness sees it: inputs, outputs and what the outputs choose among."""

from __future__ import annotations

from collections.abc import Sequence

from engine.plan.compile import compile_plan
from engine.plan.steps import Plan
from engine.plan.trial import SampleSource
from engine.plan.units import Accepted
from engine.records import Column, Row, Task, Value

MOST_LABELS = 40
SEED = 0


class Shown(Value):
    """One row as a plan shows it."""

    key: str
    """Of its unit: the same row under another plan has the same key."""
    input: str
    output: str
    choices: tuple[str, ...] = ()
    """What the output is one of: labels, option letters, or option texts; () for free text."""
    menu: bool = False
    """The choices are texts of this row's own, to be shown as a lettered menu."""


def show(plan: Plan, columns: Sequence[Column], rows: Sequence[Row], task: Task) -> list[Shown]:
    """The rows that become examples, in the rows' order. The plan has no model steps and compiles."""
    program = compile_plan(plan, columns, seed=SEED, task=task)
    labels = task.output.labels if 2 <= len(task.output.labels) <= MOST_LABELS else ()
    shown = []
    for unit in program.units(SampleSource(columns, rows)):
        outcome, offered = program.outcome_with_options(unit)
        if not isinstance(outcome, Accepted):
            continue
        example = outcome.example
        choices, menu = labels, False
        if offered:
            letters = tuple(choice.letter for choice in offered)
            texts = tuple(dict.fromkeys(choice.text for choice in offered))
            menu = example.output not in letters or example.output in texts
            choices = texts if menu else letters
        if example.output not in choices or len(choices) < 2 or len(choices) > MOST_LABELS:
            choices, menu = (), False
        shown.append(Shown(unit.key, example.input, example.output, choices, menu))
    return shown
