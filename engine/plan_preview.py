"""What a plan makes of the first rows a run would take, step by step, and what carrying it out would cost: before anything is run.

The units are those execute takes first, and what the model answers here is stored as execute would store it, so a plan that
was previewed with the model has these answers already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from engine.config import stage_options
from engine.errors import BadInput, EngineError
from engine.locations import Locations
from engine.plan.check import check_plan
from engine.plan.compile import compile_plan
from engine.plan.file import read_plan
from engine.plan.steps import Borrow, Check, Group, Join, Plan, Write
from engine.plan.trace import UnitSeen, trace_units
from engine.plan.units import ModelCall
from engine.records import Column, ExpandedTask, Row, RowSource, Value
from engine.roles import Roles
from engine.rows_here import RowsHere
from engine.store import items
from engine.store.database import Connection, open_small_writer
from engine.store.runs import Run, read_run
from engine.store.steps import steps_of_run
from engine.stored_answers import StoredAnswers
from models.language import Completion, Request, Sampling

MOST_UNITS = 200
MOST_ROWS_GROUPED = 20_000
"""A plan that groups or joins reads every row before there is a unit: a preview takes the first ones of a long file."""
CHARACTERS_A_TOKEN = 4
TOKENS_WRITTEN = 80
"""Of an answer, where none has been seen yet."""


class Asked(Value):
    """What is to be previewed."""

    run: str
    dataset: str
    config: str
    split: str
    plan: str
    """In TOML, as it was edited."""
    units: int = 40
    model: bool = False
    """Ask the model where the plan does; without, units end there."""
    row: int | None = None
    """This row alone, by its place in the split's file."""


class Cost(Value):
    """What carrying the plan out for all the examples wanted takes at least."""

    examples: int
    calls: int
    seconds: float | None
    """At the rate measured on this machine; None where it was not."""


class Preview(Value):
    """What a plan makes of the first units."""

    units: tuple[UnitSeen, ...]
    counts: dict[str, int]
    """Units by state."""
    reasons: dict[str, int]
    """Why units are no examples, most frequent first."""
    warnings: tuple[str, ...]
    cost: Cost


