"""Execute: the chosen plan over a data set's rows, in seeded order, until enough examples are made.

Deterministic steps run at once; a unit that needs a model gives its call to the stream and goes on when the answer is there, so
a batching runtime is kept fed. Every unit ends as an example, rejected, failed or skipped, with its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.plan.compile import Program, compile_plan
from engine.plan.steps import Check, Write
from engine.plan.units import Accepted, ModelCall, Unit
from engine.plan.units import Outcome as Ending
from engine.records import ExpandedTask, Made, PlanChoice, Task, Value
from engine.stage import Context, Counts, Outcome, Stage
from engine.store.items import ItemState
from models.language import Completion, Request, Sampling


class Given(Value):
    """What it starts from."""

    task: Task
    expanded: ExpandedTask
    choice: PlanChoice
    revision: str
    """Of the data: another revision is another step."""
    wanted: int
    """Examples still needed."""


class Options(Value):
    """Settings of execute."""

    examples: Annotated[int, Meta(description="How many examples the run should make.", ge=1, le=10_000_000)] = 3000
    max_tokens: Annotated[int, Meta(description="Longest answer of a model step, in tokens.", ge=8, le=8192)] = 512
    temperature: Annotated[float, Meta(description="Temperature of model steps.", ge=0.0, le=2.0)] = 0.0


def run(given: Given, options: Options, ctx: Context) -> Made:
    """Split after split until `wanted` examples are accepted or the rows are used up."""
    choice = given.choice
    sources = [ctx.rows(choice.dataset, choice.config, split) for split in choice.splits]
    programs: list[Program] = [
        compile_plan(
            choice.plan,
            source.columns,
            seed=ctx.seed,
            task=given.task,
            description=given.expanded.description,
            tables=lambda config, split: ctx.rows(choice.dataset, config or choice.config, split or choice.splits[0]),
        )
        for source in sources
    ]
    native = any(program.has_model_steps for program in programs)
    if native:
        _tell_cost(given, options, ctx, programs[0], sum(len(source) for source in sources))

    def units() -> Iterator[tuple[Program, Unit]]:
        for program, source in zip(programs, sources, strict=True):
            for unit in program.units(source):
                yield program, unit

    counts = ctx.each(
        units(),
        key=lambda pair: _key(pair[1]),
        through=lambda pending: _drive(pending, options, ctx),
        enough=lambda accepted: accepted >= given.wanted,
        total=given.wanted,
        unit="examples",
        native=native,
    )
    return _made(given, counts, ctx)


def _key(unit: Unit) -> str:
    return f"{unit.source.split}:{unit.key}"


class _Process:
    """One unit on its way through the plan, waiting for an answer now and then."""

    def __init__(self, unit: Unit, program: Program) -> None:
        self.key = _key(unit)
        self.answers: list[str] = []
        self._steps: Generator[ModelCall, str, Ending] = program.run(unit)

    def advance(self) -> ModelCall | Ending:
        """On to the next call or to the end; the latest answer has been added to `answers` before."""
        try:
            return self._steps.send(self.answers[-1]) if self.answers else next(self._steps)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending

    def outcome(self, ending: Ending) -> Outcome:
        """What is stored of the unit."""
        if isinstance(ending, Accepted):
            return Outcome("accepted", "", msgspec.json.encode(ending.example).decode())
        state: ItemState = ending.__struct_config__.tag  # type: ignore[assignment]
        return Outcome(state, ending.reason, self._trace())

    def cut_off(self, completion: Completion) -> Outcome:
        """The outcome when an answer is not whole."""
        self.answers.append(completion.text)
        reason = "the answer was cut off by length" if completion.finish == "length" else f"no answer: {completion.error}"
        return Outcome("failed", reason, self._trace())

    def _trace(self) -> str:
        return msgspec.json.encode({"completions": self.answers}).decode() if self.answers else ""


def _drive(pending: Iterator[tuple[Program, Unit]], options: Options, ctx: Context) -> Iterator[tuple[str, Outcome]]:
    """Advance units until each has ended; those that wait for an answer are resumed when it comes."""
    waiting: dict[str, _Process] = {}
    asked: deque[Request] = deque()
    ended: deque[tuple[str, Outcome]] = deque()

    def advance(process: _Process) -> None:
        step = process.advance()
        if not isinstance(step, ModelCall):
            ended.append((process.key, process.outcome(step)))
            return
        name = f"{process.key}#{len(process.answers)}"
        waiting[name] = process
        sampling = Sampling(temperature=options.temperature, seed=ctx.seed, max_tokens=options.max_tokens)
        asked.append(Request(name, step.messages(), step.schema, sampling))

    def requests() -> Iterator[Request]:
        """Calls that are waiting, then units until one asks; ends so that ended units are handed on, at once where no call waits."""
        while len(ended) < (ENDED_AT_ONCE if waiting else 1):
            while asked:
                yield asked.popleft()
            pair = next(pending, None)
            if pair is None:
                return
            program, unit = pair
            advance(_Process(unit, program))

    while True:
        stream = requests()
        first = next(stream, None)
        worked = bool(ended)
        while ended:
            yield ended.popleft()
        if first is None and not worked:
            return
        if first is None:
            continue
        for completion in ctx.complete("execute", chain([first], stream)):
            process = waiting.pop(completion.key)
            if completion.finish == "stop":
                process.answers.append(completion.text)
                advance(process)
            else:
                ended.append((process.key, process.cut_off(completion)))
            while ended:
                yield ended.popleft()


ENDED_AT_ONCE = 64


def _tell_cost(given: Given, options: Options, ctx: Context, program: Program, rows: int) -> None:
    model = ctx.model("execute")
    shown = given.choice.samples[0].input if given.choice.samples else given.task.description
    overhead = model.count_tokens(given.expanded.description) + 120
    units = min(rows, given.wanted)
    calls = units * max(1, sum(isinstance(step, Write | Check) for step in program.plan.steps))
    ctx.expect_calls("execute", calls, calls * (overhead + model.count_tokens(shown)), calls * min(options.max_tokens, 80))


def _made(given: Given, counts: Counts, ctx: Context) -> Made:
    examples = min(counts.accepted, given.wanted)
    made = Made(
        dataset=given.choice.dataset,
        config=given.choice.config,
        plan=given.choice.digest,
        units=counts.total,
        examples=examples,
        rejected=counts.rejected,
        failed=counts.failed,
        skipped=counts.skipped,
        surplus=counts.accepted - examples,
        reasons=ctx.reasons(),
    )
    ctx.event(
        "made",
        f"{made.examples:,} examples of {made.units:,} units; {made.rejected:,} rejected, {made.failed:,} failed, {made.skipped:,} skipped",
        **msgspec.to_builtins(made),
    )
    return made


STAGE = Stage("execute", "turning rows into examples", 1, Given, Options, Made, run, roles=("execute",), per_candidate=True)
