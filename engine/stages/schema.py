"""Schema: which config and splits of a data set to use, and what each column is for.

Roles are read off the best plan that structure suggests, so that exactly one output (or an option and label pair) is named
and nothing that gives it away is an input; where structure has none, natural text may be shown and plan asks the model.
Test splits are left out unless asked for. A role the user sets is final.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from msgspec import Meta

from engine.errors import BadInput, NothingSuitable
from engine.plan.column_roles import inputs_and_outputs
from engine.plan.draft import showable
from engine.plan.file import read_plan
from engine.plan.names import gives, reads
from engine.plan.sampling import sample_rows
from engine.plan.steps import Plan
from engine.plan.trial import Trial, propose
from engine.records import Column, Row, SchemaSelection, Task, Value
from engine.stage import Context, Stage

Role = Literal["input", "output", "context", "irrelevant"]


class Given(Value):
    """What it starts from."""

    task: Task
    dataset: str
    revision: str
    plan: str = ""
    """A plan in TOML that decides the roles itself."""


class Options(Value):
    """Settings of schema."""

    config: Annotated[str, Meta(description='Config to use; "" tries each and takes the one that fits best.')] = ""
    splits: Annotated[tuple[str, ...], Meta(description="Splits to use; none given means all but test splits.")] = ()
    include_test: Annotated[bool, Meta(description="Use test splits as well.")] = False
    configs_tried: Annotated[int, Meta(description="How many configs are looked at.", ge=1, le=50)] = 6
    sample_rows: Annotated[int, Meta(description="Rows looked at, drawn by seed over the whole split.", ge=10, le=5000)] = 300
    roles: Annotated[dict[str, Role], Meta(description="Columns whose role you set yourself.")] = {}


class Look(Value):
    """One config with what structure makes of it."""

    config: str
    splits: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def run(given: Given, options: Options, ctx: Context) -> SchemaSelection:
    """Look at each config, keep the one whose best plan scores highest."""
    looks = [_look(ctx, given.dataset, config, splits, options) for config, splits in _configs(ctx, given.dataset, options)]
    looks = _with_columns(options.roles, looks, given.dataset)
    if given.plan:
        plan = read_plan(given.plan)
        return _read_off(given, options, _first_that_fits(plan, looks), plan, "your plan says so", ctx)
    best: tuple[Plan, Trial, Look] | None = None
    refusals: list[str] = []
    hopeless = True
    for done, look in enumerate(looks, 1):
        ctx.progress(done - 1, len(looks), "configs")
        proposal = propose(given.task, look.columns, look.rows, embedder=ctx.embedder())
        if not proposal.plans:
            refusals.append(f"{look.config}: {proposal.refusal}" if len(looks) > 1 else proposal.refusal)
            hopeless &= proposal.hopeless
        elif best is None or proposal.plans[0][1].score > best[1].score:
            best = (*proposal.plans[0], look)
    if best is None and hopeless:
        raise NothingSuitable(f"{given.dataset}: {'; '.join(dict.fromkeys(refusals))}")
    if best is None:
        return _unplanned(given, options, looks[0], "; ".join(dict.fromkeys(refusals)), ctx)
    plan, trial, look = best
    return _read_off(given, options, look, plan, (*plan.reasons, *trial.reasons, "read off the columns")[0], ctx)


def _first_that_fits(plan: Plan, looks: list[Look]) -> Look:
    """The config that has the plan's columns, or the first one, whose errors the plan stage then reports."""
    for look in looks:
        known = frozenset(column.name for column in look.columns) | _given_by(plan)
        if all(set(reads(step, known)) <= known for step in plan.steps):
            return look
    return looks[0]


def _given_by(plan: Plan) -> frozenset[str]:
    return frozenset(name for step in plan.steps for name in gives(step))