class Previews:
    """Makes previews; data sets and models stay open between them."""

    def __init__(self, locations: Locations, rows: RowsHere) -> None:
        self._locations = locations
        self._rows = rows
        self._roles: tuple[dict[str, str], Roles] | None = None

    def make(self, asked: Asked) -> Preview:
        """Raises BadInput for a plan that cannot run, Unavailable for rows or a model that are not here."""
        connection = open_small_writer(self._locations.database)
        try:
            run = read_run(connection, asked.run)
            if run is None:
                raise BadInput(f"no run {asked.run}", "see: datatune runs")
            return self._made(asked, run, connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Release the models."""
        if self._roles is not None:
            self._roles[1].close()

    def _made(self, asked: Asked, run: Run, connection: Connection) -> Preview:
        plan = read_plan(asked.plan)
        source = self._rows.rows(asked.dataset, asked.config, asked.split)
        program = compile_plan(
            plan,
            source.columns,
            seed=run.settings.seed,
            task=run.task,
            description=_description(connection, run),
            tables=lambda config, split: self._rows.rows(asked.dataset, config or asked.config, split or asked.split),
        )
        if asked.row is not None and any(isinstance(step, Group | Join | Borrow) for step in plan.steps):
            raise BadInput("its steps cannot be shown: the plan brings several rows together", "see the plan on sample rows: 2 Run, plan")
        chosen = _short(source, plan) if asked.row is None else _OneRow(source, asked.row)
        units = list(islice(program.units(chosen), min(asked.units, MOST_UNITS)))
        model = _Model(self._roles_of(run), connection, run) if asked.model and program.has_model_steps else None
        seen = trace_units(program, units, model.ask if model else None)
        problems = [problem for problem in check_plan(plan, source.columns, run.task) if problem.severity != "error"]
        reasons = Counter(f"{unit.state}: {unit.reason}" for unit in seen if unit.state != "accepted")
        return Preview(
            tuple(seen),
            dict(Counter(unit.state for unit in seen)),
            dict(reasons.most_common()),
            tuple(f"{problem.place(plan)}: {problem.title}" for problem in problems),
            _cost(connection, run, plan, seen, source.columns),
        )

    def _roles_of(self, run: Run) -> Roles:
        if self._roles is None or self._roles[0] != run.settings.models:
            self.close()
            self._roles = (run.settings.models, Roles(run.settings.models, self._locations))
        return self._roles[1]


class _Model:
    """Asks the execute model as execute does."""

    def __init__(self, roles: Roles, connection: Connection, run: Run) -> None:
        options: Any = stage_options("execute", run.settings.options.get("execute", {}))
        self._answers = StoredAnswers(roles.model("execute"), "execute", connection)
        self._sampling = Sampling(temperature=options.temperature, seed=run.settings.seed, max_tokens=options.max_tokens)

    def ask(self, calls: Sequence[ModelCall]) -> list[str | None]:
        """The answers, in the order of the calls; None for one that is not whole. Raises what a model that cannot go on raises."""
        answers: list[str | None] = [None] * len(calls)
        requests = [Request(str(place), call.messages(), call.schema, self._sampling) for place, call in enumerate(calls)]
        for completion in self._answers.complete(requests):
            answers[int(completion.key)] = _whole(completion)
        return answers


def _whole(completion: Completion) -> str | None:
    return completion.text if completion.finish == "stop" else None


def _description(connection: Connection, run: Run) -> str:
    for step in steps_of_run(connection, run.id):
        if step.stage == "expand" and step.record:
            return msgspec.json.decode(step.record, type=ExpandedTask).description
    return run.task.description


def _cost(connection: Connection, run: Run, plan: Plan, seen: Sequence[UnitSeen], columns: Sequence[Column]) -> Cost:
    """Calls for the examples still to be made, if every unit became one; time by the rates of the run's own model."""
    wanted: int = stage_options("execute", run.settings.options.get("execute", {})).examples
    asking = [step for step in plan.steps if isinstance(step, Write | Check)]
    each = len(plan.prose) if plan.prose else len(asking)
    used = items.model_of_run(connection, run.id)
    if not each or not used:
        return Cost(wanted, wanted * each, None if each else 0.0)
    rates = items.measured_rates(connection, used)
    shown = [sum(len(text) for step in unit.steps if step.do in ("write", "check") for text in step.before.values()) for unit in seen]
    instruction = sum(len(getattr(step, "instruction", "") or getattr(step, "question", "")) for step in asking)
    characters = (sum(shown) / max(1, len(shown))) + instruction + 400 * each
    seconds = characters / CHARACTERS_A_TOKEN * rates.per_prompt_token + each * TOKENS_WRITTEN * rates.per_completion_token
    return Cost(wanted, wanted * each, wanted * seconds if rates.calls >= 3 else None)


def _short(source: RowSource, plan: Plan) -> RowSource:
    long = any(isinstance(step, Group | Join) for step in plan.steps) and len(source) > MOST_ROWS_GROUPED
    return _Beginning(source) if long else source


class _Part:
    """Some of the rows of a split."""

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self.dataset, self.config, self.split = source.dataset, source.config, source.split
        self.revision, self.licence, self.columns = source.revision, source.licence, source.columns


class _OneRow(_Part):
    """One row, with the place it has in its split."""

    def __init__(self, source: RowSource, row: int) -> None:
        super().__init__(source)
        if not 0 <= row < len(source):
            raise BadInput(f"{source.dataset}: no row {row} in {source.split}", "the data changed since the run")
        self._row = row

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Row]:
        return iter(self._source.take([self._row]))

    def take(self, indices: Sequence[int]) -> list[Row]:
        return self._source.take([self._row for _ in indices])


class _Beginning(_Part):
    """The first rows of a split."""

    def __len__(self) -> int:
        return MOST_ROWS_GROUPED

    def __iter__(self) -> Iterator[Row]:
        return islice(iter(self._source), MOST_ROWS_GROUPED)

    def take(self, indices: Sequence[int]) -> list[Row]:
        return self._source.take(indices)


def answer(line: str, previews: Previews) -> dict[str, Any]:
    """What is said to one line that asks: {id, preview}, or {id, error, hint}."""
    number = -1
    try:
        try:
            asked = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError as error:
            raise BadInput(f"not a question: {error}", 'ask {"id": 1, "preview": {"run", "dataset", "config", "split", "plan"}}') from error
        number = asked.id
        return {"id": number, "preview": previews.make(asked.preview)}
    except EngineError as error:
        return {"id": number, "error": error.title, "hint": error.hint}


class _Line(Value):
    id: int
    preview: Asked
