"""The last look at every example: what may not leave a plan, whoever made it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.plan.flow import Flow
from engine.plan.leaks import leaks
from engine.plan.steps import Options, Pick, Plan
from engine.plan.values import OptionSet, Stop, Values, clean, short
from engine.plan.written import Written, folded
from engine.records import Column, Task


class Examine:
    """Cleans input and output and refuses what is not an example of the task. Raises values.Stop with kind "rejected"."""

    def __init__(self, plan: Plan, columns: Sequence[Column], task: Task) -> None:
        self._kind = task.output.kind
        self._labels = frozenset(task.output.labels)
        self._copies = frozenset(folded(example.input) for example in task.examples)
        self._sets = tuple(step.into for step in plan.steps if isinstance(step, Options))
        self._outside = frozenset(step.none for step in plan.steps if isinstance(step, Pick) and step.none is not None)
        self._written = Written(plan, columns, task)
        self._may_tell = self._kind == "text" and _input_may_tell(plan, columns)

    def __call__(self, given: str, output: str, values: Values) -> tuple[str, str]:
        given, output = clean(given), clean(output)
        if not given:
            raise _rejected("input: empty")
        if not output:
            raise _rejected("output: empty")
        if self._copies and folded(given) in self._copies:
            raise _rejected("input: a copy of one of the task's examples")
        if self._kind == "label":
            if self._labels and output not in self._labels:
                raise _rejected(f"output: {short(output)} is not one of the task's labels")
        elif self._kind != "text":
            self._among_options(given, output, values)
        if self._may_tell and len(output) > 3 and folded(output) in folded(given):
            raise _rejected("input: the output stands in it")
        self._written.look(given, output, values)
        return given, output

    def _among_options(self, given: str, output: str, values: Values) -> None:
        sets = [value for name in self._sets if isinstance(value := values.get(name), OptionSet)]
        if self._kind == "option_letter":
            if len(output) != 1 or not output.isalpha():
                raise _rejected(f"output: {short(output)} is not a letter")
            right = any(choice.letter == output for one in sets for choice in one) if sets else _has_line(output, given)
        elif sets:
            right = output in self._outside or any(clean(choice.text) == output for one in sets for choice in one)
        else:
            right = output in given
        if not right:
            raise _rejected(f"output: {short(output)} is not one of the options")


def _input_may_tell(plan: Plan, columns: Sequence[Column]) -> bool:
    """Whether a model that wrote the input was shown what decides the output."""
    if plan.emit is None:
        return False
    flow = Flow(columns)
    for step in plan.steps:
        flow.add(step)
    return any(not leak.certain for leak in leaks(flow.text(plan.emit.input), flow.text(plan.emit.output), flow))


def _has_line(letter: str, given: str) -> bool:
    return re.search(rf"(^|[\s(\[]){letter}[.):\]]", given) is not None


def _rejected(reason: str) -> Stop:
    return Stop("rejected", reason)
