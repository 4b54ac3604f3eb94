"""Execute: the chosen plan over a data set's rows, in seeded order, until enough examples are made.

Deterministic steps run at once; a unit that needs a model gives its call to the stream and goes on when the answer is there, so
a batching runtime is kept fed. Every unit ends as an example, rejected, failed or skipped, with its reason.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from operator import itemgetter
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.errors import NothingSuitable
from engine.plan.compile import Program, compile_plan
from engine.plan.steps import Check, Write
from engine.plan.units import Accepted, ModelCall, Unit
from engine.plan.units import Outcome as Ending
from engine.records import Example, ExpandedTask, Made, PlanChoice, RowSource, Task, Value
from engine.stage import Context, Counts, Outcome, Stage
from engine.store.tallies import ItemState
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
    retries: Annotated[
        int,
        Meta(
            description="How often a unit that failed after a model was asked is tried again, at a temperature of 0.7 or more and by the "
            "model of the role retry, where there is one.",
            ge=0,
            le=20,
        ),
    ] = 0
    least_yield: Annotated[
        float,
        Meta(
            description="Where a model writes or judges: give the data set up when surely (95 %) less than this share of the rows it was "
            "asked about becomes examples; looked at after 60 rows, 120, 240 and so on. 0 never gives up.",
            ge=0.0,
            le=0.9,
        ),
    ] = 0.05


def run(given: Given, options: Options, ctx: Context) -> Made:
    """Split after split until `wanted` examples are accepted or the rows are used up; NothingSuitable for a hopeless plan.

    What a hopeless plan did make is not handed on: the few that slip through a model failing on nearly all rows are no better
    for it, and the next data set's plan would be measured by this one.
    """
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

    hope = _Hope(options.least_yield if native else 0.0)
    if native:
        hope.recall(ctx)
    counts = ctx.each(
        chain.from_iterable(map(entering, programs, sources)),
        key=_KEY,
        through=_Drive(options, ctx, hope).through if native else straight,
        enough=lambda accepted: accepted >= given.wanted or hope.lost,
        total=given.wanted,
        unit="examples",
        native=native,
    )
    if hope.lost:
        raise _hopeless(given, hope, ctx)
    return _made(given, counts, ctx)


class _Hope:
    """Whether going on is worth its calls, judged on the first 60 units a model was asked about, the first 120, 240 and so on.

    A look waits until all units up to it have ended, so it depends neither on the order of answers nor on interruptions.
    """

    def __init__(self, least: float) -> None:
        self.asked = 0
        """Units that ended and that a model was asked about."""
        self.accepted = 0
        self.lost = False
        self._least = least
        self._next = FIRST_LOOK

    def recall(self, ctx: Context) -> None:
        """Count what is stored of an earlier attempt."""
        for state in ENDINGS:
            for item in ctx.items(state):
                self.count(Outcome(state, item.reason, item.result))

    def count(self, outcome: Outcome) -> None:
        """Take up a unit that ended; one that no model was asked about has no trace of answers, and says nothing of them."""
        if outcome.result:
            self.asked += 1
            self.accepted += outcome.state == "accepted"

    def waits(self, waiting: int) -> bool:
        """Whether units must end before another may begin; looks when all that a look is for have ended."""
        if self._least <= 0 or self.lost or self.asked + waiting < self._next:
            return False
        if waiting:
            return True
        while self._next <= self.asked:
            self._next *= 2
        self.lost = _chance(self.accepted, self.asked, self._least) < DOUBT
        return False


FIRST_LOOK = 60
DOUBT = 0.05
"""How likely so few examples may be by bad luck when the plan is just good enough."""
ENDINGS: tuple[ItemState, ...] = ("accepted", "rejected", "failed", "skipped")


def _chance(accepted: int, asked: int, share: float) -> float:
    """The chance of at most so many accepted of those asked, each with this share's probability."""
    logs = (
        math.lgamma(asked + 1) - math.lgamma(k + 1) - math.lgamma(asked - k + 1) + k * math.log(share) + (asked - k) * math.log1p(-share)
        for k in range(accepted + 1)
    )
    return sum(map(math.exp, logs))


def _hopeless(given: Given, hope: _Hope, ctx: Context) -> NothingSuitable:
    most = "; ".join(f"{reason} ({count})" for reason, count in list(ctx.reasons().items())[:3])
    few = f"only {hope.accepted}" if hope.accepted else "none"
    title = f"{given.choice.dataset}: {few} of the first {hope.asked} rows a model was asked about became examples; {most}"
    return NothingSuitable(title, "another data set, plan or model may do; to go on all the same: --set execute.least_yield=0")


Entering = tuple[str, Program, Unit]
"""A unit with its key, unique among all splits, and the program it goes through."""
_KEY: Callable[[Entering], str] = itemgetter(0)


def _stored(ending: Ending, trace: str = "") -> Outcome:
    """What is stored of a unit that ended so, with the `trace` of its answers where it is no example."""
    if isinstance(ending, Accepted):
        return Outcome("accepted", "", msgspec.json.encode(ending.example).decode())
    state: ItemState = ending.__struct_config__.tag  # type: ignore[assignment]
    return Outcome(state, ending.reason, trace)


def entering(program: Program, source: RowSource) -> Iterator[Entering]:
    """All units of a split."""
    for unit in program.units(source):
        yield f"{unit.source.split}:{unit.key}", program, unit


def straight(pending: Iterator[Entering]) -> Iterator[tuple[str, Outcome]]:
    """Units that need no model, in bulk."""
    for key, program, unit in pending:
        yield key, _stored(program.outcome(unit))


