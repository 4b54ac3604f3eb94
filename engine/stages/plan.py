"""Plan: how a data set's rows become examples of the task, tried on sample rows before it is believed.

Candidates come from structure (columns that index options, labels that map, text pairs), from the planner model in closed form with
a bounded number of repairs, or from the user's own file; `prose` mode lets the model write numbered steps that it then
follows row by row, the published method. Nothing good enough is an answer: NothingSuitable, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.errors import BadInput, NothingSuitable
from engine.plan.check import check_plan
from engine.plan.column_roles import inputs_and_outputs
from engine.plan.draft import draft_schema, few_values, plan_of, read_draft, showable
from engine.plan.file import plan_digest, read_plan
from engine.plan.flow import origin_of_output
from engine.plan.sampling import sample_rows
from engine.plan.search import SURE_SCORE, Reading, borne_out, label_maps, rivals, verified
from engine.plan.steps import Check, Plan, Write
from engine.plan.trial import BAR, Trial, propose, run_on, try_plan
from engine.plan.witness.label_question import LabelQuestion
from engine.plan.witness.verify import FIRST_ROWS
from engine.prompts import plan as prompt
from engine.records import Column, Example, ExpandedTask, PlanChoice, Row, RunnerUp, SamplePair, SchemaSelection, Task, Value
from engine.stage import Context, Stage
from models.language import Request, Sampling

SHOWN = 3
MOST_SHOWN = 12


class Given(Value):
    """What it starts from."""

    task: Task
    expanded: ExpandedTask
    schema: SchemaSelection
    revision: str
    plan: str = ""
    """A plan in TOML to take instead of searching."""
    before: tuple[str, ...] = ()
    """Plans in TOML the user applied to this data set for this task before, newest first."""


class Options(Value):
    """Settings of plan."""

    mode: Annotated[
        Literal["auto", "structure", "model", "prose"],
        Meta(description="Where plans come from: structure, then the model (auto); one of the two alone; or prose followed row by row."),
    ] = "auto"
    sample_rows: Annotated[int, Meta(description="Rows each plan is tried on.", ge=10, le=5000)] = 300
    repairs: Annotated[int, Meta(description="How often the model may try again after a failure.", ge=0, le=10)] = 2
    allow_writing: Annotated[
        bool, Meta(description="Let plans have a model write outputs; off takes only outputs that follow from the row.")
    ] = False
    allow_guessing: Annotated[
        bool, Meta(description="Let whole drafts of the model map labels too; asked value by value and held against rows is safer.")
    ] = False
    verify: Annotated[
        bool, Meta(description="Have the planner model do the task on sample rows and hold its answers against the plan's outputs.")
    ] = True
    verify_rows: Annotated[int, Meta(description="Rows the model is asked at most, for each reading.", ge=8, le=2000)] = 72
    verify_seconds: Annotated[
        float, Meta(description="Model time for closed questions and verification at most, in seconds a data set.", ge=1, le=86_400)
    ] = 240.0
    unverified: Annotated[
        Literal["keep", "refuse"], Meta(description="What becomes of a data set whose best plan the model does not bear out.")
    ] = "keep"
    runners_up: Annotated[int, Meta(description="How many other plans to keep beside the chosen one.", ge=0, le=20)] = 4


def run(given: Given, options: Options, ctx: Context) -> PlanChoice:
    """The best plan with its runners-up. Raises NothingSuitable."""
    schema = given.schema
    source = ctx.rows(schema.dataset, schema.config, schema.splits[0])
    columns = tuple(source.columns)
    rows = sample_rows(source, options.sample_rows, ctx.seed)
    if given.plan:
        return _of_user(given, columns, rows, options, ctx)
    if options.mode == "prose":
        return _prose(given, columns, rows, ctx)
    readings: list[Reading] = []
    refusals: list[str] = []
    question = LabelQuestion(given.task, lambda requests: ctx.complete("plan", requests))
    hopeless = False
    if options.mode != "model":
        proposal = propose(given.task, columns, rows, embedder=ctx.embedder())
        readings = [Reading(plan, trial) for plan, trial in proposal.plans if _obeys(plan, schema, columns)]
        refusals.append(proposal.refusal or "every plan goes against the roles you set")
        hopeless = proposal.hopeless
    if options.mode != "structure" and not hopeless:
        if not readings or readings[0].trial.score < SURE_SCORE:
            known = [reading.plan for reading in readings]
            asked, why = label_maps(
                given.task,
                columns,
                rows,
                question,
                ctx.embedder(),
                known,
                tell=lambda done, of: ctx.progress(done, of, "columns asked about"),
            )
            readings = sorted([*readings, *(r for r in asked if _obeys(r.plan, schema, columns))], key=lambda r: -r.trial.score)
            refusals.append(why)
        if not readings:
            readings, why = _drafted(given, columns, rows, options, ctx)
            refusals.append(why)
    before = _applied_before(given, columns, rows, ctx)
    if before:
        return _choice(given, [*before, *readings], columns, rows, options, ctx)
    left = max(1.0, options.verify_seconds - question.seconds)
    offered = _verified(given, readings, columns, rows, options, left, ctx)
    if readings and not offered:
        refusals.append(f"the model's guess is not borne out by its answers on rows: {'; '.join(readings[0].plan.reasons[:2])}")
    if not offered:
        refusal = "; ".join(part for part in refusals if part)
        raise NothingSuitable(f"{schema.dataset}: {refusal or 'no plan gives examples of the task'}")
    return _choice(given, offered, columns, rows, options, ctx)


def _applied_before(given: Given, columns: tuple[Column, ...], rows: list[Row], ctx: Context) -> list[Reading]:
    """The user's own plans that still work on these rows; they come first, for they were chosen by hand."""
    found = []
    for text in given.before:
        plan = read_plan(text)
        if plan.prose or any(problem.severity == "error" for problem in check_plan(plan, columns, given.task)):
            continue
        if any(isinstance(step, Write | Check) for step in plan.steps):
            trial = _untried(BAR, "a model has a part in it, so it is not tried first")
        else:
            trial = try_plan(plan, columns, rows, given.task, embedder=ctx.embedder())
            if not trial.made:
                continue
        reasons = ("you applied this plan to this data set before", *plan.reasons)
        found.append(Reading(msgspec.structs.replace(plan, origin="user", reasons=reasons), trial))
    return found


