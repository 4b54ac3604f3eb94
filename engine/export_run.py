"""Exports what a run has made so far, whether it ran to its end or not, mixed anew where reviews changed; with the model it finetuned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.config import stage_options
from engine.errors import BadInput
from engine.locations import Locations
from engine.pipeline import export, mix
from engine.records import Example, Exported, Generated, Made, Part, PlanChoice, SyntheticPart
from engine.roles import Roles
from engine.session import Session
from engine.stages.execute import Options as ExecuteOptions
from engine.store import items, steps, tallies
from engine.store.database import Connection
from engine.store.lease import this_process
from engine.store.origins import origin_of
from engine.store.runs import Run

Watch = Callable[[str, int, int | None, str], None]
"""Gets stage, done, total and unit."""


def export_run(connection: Connection, run: Run, locations: Locations, folder: Path, watch: Watch | None = None) -> Exported:
    """Write the run's examples to `folder`, and the model it finetuned on them, if any. Raises BadInput when it has none, NothingSuitable
    when the mix leaves none."""
    if run.settings.experiment:
        raise BadInput(f"run {run.id} compares ways to a model: it has several training sets", "make the one you want: datatune run TASK")
    parts, synthetic = parts_of(connection, run), synthetic_of(connection, run)
    if not parts and not synthetic:
        raise BadInput(f"run {run.id} has no examples", f"see why: datatune show {run.id}")
    origin = origin_of(connection, run.id)
    roles = Roles(run.settings.models, locations, origin.models if origin else None)
    session = Session(connection, run.id, this_process(), locations, roles, 0)
    session.heeds_commands = False  # they are for the run's own engine
    session.watch = watch
    try:
        mixed = mix(session, run.task, run.settings, parts, synthetic)
        return export(session, run.task, run.settings, parts, folder, synthetic, mixed)
    finally:
        roles.close()


def parts_of(connection: Connection, run: Run) -> list[Part]:
    """What each of the run's execute steps contributes, in the order the data sets were taken."""
    options: ExecuteOptions = stage_options("execute", run.settings.options.get("execute", {}))
    wanted = options.examples
    choices: dict[str, PlanChoice] = {}
    parts: list[Part] = []
    for step in steps.steps_of_run(connection, run.id):
        if step.stage == "plan" and step.record:
            choices[step.candidate] = msgspec.json.decode(step.record, type=PlanChoice)
        if step.stage == "execute" and step.candidate in choices:
            made = _made(connection, step, choices[step.candidate])
            take = min(made.examples, wanted - sum(part.take for part in parts))
            if take > 0:
                parts.append(Part(step.fingerprint, choices[step.candidate], made, take))
    return parts


def synthetic_of(connection: Connection, run: Run) -> list[SyntheticPart]:
    """What the run's generate step contributes."""
    parts: list[SyntheticPart] = []
    for step in steps.steps_of_run(connection, run.id):
        if step.stage == "generate":
            generated = _generated(connection, step)
            if generated.examples:
                parts.append(SyntheticPart(step.fingerprint, generated, generated.examples))
    return parts


def _generated(connection: Connection, step: steps.Step) -> Generated:
    if step.record:
        return msgspec.json.decode(step.record, type=Generated)
    counts = tallies.item_counts(connection, step.fingerprint)
    first = next(items.items_in_order(connection, step.fingerprint, "accepted", 1), None)
    return Generated(
        model=msgspec.json.decode(first.result, type=Example).source.model if first else "",
        units=sum(counts.values()),
        examples=counts.get("accepted", 0),
        rejected=counts.get("rejected", 0),
        failed=counts.get("failed", 0),
        skipped=counts.get("skipped", 0),
        reasons=tallies.reason_counts(connection, step.fingerprint),
    )


def _made(connection: Connection, step: steps.Step, choice: PlanChoice) -> Made:
    if step.record:
        return msgspec.json.decode(step.record, type=Made)
    counts = tallies.item_counts(connection, step.fingerprint)
    return Made(
        dataset=choice.dataset,
        config=choice.config,
        plan=choice.digest,
        units=sum(counts.values()),
        examples=counts.get("accepted", 0),
        rejected=counts.get("rejected", 0),
        failed=counts.get("failed", 0),
        skipped=counts.get("skipped", 0),
        reasons=tallies.reason_counts(connection, step.fingerprint),
    )
