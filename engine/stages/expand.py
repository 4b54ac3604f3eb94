"""Expand: a fuller description of the task, written by a model from the user's own words and examples.

The user's words stay and come first; what the model adds may only explain. An expansion that drops the task (too short, in
another language's script, naming none of its words) is left out, and the user's words stand alone.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from engine.prompts import expand as prompt
from engine.records import ExpandedTask, Task, Value
from engine.stage import Context, Stage
from models.language import Completion, Request, Sampling


class Given(Value):
    """What it starts from."""

    task: Task


class Options(Value):
    """Settings of expand."""

    use_model: Annotated[bool, Meta(description="Let the model write a fuller description; off uses your words alone.")] = True
    text: Annotated[str, Meta(description="A fuller description of your own, in place of the model's.")] = ""
    max_tokens: Annotated[int, Meta(description="Longest expansion, in tokens.", ge=16, le=1024)] = 160


def run(given: Given, options: Options, ctx: Context) -> ExpandedTask:
    """One call; whatever comes back, the user's own description is kept whole."""
    task = given.task
    if options.text.strip():
        return ExpandedTask(f"{task.description}\n{options.text.strip()}", "user", "written by you")
    if not options.use_model:
        return ExpandedTask(task.description, "user", "expansion is off")
    request = Request("expand", prompt.messages(task), prompt.schema(), Sampling(seed=ctx.seed, max_tokens=options.max_tokens))
    completion = next(iter(ctx.complete("expand", [request])))
    addition, reason = _addition(task, completion)
    if not addition:
        ctx.event("expansion-unused", f"the model's expansion is not used: {reason}")
        return ExpandedTask(task.description, "user", reason)
    return ExpandedTask(f"{task.description}\n{addition}", "model", "the model's words follow yours")


def _addition(task: Task, completion: Completion) -> tuple[str, str]:
    if completion.finish != "stop":
        return "", completion.error or "it was cut off by length"
    text = prompt.read(completion.text)
    own = _words(task.description)
    if len(text) < 20:
        return "", "it says next to nothing"
    if not own & _words(text):
        return "", "it names nothing of the task"
    if _words(text) <= own:
        return "", "it only repeats the task"
    return text, ""


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower())) or set(text.lower())


STAGE = Stage("expand", "writing a fuller description of the task", 1, Given, Options, ExpandedTask, run, roles=("expand",))
