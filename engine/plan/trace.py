"""A few units on their way through a plan, step by step: what each step read and what it gave, and where a unit ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

from engine.plan.compile import Program
from engine.plan.names import gives, reads
from engine.plan.steps import AnyStep, Borrow, Explode, Group, Join, Sample, Shuffle
from engine.plan.units import Accepted, ModelCall, Outcome, Unit
from engine.plan.values import OptionSet, Values, plain
from engine.records import Value

CHARACTERS = 600
"""Of a value that are shown."""
ROW_STEPS = (Explode, Group, Join, Sample, Borrow)


class StepSeen(Value):
    """One step of the plan, for one unit."""

    place: int
    """Counted from 0."""
    do: str
    before: dict[str, str]
    """Name → text of what it reads."""
    after: dict[str, str]
    """Name → text of what it gives; nothing where it only lets units pass, and where the unit ended."""


class UnitSeen(Value):
    """One unit, from its row to what became of it."""

    key: str
    row: int
    """0-based in its split's file."""
    steps: tuple[StepSeen, ...]
    """Up to the one at which it ended."""
    state: str
    """accepted, rejected, failed, skipped, or "asks" where a model would have to be asked."""
    reason: str = ""
    input: str = ""
    output: str = ""
    prompt: str = ""
    """What a model is asked, where the unit ended there."""


Asked = Callable[[Sequence[ModelCall]], Sequence[str | None]]
"""Answers to calls, in their order; None where there is none."""


def trace_units(program: Program, units: Sequence[Unit], ask: Asked | None = None) -> list[UnitSeen]:
    """Every unit through the program, calls of all units answered together; without `ask` a unit ends where a model is needed."""
    traces = [_Trace(program, unit) for unit in units]
    while waiting := [trace for trace in traces if trace.call is not None]:
        answers: Sequence[str | None] = [None] * len(waiting)
        if ask is not None:
            answers = ask([trace.call for trace in waiting if trace.call is not None])
        for trace, answer in zip(waiting, answers, strict=True):
            trace.go_on(answer, asked=ask is not None)
    return [trace.seen() for trace in traces]


class _Trace:
    """One unit under way."""

    def __init__(self, program: Program, unit: Unit) -> None:
        self.call: ModelCall | None = None
        self._program = program
        self._unit = unit
        self._texts: dict[int, dict[str, str]] = {}
        """Place of a step → the texts of all names before it."""
        self._outcome: Outcome | None = None
        self._open = ""
        self._prompt = ""
        self._names = frozenset(unit.values) | {name for step in program.plan.steps for name in gives(step)}
        self._running: Generator[ModelCall, str, Outcome] = program.run(unit, self._watch)
        self._advance(lambda: next(self._running))

    def go_on(self, answer: str | None, asked: bool) -> None:
        """Take the answer up; without one this is where the unit ends."""
        if answer is not None:
            self._advance(lambda: self._running.send(answer))
            return
        call, self.call = self.call, None
        self._prompt = "\n\n".join(message.content for message in call.messages()) if call else ""
        self._open = "no answer that is whole" if asked or call is None else f"asks the model: {call.instruction}"
        self._running.close()

    def seen(self) -> UnitSeen:
        """What is known of the unit now."""
        state, reason, given, output = "asks", self._open, "", ""
        if self._outcome is not None:
            state = str(self._outcome.__struct_config__.tag)
            if isinstance(self._outcome, Accepted):
                given, output = self._outcome.example.input, self._outcome.example.output
            else:
                reason = self._outcome.reason
        return UnitSeen(self._unit.key, self._unit.source.row, tuple(self._steps()), state, reason, given, output, self._prompt)

    def _advance(self, on: Callable[[], ModelCall]) -> None:
        try:
            self.call = on()
        except StopIteration as end:
            self.call, self._outcome = None, end.value

    def _watch(self, place: int, values: Values) -> None:
        self._texts[place] = {name: shown(value) for name, value in values.items()}

    def _steps(self) -> list[StepSeen]:
        seen = []
        steps = self._program.plan.steps
        of_unit = {name: shown(value) for name, value in self._unit.values.items()}
        for place, step in enumerate(steps):
            # Before the unit is there its values are those the row steps left, which is all that is known of them.
            before = self._texts.get(place) if place >= self._program.head else of_unit
            if before is None:
                break
            after = self._texts.get(place + 1, {}) if place >= self._program.head else of_unit
            texts = _picked(before, self._read(step)), _picked(after, _given(step, after))
            seen.append(StepSeen(place, str(step.__struct_config__.tag), *texts))
        return seen

    def _read(self, step: AnyStep) -> Sequence[str]:
        return reads(step, self._names)


def shown(value: Any) -> str:
    """A value as text, not more of it than people read."""
    if isinstance(value, OptionSet):
        text = value.lettered
    else:
        try:
            text = plain(value)
        except (ValueError, RecursionError):
            text = _json(value)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "nested too deeply"


def _given(step: AnyStep, after: dict[str, str]) -> Sequence[str]:
    if isinstance(step, Shuffle):
        return (step.options,)
    if isinstance(step, Join):
        return [name for name in after if name.startswith(step.prefix)]
    if isinstance(step, Group):
        return (*step.majority, *step.collect)
    return gives(step)


def _picked(texts: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: texts[name] for name in names if name in texts}
