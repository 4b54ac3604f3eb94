"""Plans side by side on the same sample rows: what each makes, how often they make the same, and rows where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from engine.plan.check import Problem, check_plan
from engine.plan.steps import Check, Plan, Write
from engine.plan.trial import Trial, run_on, try_plan
from engine.records import Column, Example, Row, Task, Value

SHOWN = 3
SHOWN_CHARS = 200


class Side(Value):
    """One plan on its own."""

    name: str
    """What the user called it by."""
    title: str
    """Its own name."""
    problems: tuple[Problem, ...] = ()
    trial: Trial | None = None
    """None for a plan with errors, and for one that asks a model, which only a run can."""
    asks_model: bool = False


class Pair(Value):
    """Two plans on the rows of which both made examples. Places count from 1."""

    first: int
    second: int
    rows: int
    same_outputs: int
    """Rows with the same output, or outputs where a row gives several."""
    same_inputs: int

    @property
    def agreement(self) -> float:
        """Share of `rows` with the same output; 0 where there are none."""
        return self.same_outputs / self.rows if self.rows else 0.0


class Difference(Value):
    """A row of which the plans made different outputs."""

    row: int
    """In its split's file, from 0."""
    input: str
    """Of the first plan that made an example of it, shortened."""
    outputs: tuple[str, ...]
    """Under each plan, shortened; "" where it made no example of the row."""


class Comparison(Value):
    """What the plans made of the rows."""

    rows: int
    plans: tuple[Side, ...]
    pairs: tuple[Pair, ...] = ()
    differences: tuple[Difference, ...] = ()
    """Rows all plans made examples of come first, then rows only some did."""


def compare_plans(named: Sequence[tuple[str, Plan]], columns: Sequence[Column], rows: Sequence[Row], task: Task) -> Comparison:
    """Run every plan that can run without a model on the rows, and set what they make side by side."""
    sides = [_side(name, plan, columns, rows, task) for name, plan in named]
    made = {
        place: _by_row(run_on(plan, columns, rows, task)[0])
        for place, (side, (_, plan)) in enumerate(zip(sides, named, strict=True))
        if side.trial is not None
    }
    return Comparison(
        rows=len(rows),
        plans=tuple(sides),
        pairs=tuple(_pair(one, other, made) for one, other in combinations(made, 2)),
        differences=_differences(made, len(named), rows),
    )


def _side(name: str, plan: Plan, columns: Sequence[Column], rows: Sequence[Row], task: Task) -> Side:
    problems = tuple(check_plan(plan, columns, task))
    asks = bool(plan.prose) or any(isinstance(step, Write | Check) for step in plan.steps)
    runs = not asks and not any(problem.severity == "error" for problem in problems)
    return Side(name, plan.name, problems, try_plan(plan, columns, rows, task) if runs else None, asks)


Made = Mapping[int, Sequence[Example]]
"""Place of a sample row → its examples, in the order of their parts."""


def _by_row(examples: Sequence[Example]) -> Made:
    found: dict[int, list[Example]] = {}
    for example in examples:
        found.setdefault(example.source.row, []).append(example)
    return {place: sorted(some, key=lambda example: example.source.part) for place, some in found.items()}


def _pair(one: int, other: int, made: Mapping[int, Made]) -> Pair:
    both = made[one].keys() & made[other].keys()
    outputs = sum(_outputs(made[one][place]) == _outputs(made[other][place]) for place in both)
    inputs = sum(_inputs(made[one][place]) == _inputs(made[other][place]) for place in both)
    return Pair(one + 1, other + 1, len(both), outputs, inputs)


def _differences(made: Mapping[int, Made], plans: int, rows: Sequence[Row]) -> tuple[Difference, ...]:
    by_all: list[Difference] = []
    by_some: list[Difference] = []
    for place, row in enumerate(rows):
        found = [made[plan].get(place, ()) if plan in made else () for plan in range(plans)]
        if len({_outputs(found[plan]) for plan in made}) < 2:
            continue
        shown = next(examples for examples in found if examples)
        difference = Difference(
            row.index, _short("\n".join(_inputs(shown))), tuple(_short("\n".join(_outputs(examples))) for examples in found)
        )
        (by_all if all(found[plan] for plan in made) else by_some).append(difference)
    return tuple([*by_all, *by_some][:SHOWN])


def _outputs(examples: Sequence[Example]) -> tuple[str, ...]:
    return tuple(example.output for example in examples)


def _inputs(examples: Sequence[Example]) -> tuple[str, ...]:
    return tuple(example.input for example in examples)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS - 1]}…"
