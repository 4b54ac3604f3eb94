"""The published method as a mode: a model follows numbered steps on every row and writes input and output itself."""

from __future__ import annotations

from collections.abc import Generator

from engine.plan.model_steps import answer_fields, schema
from engine.plan.steps import Plan
from engine.plan.units import ModelCall
from engine.plan.values import Values, clean, fail, plain, skip
from engine.records import Column, Task

MAX_WRITTEN_CHARS = 4_000

# "skip" comes last: asked for it first, a 1.5B model left out 20 rows of 20 that it turns into right examples when it writes them first.
_FIELDS = {
    "input": {"type": "string", "maxLength": MAX_WRITTEN_CHARS},
    "output": {"type": "string", "maxLength": MAX_WRITTEN_CHARS},
    "skip": {"type": "boolean"},
}


class Prose:
    """A prose plan ready to be followed; the instruction is the same for every row, so a runtime can keep its prefix."""

    def __init__(self, plan: Plan, columns: tuple[Column, ...], task: Task, description: str) -> None:
        self._instruction = _instruction(plan, task, description)
        self._columns = plan.columns or tuple(column.name for column in columns)
        self._schema = schema(_FIELDS)

    def follow(self, values: Values) -> Generator[ModelCall, str, tuple[str, str]]:
        """One call; returns (input, output). Raises values.Stop when the model leaves the row out or answers otherwise than asked."""
        given = []
        for name in self._columns:
            try:
                text = plain(values.get(name))
            except (ValueError, RecursionError):
                continue  # pictures and sound mean nothing to a language model
            given.append((name, text))
        if not any(text.strip() for _, text in given):
            raise skip("prose: the row is empty")
        answer = answer_fields((yield ModelCall("prose", self._instruction, tuple(given), self._schema)), "prose")
        if answer.get("skip") is True:
            raise skip("prose: the model left the row out")
        made, output = answer.get("input"), answer.get("output")
        if not isinstance(made, str) or not isinstance(output, str):
            raise fail("prose: the answer lacks input or output")
        return clean(made), clean(output)


def _instruction(plan: Plan, task: Task, description: str) -> str:
    parts = [f"Turn one row of a data set into one example of a task.\n\nTask: {task.description.strip()}"]
    if description.strip() and description.strip() != task.description.strip():
        parts.append(f"The task in more words: {description.strip()}")
    if task.output.labels:
        parts.append(f"The output is one of: {', '.join(task.output.labels)}.")
    for number, example in enumerate(task.examples, 1):
        parts.append(f"Example {number} of the task\nInput: {example.input}\nOutput: {example.output}")
    parts.append("Steps to follow:\n" + "\n".join(f"{number}. {step.strip()}" for number, step in enumerate(plan.prose, 1)))
    parts.append(
        'Answer with "input", "output" and "skip". Set "skip" to true only if the row cannot become an example, to false otherwise; '
        "do not copy the examples above. The row follows, one column after the other."
    )
    return "\n\n".join(parts)
