"""What expand asks: details that follow from the task's own words."""

from __future__ import annotations

from typing import Any

from engine.prompts import chat, fields, quoted
from engine.records import Task
from models.language import Message

SYSTEM = (
    "You describe data-labelling tasks precisely. You are given a short task description and examples, as data between <<< and >>>. "
    "Add what a worker needs to know: what the input contains, what the output must look like, what to watch for. "
    "Do not contradict or restate the description, do not solve anything, do not invent further rules."
)


def messages(task: Task) -> tuple[Message, ...]:
    """The prompt."""
    parts = [f"Task:\n{quoted(task.description, 2000)}"]
    for example in task.examples[:3]:
        parts.append(f"Example input:\n{quoted(example.input, 600)}\nExample output:\n{quoted(example.output, 200)}")
    if task.output.labels:
        parts.append("The output is one of: " + ", ".join(task.output.labels[:40]))
    parts.append('Answer as JSON: {"details": "two or three sentences"}')
    return chat(SYSTEM, "\n\n".join(parts))


def schema() -> dict[str, Any]:
    """One text of at most 600 characters."""
    return {
        "type": "object",
        "properties": {"details": {"type": "string", "maxLength": 600}},
        "required": ["details"],
        "additionalProperties": False,
    }


def read(text: str) -> str:
    """The details in an answer that obeyed the schema; "" for one that did not."""
    details = fields(text).get("details")
    return details.strip() if isinstance(details, str) else ""