def _verified(
    given: Given, readings: list[Reading], columns: tuple[Column, ...], rows: list[Row], options: Options, seconds: float, ctx: Context
) -> list[Reading]:
    """The readings after the model did the task on sample rows; as they are where that is off."""
    if not options.verify or not rivals(readings, columns, rows, given.task):
        return [reading for reading in readings if borne_out(reading)]
    ctx.expect_calls("plan", FIRST_ROWS, FIRST_ROWS * 250, FIRST_ROWS * 10)
    found, cost = verified(
        readings,
        columns,
        rows,
        given.task,
        lambda requests: ctx.complete("plan", requests),
        most_rows=options.verify_rows,
        most_seconds=seconds,
        tell=lambda done, of: ctx.progress(done, of, "rows asked"),
    )
    if not found:
        return []
    best = found[0]
    ctx.event("verified", f"{best.verdict.state}: {best.verdict.said}", calls=cost.calls, seconds=cost.seconds, state=best.verdict.state)
    if best.plan != readings[0].plan:
        ctx.event("overturned", f"not borne out by the rows: {readings[0].plan.reasons[0]}; taken instead: {best.plan.reasons[0]}")
    if best.verdict.state != "verified" and options.unverified == "refuse":
        raise NothingSuitable(f"{given.schema.dataset}: the plan is not verified, and plan.unverified says refuse: {best.verdict.said}")
    return found


def _obeys(plan: Plan, schema: SchemaSelection, columns: tuple[Column, ...]) -> bool:
    if schema.origin != "user":
        return True
    inputs, outputs = inputs_and_outputs(plan, columns)
    shown = {name for name, role in schema.roles.items() if role in ("input", "context")}
    answer = {name for name, role in schema.roles.items() if role == "output"} | set(schema.pair)
    return inputs <= shown | answer and (not answer or bool(outputs & answer))


def _drafted(given: Given, columns: tuple[Column, ...], rows: list[Row], options: Options, ctx: Context) -> tuple[list[Reading], str]:
    """The model's drafts until one passes; failures go back to it."""
    guess = options.allow_guessing or options.mode == "model"
    inputs, few = showable(columns, rows), few_values(columns, rows)
    schema = draft_schema(given.task, columns, few, inputs, allow_write=options.allow_writing, allow_guess=guess)
    if schema is None:
        return [], ""
    roles = "; ".join(f"{name}: {role}" for name, role in given.schema.roles.items() if role != "irrelevant")
    failures: list[str] = []
    for number in range(options.repairs + 1):
        ctx.progress(number, options.repairs + 1, "drafts")
        messages = prompt.draft_messages(given.task, given.expanded.description, columns, rows, roles, failures)
        sampling = Sampling(temperature=0.0 if number == 0 else 0.7, seed=ctx.seed + number, max_tokens=500)
        completion = next(iter(ctx.complete("plan", [Request(f"draft-{number}", messages, schema, sampling)])))
        if completion.finish != "stop":
            failures.append(completion.error or "the plan was cut off by length")
            continue
        try:
            plan = plan_of(read_draft(completion.text), given.task, f"{given.task.name}, drafted", columns)
        except ValueError as error:
            failures.append(str(error))
            continue
        problems = [f"{problem.title}" for problem in check_plan(plan, columns, given.task) if problem.severity == "error"]
        if problems:
            failures.append(f"{plan.reasons[0]}: {problems[0]}")
            ctx.event("draft-refused", failures[-1])
            continue
        if any(isinstance(step, Write) for step in plan.steps):
            if options.allow_writing:
                return [Reading(plan, _untried(BAR, "a model writes the outputs, so it is not tried first"))], ""
            failures.append(f"{plan.reasons[0]}: writing outputs is off")
            continue
        trial = try_plan(plan, columns, rows, given.task, embedder=ctx.embedder())
        if trial.score >= BAR:
            return [Reading(plan, trial)], ""
        failures.append(f"{plan.reasons[0]}: {trial.reasons[-1] if trial.reasons else 'scored too low'}")
        ctx.event("draft-refused", failures[-1])
    return [], f"the model's {len(failures)} plans failed too: {failures[-1]}" if failures else ""