def _read_off(given: Given, options: Options, look: Look, plan: Plan, reason: str, ctx: Context) -> SchemaSelection:
    """Roles as the plan uses the columns; those the user set win."""
    inputs, outputs = inputs_and_outputs(plan, look.columns)
    names = [column.name for column in look.columns]
    roles: dict[str, Role] = {name: "input" if name in inputs else "output" if name in outputs else "irrelevant" for name in names}
    pair = tuple(name for name in names if name in outputs) if len(outputs) > 1 else ()
    origin: Literal["structure", "user"] = "user" if options.roles or given.plan else "structure"
    roles |= options.roles
    ctx.event("roles", "; ".join(f"{name}: {role}" for name, role in roles.items() if role != "irrelevant"), roles=roles)
    return SchemaSelection(given.dataset, look.config, look.splits, roles, pair, origin, reason)


def _configs(ctx: Context, dataset: str, options: Options) -> list[tuple[str, tuple[str, ...]]]:
    configs = ctx.splits(dataset)
    if options.config:
        if options.config not in configs:
            near = difflib.get_close_matches(options.config, configs, n=1)
            raise BadInput(f"{dataset} has no config {options.config!r}", f"it has: {', '.join(near or list(configs)[:10])}")
        configs = {options.config: configs[options.config]}
    known = list(dict.fromkeys(split for splits in configs.values() for split in splits))
    for split in options.splits:
        if split not in known:
            near = difflib.get_close_matches(split, known, n=1)
            raise BadInput(f"schema.splits: {dataset} has no split {split!r}", f"it has: {', '.join(near or known[:10])}")
    chosen = []
    for config, splits in configs.items():
        kept = _splits(splits, options)
        if kept:
            chosen.append((config, kept))
    if not chosen:
        raise NothingSuitable(
            f"{dataset}: only test splits, which are left out by default", "use them with: --set schema.include_test=true"
        )
    return chosen[: options.configs_tried]


def _splits(splits: tuple[str, ...], options: Options) -> tuple[str, ...]:
    if options.splits:
        return tuple(split for split in options.splits if split in splits)
    kept = [split for split in splits if options.include_test or not split.lower().startswith("test")]
    return tuple(sorted(kept, key=lambda split: not split.lower().startswith("train")))


def _look(ctx: Context, dataset: str, config: str, splits: tuple[str, ...], options: Options) -> Look:
    source = ctx.rows(dataset, config, splits[0])
    return Look(config, splits, tuple(source.columns), tuple(sample_rows(source, options.sample_rows, ctx.seed)))


def _with_columns(roles: dict[str, Role], looks: list[Look], dataset: str) -> list[Look]:
    """The configs that have every column the user named."""
    names = [column.name for look in looks for column in look.columns]
    for name in roles:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(names[:12])}"
            raise BadInput(f"schema.roles: {dataset} has no column {name!r}", hint)
    kept = [look for look in looks if roles.keys() <= {column.name for column in look.columns}]
    if not kept:
        raise BadInput(f"schema.roles: no config of {dataset} has all of {', '.join(roles)}", "choose a config: --set schema.config=NAME")
    return kept


def _unplanned(given: Given, options: Options, look: Look, refusal: str, ctx: Context) -> SchemaSelection:
    """Roles where structure finds no plan: natural text may be shown; what the output is read from is for plan to find."""
    text = showable(look.columns, look.rows)
    roles: dict[str, Role] = {column.name: "input" if column.name in text else "irrelevant" for column in look.columns}
    roles |= options.roles
    origin: Literal["structure", "user"] = "user" if options.roles else "structure"
    ctx.event("roles", "; ".join(f"{name}: {role}" for name, role in roles.items() if role != "irrelevant") or "none", roles=roles)
    reason = f"structure finds no plan ({refusal}); it is left to plan to ask the model"
    return SchemaSelection(given.dataset, look.config, look.splits, roles, (), origin, reason)


STAGE = Stage("schema", "deciding what each column is for", 4, Given, Options, SchemaSelection, run, per_candidate=True)
