"""Plans at work: compile_plan turns a plan into a Program, which makes units of rows and examples, or reasons, of units."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from engine.errors import BadInput
from engine.plan import model_steps, row_steps
from engine.plan.builders import build, is_value_step
from engine.plan.check import ROW_STEPS, check_plan
from engine.plan.examine import Examine
from engine.plan.file import plan_digest
from engine.plan.flow import Flow, origin_of_output
from engine.plan.model_steps import Asks
from engine.plan.names import gives, reads
from engine.plan.prose import Prose
from engine.plan.row_steps import Blocks
from engine.plan.steps import AnyStep, Borrow, Check, Explode, Group, Join, Pick, Plan, Sample, Write
from engine.plan.template import compile_template
from engine.plan.units import Accepted, ModelCall, Outcome, Unit, outcome_of
from engine.plan.value_steps import Context, CountTokens, Run, characters_by_four, render
from engine.plan.values import Choice, OptionSet, Stop, Values
from engine.records import Column, Example, RowSource, Source, Task

BLOCK = 256
"""Rows fetched at a time."""

Tables = Callable[[str, str], RowSource]
"""Config and split of the same data set → its rows; what join steps read."""

Watch = Callable[[int, Values], None]
"""Told the place of the step that comes next, counted from 0, and the values so far."""


def compile_plan(
    plan: Plan,
    columns: Sequence[Column],
    *,
    task: Task,
    seed: int = 0,
    tables: Tables | None = None,
    count_tokens: CountTokens | None = None,
    description: str = "",
) -> Program:
    """The plan as a program over rows with these columns. Raises BadInput with the first error check_plan finds.

    `description` is the fuller task description that prose plans show, `count_tokens` the base model's count for fit steps.
    """
    for problem in check_plan(plan, columns, task):
        if problem.severity == "error":
            raise BadInput(f"{problem.place(plan)}: {problem.title}", problem.hint)
    return Program(plan, tuple(columns), task, seed, tables, count_tokens or characters_by_four, description)


class Program:
    """A compiled plan. What becomes of a unit depends on the plan, the seed and the unit alone."""

    def __init__(
        self,
        plan: Plan,
        columns: tuple[Column, ...],
        task: Task,
        seed: int,
        tables: Tables | None,
        count_tokens: CountTokens,
        description: str,
    ) -> None:
        self.plan = plan
        self.digest = plan_digest(plan)
        self.origin = origin_of_output(plan, columns)
        self.has_model_steps = bool(plan.prose) or any(isinstance(step, Write | Check) for step in plan.steps)
        self._seed = seed
        self._tables = tables
        self._blank: Values = dict.fromkeys((column.name for column in columns), None)
        self._compiled = _compiled(plan, columns, task, seed, count_tokens)
        self.head = 1 + max((place for place, step in enumerate(plan.steps) if isinstance(step, ROW_STEPS)), default=-1)
        """How many steps come before a unit is there: all up to the last row step."""
        self._tail = self._compiled[self.head :]
        self._examine = Examine(plan, columns, task)
        self._prose = Prose(plan, columns, task, description) if plan.prose else None
        self._input = render(plan.emit.input, "input") if plan.emit else None
        self._output = render(plan.emit.output, "output") if plan.emit else None

    def units(self, source: RowSource, *, block: int = BLOCK) -> Iterator[Unit]:
        """All units of a split, lazily, in an order that depends on the seed and the number of rows alone."""
        for drafts in self._blocks(source, block):
            for draft in drafts:
                yield Unit(
                    draft.key,
                    Source(source.dataset, source.config, source.split, draft.row, source.revision, source.licence, draft.rows, draft.part),
                    draft.values,
                    None if draft.stop is None else outcome_of(draft.stop),
                )

    def run(self, unit: Unit, watch: Watch | None = None) -> Generator[ModelCall, str, Outcome]:
        """Yields the calls a unit needs, is sent each completion's text, and returns what became of the unit.

        `watch` is told of every step after the last row step: the values as they are before it.
        """
        return (yield from self._run(unit, dict(unit.values), watch))

    def _run(self, unit: Unit, values: Values, watch: Watch | None = None) -> Generator[ModelCall, str, Outcome]:
        if unit.stopped is not None:
            return unit.stopped
        try:
            if self._prose is not None:
                given, output = yield from self._prose.follow(values)
            else:
                for place, (_, run, ask) in enumerate(self._tail, self.head):
                    if watch is not None:
                        watch(place, values)
                    if run is not None:
                        run(values, unit.key)
                    elif ask is not None:
                        yield from ask(values)
                if watch is not None:
                    watch(len(self._compiled), values)
                assert self._input is not None and self._output is not None
                given, output = self._input(values), self._output(values)
            return self._accepted(unit, given, output, values)
        except Stop as stop:
            return outcome_of(stop)

    def outcome(self, unit: Unit) -> Outcome:
        """What becomes of a unit when no model is asked. Raises ValueError for a plan with model steps that gets as far as a call."""
        return self._without_model(unit, dict(unit.values))

    def outcome_with_options(self, unit: Unit) -> tuple[Outcome, tuple[Choice, ...]]:
        """As `outcome`, with the options the plan's last set holds, in the order shown; () for a plan without options."""
        values = dict(unit.values)
        outcome = self._without_model(unit, values)
        sets = [value for value in values.values() if isinstance(value, OptionSet)]
        return outcome, tuple(sets[-1]) if sets else ()

    def _without_model(self, unit: Unit, values: Values) -> Outcome:
        if self.has_model_steps:
            try:
                next(self._run(unit, values))
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            raise ValueError("this plan asks a model")
        if unit.stopped is not None:
            return unit.stopped
        assert self._input is not None and self._output is not None
        try:
            for _, run, _ in self._tail:
                if run is not None:
                    run(values, unit.key)
            return self._accepted(unit, self._input(values), self._output(values), values)
        except Stop as stop:
            return outcome_of(stop)

    def _accepted(self, unit: Unit, given: str, output: str, values: Values) -> Accepted:
        given, output = self._examine(given, output, values)
        return Accepted(Example(given, output, self.origin, unit.source, self.digest))

    def _blocks(self, source: RowSource, block: int) -> Blocks:
        steps = self._compiled[: self.head]
        group = next((place for place, (step, _, _) in enumerate(steps) if isinstance(step, Group)), None)
        if group is None:
            blocks = row_steps.rows_of(source, self._blank, self._seed, block)
        else:
            step = steps[group][0]
            assert isinstance(step, Group)
            before = [run for _, run, _ in steps[:group] if run is not None]
            blocks = row_steps.grouped(source, self._blank, step, before, self._seed, block)
            steps = steps[group + 1 :]
        for step, run, _ in steps:
            blocks = row_steps.each_draft(blocks, [run]) if run is not None else self._row_step(step, blocks, source)
        return blocks

    def _row_step(self, step: AnyStep, blocks: Blocks, source: RowSource) -> Blocks:
        match step:
            case Explode():
                return row_steps.exploded(blocks, step)
            case Sample():
                return row_steps.sampled(blocks, step)
            case Join():
                itself = not step.config and not step.split
                return row_steps.joined(blocks, step, source if itself else self._other(step, source), itself)
            case Borrow():
                return row_steps.borrowed(blocks, step, source, self._blank, self._lending(step), self._seed)
        raise TypeError(f"no row step: {step}")

    def _other(self, step: Join, source: RowSource) -> RowSource:
        if self._tables is None:
            raise BadInput(f"join: {step.config or step.split} cannot be read here", "Only the split itself is at hand.")
        return self._tables(step.config or source.config, step.split or source.split)

    def _lending(self, step: Borrow) -> list[Run]:
        """The value steps another row has to go through before its value can be borrowed."""
        needed = {step.value, *step.different}
        runs: list[Run] = []
        known = frozenset(self._blank) | {name for one in self.plan.steps for name in gives(one)}
        for earlier, run, _ in reversed(self._compiled[: self.plan.steps.index(step)]):
            if run is not None and needed & set(gives(earlier)):
                runs.insert(0, run)
                needed |= set(reads(earlier, known))
        return runs


