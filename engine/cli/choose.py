"""Two readings that the rows could not tell apart: a person sees rows under both and chooses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.plain_text import clean

if TYPE_CHECKING:
    from engine.locations import Locations
    from engine.records import PlanChoice
    from engine.store.runs import Run, RunSettings

NEAR = 0.12
"""A runner-up that scored this much less than the chosen plan is no second reading."""


def second_reading(choice: PlanChoice) -> int:
    """Place, from 1, of the runner-up that the model's answers did not tell from the chosen plan; 0 where all is decided."""
    if choice.verdict == "verified" and not any(other.verdict == "verified" for other in choice.runners_up):
        return 0
    for place, other in enumerate(choice.runners_up, 1):
        if other.verdict in ("verified", "unverified") and other.score >= choice.score - NEAR:
            return place
    return 0


def other_settings(found: Run, locations: Locations) -> RunSettings | None:
    """Settings of a run with the other reading, where a person at the terminal prefers it; None for the one that was taken."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    from engine.plan.file import write_plan

    for choice in _choices(found, locations):
        place = second_reading(choice)
        if place and _asked(found, choice, place, locations):
            return found.settings.with_plan(choice.dataset, write_plan(choice.runners_up[place - 1].plan))
    return None


def _choices(found: Run, locations: Locations) -> list[PlanChoice]:
    import msgspec

    from engine.records import PlanChoice
    from engine.store.database import open_reader
    from engine.store.steps import steps_of_run

    taken = steps_of_run(open_reader(locations.database), found.id)
    return [msgspec.json.decode(step.record, type=PlanChoice) for step in taken if step.stage == "plan" and step.record]


def _asked(found: Run, choice: PlanChoice, place: int, locations: Locations) -> bool:
    from engine.cli.catalog import open_catalog
    from engine.plan.compare import compare_plans
    from engine.plan.sampling import sample_rows
    from engine.rows_here import RowsHere

    other = choice.runners_up[place - 1]
    source = RowsHere(open_catalog(), locations.cache).rows(choice.dataset, choice.config, choice.splits[0])
    named = [("1", choice.plan), ("2", other.plan)]
    compared = compare_plans(named, source.columns, sample_rows(source, 300, found.settings.seed), found.task)
    lines = [f"\n{choice.dataset} can be read in two ways, and the model's answers do not tell which is right ({choice.evidence}):"]
    lines += [f"  {number}  {'; '.join(plan.reasons[:2]) or plan.name}" for number, plan in named]
    for difference in compared.differences:
        lines.append(f"\nrow {difference.row}: {difference.input}")
        lines += [f"  {number} → {output or 'no example'}" for (number, _), output in zip(named, difference.outputs, strict=True)]
    click.echo(clean("\n".join(lines)), err=True)
    answer: str = click.prompt("\nWhich is right? 1 is what was made", type=click.Choice(["1", "2"]), default="1", err=True)
    return answer == "2"