class _Process:
    """One unit on its way through the plan, waiting for an answer now and then."""

    def __init__(self, entering: Entering) -> None:
        self.entering = entering
        self.key, program, unit = entering
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
        return _stored(ending, self._trace())

    def cut_off(self, completion: Completion) -> Outcome:
        """The outcome when an answer is not whole."""
        self.answers.append(completion.text)
        reason = "the answer was cut off by length" if completion.finish == "length" else f"no answer: {completion.error}"
        return Outcome("failed", reason, self._trace())

    def _trace(self) -> str:
        return msgspec.json.encode({"completions": self.answers}).decode() if self.answers else ""


class _Drive:
    """Advances units until each has ended; those that wait for an answer are resumed when it comes.

    A unit that failed after a model was asked is set aside while it may be tried again; those set aside are tried together, by
    a drive of the next attempt, when there are many or nothing else can go on.
    """

    def __init__(self, options: Options, ctx: Context, hope: _Hope, attempt: int = 0) -> None:
        self._options = options
        self._ctx = ctx
        self._hope = hope
        self._attempt = attempt
        self._waiting: dict[str, _Process] = {}
        self._asked: deque[Request] = deque()
        self._ended: deque[tuple[str, Outcome]] = deque()
        self._aside: list[Entering] = []

    def through(self, pending: Iterator[Entering]) -> Iterator[tuple[str, Outcome]]:
        """Every pending unit with its outcome, in the order they end."""
        while True:
            stream = self._requests(pending)
            first = next(stream, None)
            worked = bool(self._ended)
            yield from self._those_that_ended()
            if first is not None:
                for completion in self._ctx.complete("retry" if self._attempt else "execute", chain([first], stream)):
                    self._take(completion)
                    yield from self._those_that_ended()
            elif self._aside:
                again, self._aside = self._aside, []
                yield from _Drive(self._options, self._ctx, self._hope, self._attempt + 1).through(iter(again))
            elif not worked:
                return

    def _requests(self, pending: Iterator[Entering]) -> Iterator[Request | None]:
        """Calls that wait to be asked, then units until one asks; pauses while answers must come first, ends when none can."""
        while True:
            while self._asked:
                yield self._asked.popleft()
            if self._may_begin and (following := next(pending, None)):
                self._advance(_Process(following))
            elif self._waiting:
                yield None
            else:
                return

    @property
    def _may_begin(self) -> bool:
        """Units that ended must not pile up, and a look at the plan's hope needs the outcome of all before it."""
        if len(self._ended) >= (ENDED_AT_ONCE if self._waiting else 1) or len(self._aside) >= ASIDE_AT_ONCE:
            return False
        return self._attempt > 0 or not self._hope.waits(len(self._waiting) + len(self._aside))

    def _those_that_ended(self) -> Iterator[tuple[str, Outcome]]:
        while self._ended:
            yield self._ended.popleft()

    def _advance(self, process: _Process) -> None:
        step = process.advance()
        if not isinstance(step, ModelCall):
            self._end(process, process.outcome(step))
            return
        name = f"{process.key}#{len(process.answers)}"
        self._waiting[name] = process
        temperature = self._options.temperature if not self._attempt else max(self._options.temperature, RETRY_TEMPERATURE)
        sampling = Sampling(temperature=temperature, seed=self._ctx.seed + self._attempt, max_tokens=self._options.max_tokens)
        self._asked.append(Request(name, step.messages(), step.schema, sampling))

    def _take(self, completion: Completion) -> None:
        process = self._waiting.pop(completion.key)
        if completion.finish == "stop":
            process.answers.append(completion.text)
            self._advance(process)
        else:
            self._end(process, process.cut_off(completion))

    def _end(self, process: _Process, outcome: Outcome) -> None:
        if outcome.state == "failed" and process.answers and self._attempt < self._options.retries:
            self._aside.append(process.entering)
            return
        self._hope.count(outcome)
        self._ended.append((process.key, outcome))


RETRY_TEMPERATURE = 0.7
"""An answer that failed comes out the same again at 0."""
ASIDE_AT_ONCE = 64
ENDED_AT_ONCE = 64


def _tell_cost(given: Given, options: Options, ctx: Context, program: Program, rows: int) -> None:
    model = ctx.model("execute")
    shown = given.choice.samples[0].input if given.choice.samples else given.task.description
    overhead = model.count_tokens(given.expanded.description) + 120
    units = min(rows, given.wanted)
    calls = units * max(1, sum(isinstance(step, Write | Check) for step in program.plan.steps))
    tokens = calls * (overhead + model.count_tokens(shown))
    ctx.expect_calls("execute", calls, tokens, calls * min(options.max_tokens, 80), shared=overhead)


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
    if given.task.output.kind == "label" and examples >= SURELY_VARIED:
        counted = Counter(msgspec.json.decode(item.result, type=Example).output for item in ctx.items("accepted"))
        label, count = counted.most_common(1)[0]
        if count >= ONE_LABEL * counted.total():
            text = f"{count:,} of {counted.total():,} examples have the output {label!r}: a model learns nothing but that of them. "
            ctx.event(
                "one-label", f"{text}Read some; where a model writes the label, let it write a reason first.", label=label, count=count
            )
    return made


SURELY_VARIED = 30
ONE_LABEL = 0.97
"""Share of one label from which it is said."""


STAGE = Stage("execute", "turning rows into examples", 3, Given, Options, Made, run, roles=("execute", "retry"), per_candidate=True)
