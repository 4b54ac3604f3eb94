"""What the keep step tests: values, numbers, lengths, patterns, language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.plan.patterns import compile_pattern
from engine.plan.steps import Keep
from engine.plan.value_steps import Context, Run, value_of
from engine.plan.values import Values, as_text, fail, number_of, plain, short, skip


def keep(step: Keep, context: Context) -> Run:
    """A unit that misses one of the conditions is skipped."""
    name = step.value
    conditions: list[Callable[[Any], str]] = []
    if step.one_of is not None:
        allowed = frozenset(map(as_text, step.one_of))
        conditions.append(lambda value: "" if as_text(value) in allowed else f"is {short(value)}")
    if step.not_one_of is not None:
        refused = frozenset(map(as_text, step.not_one_of))
        conditions.append(lambda value: f"is {short(value)}" if as_text(value) in refused else "")
    if step.at_least is not None or step.at_most is not None:
        conditions.append(_within(step.at_least, step.at_most))
    if step.min_chars is not None or step.max_chars is not None:
        conditions.append(_length_within(step.min_chars, step.max_chars))
    if step.matches is not None:
        pattern, shown = compile_pattern(step.matches), short(step.matches)
        conditions.append(lambda value: "" if pattern.search(plain(value)) else f"has no match for {shown}")
    if step.language is not None:
        conditions.append(_in_language(step.language))

    def run(values: Values, key: str) -> None:
        value = value_of(values, name, "keep")
        for condition in conditions:
            try:
                reason = condition(value)
            except ValueError as error:
                raise fail(f"keep: {name} {error}") from error
            if reason:
                raise skip(f"keep: {name} {reason}")

    return run


def _within(least: float | None, most: float | None) -> Callable[[Any], str]:
    def condition(value: Any) -> str:
        number = number_of(value)
        if number is None:
            return "is not a number"
        if least is not None and number < least:
            return f"is below {plain(least)}"
        return f"is above {plain(most)}" if most is not None and number > most else ""

    return condition


def _length_within(least: int | None, most: int | None) -> Callable[[Any], str]:
    def condition(value: Any) -> str:
        length = len(plain(value).strip())
        if least is not None and length < least:
            return f"is shorter than {least} characters"
        return f"is longer than {most} characters" if most is not None and length > most else ""

    return condition


def _in_language(code: str) -> Callable[[Any], str]:
    from engine.plan.text_language import language_of, primary_code

    wanted = primary_code(code)

    def condition(value: Any) -> str:
        found = language_of(plain(value), wanted)
        return "" if found == wanted else f"is not in {wanted}" + (f" but {found}" if found else "")

    return condition
