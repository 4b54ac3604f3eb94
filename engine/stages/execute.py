"""Execute: the chosen plan over a data set's rows, in seeded order, until enough examples are made.

Deterministic steps run at once; a unit that needs a model gives its call to the stream and goes on when the answer is there, so
a batching runtime is kept fed. Every unit ends as an example, rejected, failed or skipped, with its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.plan.compile import ModelCall, Program, Unit, compile_plan
from engine.plan.compile import Outcome as Ending
from engine.prompts import execute as prompt
from engine.records import ExpandedTask, Made, PlanChoice, Task, Value
from engine.stage import Context, Counts, Outcome, Stage
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
            expanded=given.expanded.description,
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


def _drive(pending: Iterator[tuple[Program, Unit]], options: Options, ctx: Context) -> Iterator[tuple[str, Outcome]]:
    """Advance units until each has ended; those that wait for an answer are resumed when it comes."""
    waiting: dict[str, tuple[Unit, Generator[ModelCall, str, Ending], str]] = {}
    asked: deque[Request] = deque()
    ended: deque[tuple[str, Outcome]] = deque()

    def advance(unit: Unit, process: Generator[ModelCall, str, Ending], answer: str | None, number: int) -> None:
        try:
            call = next(process) if answer is None else process.send(answer)
        except StopIteration as stop:
            ended.append((_key(unit), _outcome(stop.value)))
            return
        sampling = Sampling(temperature=options.temperature, seed=ctx.seed, max_tokens=options.max_tokens)
        name = f"{_key(unit)}#{number}"
        asked.append(Request(name, prompt.messages(call), call.schema, sampling))
        waiting[name] = (unit, process, name)

    def requests() -> Iterator[Request]:
        while True:
            while asked:
                yield asked.popleft()
            if len(ended) >= 64:
                return
            pair = next(pending, None)
            if pair is None:
                return
            program, unit = pair
            advance(unit, program.run(unit), None, 0)

    stream = requests()
    while True:
        first = next(stream, None)
        while ended:
            yield ended.popleft()
        if first is None:
            stream = requests()
            first = next(stream, None)
            while ended:
                yield ended.popleft()
            if first is None:
                return
        for completion in ctx.complete("execute", _chain(first, stream)):
            unit, process, name = waiting.pop(completion.key)
            if completion.finish == "stop":
                advance(unit, process, completion.text, int(name.rpartition("#")[2]) + 1)
            else:
                process.close()
                ended.append((_key(unit), _failure(completion)))
            while ended:
                yield ended.popleft()
        stream = requests()


def _chain(first: Request, rest: Iterator[Request]) -> Iterator[Request]:
    yield first
    yield from rest


def _outcome(ending: Ending) -> Outcome:
    result = msgspec.json.encode(ending.example).decode() if ending.example else ending.trace
    return Outcome(ending.state, ending.reason, result)


def _failure(completion: Completion) -> Outcome:
    reason = "the answer was cut off by length" if completion.finish == "length" else f"no answer: {completion.error}"
    return Outcome("failed", reason, msgspec.json.encode({"completion": completion.text}).decode())


def _tell_cost(given: Given, options: Options, ctx: Context, program: Program, rows: int) -> None:
    model = ctx.model("execute")
    shown = given.choice.samples[0].input if given.choice.samples else given.task.description
    overhead = model.count_tokens(given.expanded.description) + 120
    units = min(rows, given.wanted)
    calls = units * program.model_calls
    ctx.expect_calls("execute", calls, calls * (overhead + model.count_tokens(shown)), calls * min(options.max_tokens, 80))


def _made(given: Given, counts: Counts, ctx: Context) -> Made:
    reasons: dict[str, int] = {}
    for state in ("rejected", "failed", "skipped"):
        for item in ctx.items(state):  # type: ignore[arg-type]
            reason = f"{state}: {item.reason}"
            reasons[reason] = reasons.get(reason, 0) + 1
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
        reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
    )
    ctx.event(
        "made",
        f"{made.examples:,} examples of {made.units:,} units; {made.rejected:,} rejected, {made.failed:,} failed, {made.skipped:,} skipped",
        **msgspec.to_builtins(made),
    )
    return made


STAGE = Stage("execute", "turning rows into examples", 1, Given, Options, Made, run, roles=("execute",), per_candidate=True)

