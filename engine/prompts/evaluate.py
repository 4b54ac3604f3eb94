"""What a model is asked where it is evaluated: the task, demonstrations, and an input; as a chat, or as a plain text to go on with.

Inputs and outputs stand in full: a passage without its middle would be another question.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.evaluate.items import Frame
from engine.prompts.witness import SOLVE
from engine.records import Task, TaskExample
from models.language import Message

CONTENT_FREE = "N/A"
"""Stands for an input that says nothing (contextual calibration, Zhao et al., arXiv 2102.09690)."""
_NO_INPUT = "(no input)"
_MOST_LABELS = 100


def chat_messages(task: Task, demonstrations: Sequence[TaskExample], text: str, bare: bool = False) -> tuple[Message, ...]:
    """The task as a system turn, demonstrations as turns, the input last; `bare` with the description alone, as exports have it."""
    messages = [Message("system", task.description if bare else f"{SOLVE}{_described(task)}")]
    for one in demonstrations:
        messages += [Message("user", one.input.strip() or _NO_INPUT), Message("assistant", one.output)]
    return (*messages, Message("user", text.strip() or _NO_INPUT))


def plain_prompt(task: Task, frame: Frame, demonstrations: Sequence[TaskExample], text: str) -> tuple[str, str]:
    """The text to go on with, and the white space with which an answer begins: models read a word with the space before it."""
    shown = "".join(f"{frame.before}{one.input}{frame.after}{one.output}{frame.between}" for one in demonstrations)
    instruction = frame.instruction if frame.bare else f"{frame.instruction or _described(task)}\n\n"
    whole = f"{instruction}{shown}{frame.before}{text}{frame.after}"
    kept = whole.rstrip()
    return kept, whole[len(kept) :]


def answer_in(text: str, frame: Frame, one_line: bool) -> str:
    """What answers the question in a text a model went on with: up to where it begins a next question."""
    text = text.lstrip()
    ends = ["\n"] if one_line else ["\n\n", *(f"\n{mark}" for mark in [frame.before.strip()] if mark)]
    for end in ends:
        text = text.partition(end)[0]
    return text.strip()


def _described(task: Task) -> str:
    labels = f"\nThe output is one of: {', '.join(task.output.labels[:_MOST_LABELS])}." if task.output.labels else ""
    return f"{task.description}{labels}"
