"""Which columns a plan shows in the input and which decide the output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.plan.flow import Fact, Flow, Part
from engine.plan.steps import Plan
from engine.records import Column


def inputs_and_outputs(plan: Plan, columns: Sequence[Column]) -> tuple[set[str], set[str]]:
    """Names of the columns shown and of those the output follows from; options that are all shown count as input.

    A prose plan leaves both to a model: all columns it is shown are inputs, none is known to be the output.
    """
    names = {column.name for column in columns}
    if plan.emit is None:
        return set(plan.columns) & names or names, set()
    flow = Flow(columns)
    for step in plan.steps:
        flow.add(step)
    shown, answer = flow.text(plan.emit.input), flow.text(plan.emit.output)
    inputs = _columns(shown.parts | shown.knows) | _options(flow, shown)
    outputs = _columns(answer.parts | answer.knows)
    return inputs & names, outputs & names


def _options(flow: Flow, fact: Fact) -> set[str]:
    return {name for options in fact.shows | fact.picked_from for name in _columns(flow.options[options].parts)}


def _columns(parts: Iterable[Part]) -> set[str]:
    return {str(part[0][0]) for part in parts if part and part[0]}
