"""Plan: how a data set's rows become examples of the task, tried on sample rows before it is believed.

Candidates come from structure (columns that index options, labels that map, text pairs), from the planner model in closed form with
a bounded number of repairs, or from the user's own file; `prose` mode lets the model write numbered steps that it then
follows row by row, the published method. Nothing good enough is an answer: NothingSuitable, with the reason.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engine.errors import BadInput, NothingSuitable
from engine.plan.check import check_plan
from engine.plan.column_roles import inputs_and_outputs
from engine.plan.draft import draft_schema, few_values, plan_of, read_draft, showable
from engine.plan.file import plan_digest, read_plan
from engine.plan.flow import origin_of_output
from engine.plan.sampling import sample_rows
from engine.plan.steps import Check, Plan, Write
from engine.plan.trial import BAR, Trial, propose, try_plan
from engine.prompts import plan as prompt
from engine.records import Column, ExpandedTask, PlanChoice, Row, RunnerUp, SamplePair, SchemaSelection, Task, Value
from engine.stage import Context, Stage
from models.language import Request, Sampling


class Given(Value):
    """What it starts from."""

    task: Task
    expanded: ExpandedTask
    schema: SchemaSelection
    revision: str
    plan: str = ""
    """A plan in TOML to take instead of searching."""


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
        bool, Meta(description="Let the model say which label a value stands for; off takes only values that name or mean their label.")
    ] = False
    runners_up: Annotated[int, Meta(description="How many other plans to keep beside the chosen one.", ge=0, le=20)] = 4


def run(given: Given, options: Options, ctx: Context) -> PlanChoice:
    """The best plan with its runners-up. Raises NothingSuitable."""
    schema = given.schema
    source = ctx.rows(schema.dataset, schema.config, schema.splits[0])
    columns = tuple(source.columns)
    rows = sample_rows(source, options.sample_rows, ctx.seed)
    if given.plan:
        return _of_user(given, columns, rows, ctx)
    if options.mode == "prose":
        return _prose(given, columns, rows, ctx)
    tried: list[tuple[Plan, Trial]] = []
    refusal, hopeless = "", False
    if options.mode != "model":
        proposal = propose(given.task, columns, rows, embedder=ctx.embedder())
        tried = [(plan, trial) for plan, trial in proposal.plans if _obeys(plan, schema, columns)]
        refusal, hopeless = proposal.refusal or "every plan goes against the roles you set", proposal.hopeless
    if not tried and not hopeless and options.mode != "structure":
        tried, failures = _drafted(given, columns, rows, options, ctx)
        refusal = "; ".join(part for part in (refusal, failures) if part)
    if not tried:
        raise NothingSuitable(f"{schema.dataset}: {refusal or 'no plan gives examples of the task'}")
    return _choice(given, tried, columns, options, ctx)


def _obeys(plan: Plan, schema: SchemaSelection, columns: tuple[Column, ...]) -> bool:
    if schema.origin != "user":
        return True
    inputs, outputs = inputs_and_outputs(plan, columns)
    shown = {name for name, role in schema.roles.items() if role in ("input", "context")}
    answer = {name for name, role in schema.roles.items() if role == "output"} | set(schema.pair)
    return inputs <= shown | answer and (not answer or bool(outputs & answer))


def _drafted(
    given: Given, columns: tuple[Column, ...], rows: list[Row], options: Options, ctx: Context
) -> tuple[list[tuple[Plan, Trial]], str]:
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
                return [(plan, _untried(BAR, "a model writes the outputs, so it is not tried first"))], ""
            failures.append(f"{plan.reasons[0]}: writing outputs is off")
            continue
        trial = try_plan(plan, columns, rows, given.task, embedder=ctx.embedder())
        if trial.score >= BAR:
            return [(plan, trial)], ""
        failures.append(f"{plan.reasons[0]}: {trial.reasons[-1] if trial.reasons else 'scored too low'}")
        ctx.event("draft-refused", failures[-1])
    return [], f"the model's {len(failures)} plans failed too: {failures[-1]}" if failures else ""


def _of_user(given: Given, columns: tuple[Column, ...], rows: list[Row], ctx: Context) -> PlanChoice:
    plan = read_plan(given.plan)
    problems = check_plan(plan, columns, given.task)
    for problem in problems:
        if problem.severity == "error":
            raise BadInput(f"plan {plan.name!r}: {problem.title}", problem.hint)
        ctx.event("plan-warning", problem.title)
    if plan.prose or any(isinstance(step, Write | Check) for step in plan.steps):
        trial = _untried(1.0, "your plan; a model takes part, so it is not tried first")
        return _choice(given, [(plan, trial)], columns, Options(), ctx)
    trial = try_plan(plan, columns, rows, given.task)
    if trial.made == 0:
        why = "; ".join([*trial.reasons[:1], *list(trial.why_not)[:2]])
        raise NothingSuitable(f"plan {plan.name!r} makes no example of {len(rows)} sample rows: {why}")
    return _choice(given, [(plan, trial)], columns, Options(), ctx)


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


def _choice(given: Given, tried: list[tuple[Plan, Trial]], columns: tuple[Column, ...], options: Options, ctx: Context) -> PlanChoice:
    plan, trial = tried[0]
    ctx.event("plan", f"{plan.name} ({plan.origin}, score {trial.score:.2f}): {'; '.join(plan.reasons[:2])}", score=trial.score)
    others = tuple(RunnerUp(p, t.score, t.reasons, _samples(t)) for p, t in tried[1 : options.runners_up + 1])
    schema = given.schema
    return PlanChoice(
        schema.dataset,
        schema.config,
        schema.splits,
        plan,
        plan_digest(plan),
        trial.score,
        plan.reasons + trial.reasons,
        _samples(trial),
        others,
        origin_of_output(plan),
    )


def _samples(trial: Trial) -> tuple[SamplePair, ...]:
    return tuple(SamplePair(sample.source.row, sample.input, sample.output) for sample in trial.samples[:3])


STAGE = Stage(
    "plan", "finding a plan and trying it on sample rows", 4, Given, Options, PlanChoice, run, roles=("plan",), per_candidate=True
)