def _of_user(given: Given, columns: tuple[Column, ...], rows: list[Row], options: Options, ctx: Context) -> PlanChoice:
    plan = read_plan(given.plan)
    problems = check_plan(plan, columns, given.task)
    for problem in problems:
        if problem.severity == "error":
            raise BadInput(f"plan {plan.name!r}: {problem.title}", problem.hint)
        ctx.event("plan-warning", problem.title)
    if plan.prose or any(isinstance(step, Write | Check) for step in plan.steps):
        trial = _untried(1.0, "your plan; a model takes part, so it is not tried first")
        return _choice(given, [Reading(plan, trial)], columns, rows, options, ctx)
    trial = try_plan(plan, columns, rows, given.task)
    if trial.made == 0:
        why = "; ".join([*trial.reasons[:1], *list(trial.why_not)[:2]])
        raise NothingSuitable(f"plan {plan.name!r} makes no example of {len(rows)} sample rows: {why}")
    return _choice(given, [Reading(plan, trial)], columns, rows, options, ctx)


def _untried(score: float, reason: str) -> Trial:
    """What a model will write cannot be tried without asking it; execute checks every example it makes."""
    return Trial(made=0, skipped=0, rejected=0, failed=0, score=score, reasons=(reason,))


def _prose(given: Given, columns: tuple[Column, ...], rows: list[Row], ctx: Context) -> PlanChoice:
    messages = prompt.prose_messages(given.task, given.expanded.description, columns, rows)
    request = Request("prose", messages, prompt.prose_schema(), Sampling(seed=ctx.seed, max_tokens=700))
    completion = next(iter(ctx.complete("plan", [request])))
    steps = prompt.read_prose(completion.text) if completion.finish == "stop" else ()
    if not steps:
        raise NothingSuitable(f"{given.schema.dataset}: the model wrote no usable steps ({completion.error or completion.finish})")
    shown = tuple(name for name, role in given.schema.roles.items() if role != "irrelevant") if given.schema.origin == "user" else ()
    plan = Plan(name=f"{given.task.name}, prose", prose=steps, columns=shown, origin="prose", reasons=("written by the planner model",))
    ctx.event("plan", f"prose, {len(steps)} steps; a model follows them on every row")
    return PlanChoice(
        given.schema.dataset, given.schema.config, given.schema.splits, plan, plan_digest(plan), 0.0, plan.reasons, output_origin="written"
    )


def _choice(
    given: Given, readings: list[Reading], columns: tuple[Column, ...], rows: list[Row], options: Options, ctx: Context
) -> PlanChoice:
    best = readings[0]
    plan, trial = best.plan, best.trial
    ctx.event("plan", f"{plan.name} ({plan.origin}, score {trial.score:.2f}): {'; '.join(plan.reasons[:2])}", score=trial.score)
    schema = given.schema
    return PlanChoice(
        schema.dataset,
        schema.config,
        schema.splits,
        plan,
        plan_digest(plan),
        trial.score,
        plan.reasons + trial.reasons,
        _samples(best, columns, rows, given.task),
        tuple(_runner_up(reading) for reading in readings[1 : options.runners_up + 1]),
        origin_of_output(plan, columns),
        best.verdict.state if best.verdict.rows else "",
        best.verdict.said if best.verdict.rows else "",
    )


def _runner_up(reading: Reading) -> RunnerUp:
    verdict = reading.verdict
    return RunnerUp(
        reading.plan,
        reading.trial.score,
        reading.trial.reasons,
        _shown(reading.trial.samples[:SHOWN]),
        verdict.state if verdict.rows else "",
        verdict.said if verdict.rows else "",
    )


def _samples(reading: Reading, columns: tuple[Column, ...], rows: list[Row], task: Task) -> tuple[SamplePair, ...]:
    """A few examples; of labels one each, so that a person sees every entry of a label map at work."""
    if task.output.kind != "label" or not reading.trial.samples:
        return _shown(reading.trial.samples[:SHOWN])
    made, _, _ = run_on(reading.plan, columns, rows, task)
    first = {example.output: example for example in reversed(made)}
    return _shown([first[label] for label in task.output.labels if label in first][:MOST_SHOWN] or made[:SHOWN])


def _shown(examples: Sequence[Example]) -> tuple[SamplePair, ...]:
    return tuple(SamplePair(example.source.row, example.input, example.output) for example in examples)


STAGE = Stage(
    "plan", "finding a plan and trying it on sample rows", 6, Given, Options, PlanChoice, run, roles=("plan",), per_candidate=True
)