Compiled = tuple[AnyStep, Run | None, Asks | None]


def _compiled(plan: Plan, columns: tuple[Column, ...], task: Task, seed: int, count_tokens: CountTokens) -> list[Compiled]:
    class_names = {column.name: column.class_names for column in columns if column.class_names}
    flow = Flow(columns)
    compiled: list[Compiled] = []
    for place, step in enumerate(plan.steps):
        context = Context(class_names, flow.known, seed, count_tokens)
        if isinstance(step, Write):
            compiled.append((step, None, model_steps.write(step, _choices(plan, step, task))))
        elif isinstance(step, Check):
            compiled.append((step, None, model_steps.check(step)))
        elif is_value_step(step):
            picks = tuple(one.into for one in plan.steps[:place] if isinstance(one, Pick) and one.options == getattr(step, "options", None))
            compiled.append((step, build(step, context, picks), None))
        else:
            compiled.append((step, None, None))
        flow.add(step)
    return compiled


def _choices(plan: Plan, step: Write, task: Task) -> Callable[[Values], tuple[str, ...]] | None:
    """The answers a written output can be: the task's labels, or the options shown."""
    sole: Any = compile_template(plan.emit.output).sole_use if plan.emit else None
    if len(step.into) != 1 or sole != (step.into[0], ()):
        return None
    if task.output.kind == "label":
        return lambda values: task.output.labels
    if task.output.kind == "text":
        return None

    def shown(values: Values) -> tuple[str, ...]:
        sets = [value for value in values.values() if isinstance(value, OptionSet)]
        if len(sets) != 1:
            return ()
        return tuple(dict.fromkeys(choice.text if task.output.kind == "option_text" else choice.letter for choice in sets[0]))

    return shown
