"""What the model steps ask and how their answers are read: an answer is text from outside until it has been checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any

from engine.plan.steps import Check, Write
from engine.plan.units import ModelCall
from engine.plan.value_steps import value_of
from engine.plan.values import OptionSet, Stop, Values, clean, fail, plain, short

Asks = Callable[[Values], Generator[ModelCall, str, None]]
"""Yields its calls, is sent the completions, and changes the values in place. Raises values.Stop to end the unit."""


def write(step: Write, choices: Callable[[Values], tuple[str, ...]] | None = None) -> Asks:
    """One text for each name. `choices` gives the only answers that can be right, where they are known."""

    def ask(values: Values) -> Generator[ModelCall, str, None]:
        text: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": step.max_chars}
        allowed = choices(values) if choices is not None else ()
        field = {"type": "string", "enum": list(allowed)} if allowed else text
        answer = answer_fields(
            (yield ModelCall("write", step.instruction, shown(values, step.given, "write"), schema(dict.fromkeys(step.into, field)))),
            "write",
        )
        for name in step.into:
            value = answer.get(name)
            if not isinstance(value, str):
                raise fail(f"write: no text for {name} in the answer")
            value = clean(value)
            if not value:
                raise Stop("rejected", f"write: {name} is empty")
            if len(value) > step.max_chars:
                raise fail(f"write: {name} is longer than {step.max_chars} characters")
            if allowed and value not in allowed:
                raise fail(f"write: {short(value)} is not one of the answers allowed")
            values[name] = value

    return ask


def check(step: Check) -> Asks:
    """Yes lets the unit pass, no rejects it with the question as the reason."""

    def ask(values: Values) -> Generator[ModelCall, str, None]:
        instruction = f"{step.question.strip()}\nAnswer yes or no."
        fields = schema({"answer": {"type": "string", "enum": ["yes", "no"]}})
        answer = answer_fields((yield ModelCall("check", instruction, shown(values, step.given, "check"), fields)), "check")
        if answer.get("answer") == "no":
            raise Stop("rejected", f"check: no to {short(step.question)}")
        if answer.get("answer") != "yes":
            raise fail("check: the answer is neither yes nor no")

    return ask


def schema(fields: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with exactly these fields."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def shown(values: Values, names: tuple[str, ...], step: str) -> tuple[tuple[str, str], ...]:
    """Names with their texts, as the model sees them."""
    texts = []
    for name in names:
        value = value_of(values, name, step)
        try:
            texts.append((name, value.lettered if isinstance(value, OptionSet) else plain(value)))
        except (ValueError, RecursionError) as error:
            raise fail(f"{step}: {name} {error}") from error
    return tuple(texts)


def answer_fields(completion: str, step: str) -> dict[str, Any]:
    """The fields of a JSON answer. Raises Stop when it is none."""
    try:
        answer = json.loads(completion)
    except (ValueError, RecursionError) as error:
        raise fail(f"{step}: the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise fail(f"{step}: the answer is not a JSON object")
    return answer
