"""The search for a plan: candidates from structure and from the model's closed questions, held against the model's own answers.

Structure proposes; where it is unsure about labels the model is asked what a column's values stand for; the best readings are then
verified on sample rows. The order that comes out is structure's, except that a reading the rows speak against goes behind the one
they speak for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from engine.plan.labels.mapping import LabelMap
from engine.plan.profile import ColumnProfile, Sample, read_sample
from engine.plan.steps import Check, Plan, Write
from engine.plan.structure.inputs import finish
from engine.plan.structure.labels import mapped_draft
from engine.plan.structure.parts import with_parts
from engine.plan.structure.shape import shape_of
from engine.plan.trial import BAR, Trial, run_on, try_plan
from engine.plan.witness.label_question import MOST_COLUMNS, MOST_VALUES, LabelQuestion, Suggestion
from engine.plan.witness.solver import Weigh
from engine.plan.witness.verify import Verdict, Verified, verify
from engine.records import Column, Row, Task, Value
from models.embedding import Embedder

SURE_SCORE = 0.8
"""A plan of structure's with at least this score needs no label map from the model beside it."""
RIVAL_MARGIN = 0.12
MOST_RIVALS = 3
AGAINST = 0.3
"""With less belief than that the rows speak against a label map."""
SAME = 0.95
"""Two plans whose outputs agree in this share of their common rows are one reading."""


class Reading(Value):
    """A plan with what its trial and its verification say."""

    plan: Plan
    trial: Trial
    verdict: Verdict = Verdict("unverified", said="not verified")
    mapped: bool = False
    """Its label map is the model's."""
    guess: bool = False
    """The model is not sure of it: worth nothing until rows bear it out."""


def label_maps(
    task: Task,
    columns: Sequence[Column],
    rows: Sequence[Row],
    question: LabelQuestion,
    embedder: Embedder | None,
    known: Iterable[Plan] = (),
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[Reading], str]:
    """Plans whose label map the model makes, for columns no known plan maps already; and, with none, why."""
    if task.output.kind != "label" or not task.output.labels:
        return [], ""
    sample = with_parts(read_sample(columns, rows))
    shape = shape_of(task)
    mapped = {name for plan in known for name in _mapped(plan)}
    context = tuple(profile.name for profile in sample.profiles if profile.free_text)[:2]
    found: list[Reading] = []
    asked = []
    few = _few_valued(sample, mapped)
    for done, profile in enumerate(few):
        tell(done, len(few))
        asked.append(profile.name)
        suggestion = question.suggest(profile, sample, context)
        if suggestion is None:
            if question.doubt:
                return [], f"the model is not asked what values stand for: {question.doubt}"
            continue
        draft = mapped_draft(profile, _label_map(suggestion, profile, task), sample, task, embedder)
        plan = finish(draft, sample, task, shape, embedder=embedder)
        if plan is None:
            continue
        plan = msgspec.structs.replace(plan, origin="model")
        trial = try_plan(plan, columns, rows, task, draft=draft, embedder=embedder)
        if trial.score >= BAR:
            found.append(Reading(plan, trial, mapped=True, guess=not suggestion.sure))
    found.sort(key=lambda reading: -reading.trial.score)
    return found, "" if found or not asked else f"the model is not sure what the values of {', '.join(asked)} stand for"


def rivals(readings: Sequence[Reading], columns: Sequence[Column], rows: Sequence[Row], task: Task) -> list[Reading]:
    """The readings worth telling apart: near the best in score, with other outputs on the same rows."""
    kept: list[Reading] = []
    outputs: list[dict[int, str]] = []
    for reading in readings:
        if len(kept) == MOST_RIVALS or (kept and reading.trial.score < kept[0].trial.score - RIVAL_MARGIN):
            break
        if any(isinstance(step, Write | Check) for step in reading.plan.steps) or reading.plan.prose:
            continue
        made = {example.source.row: example.output for example in run_on(reading.plan, columns, rows, task)[0]}
        if not any(_agreement(made, other) >= SAME for other in outputs):
            kept.append(reading)
            outputs.append(made)
    return kept


def verified(
    readings: Sequence[Reading],
    columns: Sequence[Column],
    rows: Sequence[Row],
    task: Task,
    weigh: Weigh,
    *,
    most_rows: int,
    most_seconds: float,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[Reading], Verified]:
    """The readings with their verdicts, those beaten by another last; and what asking cost."""
    asked = rivals(readings, columns, rows, task)
    outcome = verify(
        [reading.plan for reading in asked], columns, rows, task, weigh, most_rows=most_rows, most_seconds=most_seconds, tell=tell
    )
    judged = [msgspec.structs.replace(reading, verdict=verdict) for reading, verdict in zip(asked, outcome.verdicts, strict=True)]
    rest = [reading for reading in readings if not any(reading is one for one in asked)]
    kept = [reading for reading in (*judged, *rest) if borne_out(reading)]
    return sorted(kept, key=lambda reading: reading.verdict.state == "beaten"), outcome


def borne_out(reading: Reading) -> bool:
    """Whether a reading may be offered: a guess only once it is verified, a sure map of the model's unless rows speak against it."""
    if reading.guess:
        return reading.verdict.state == "verified"
    return not reading.mapped or not reading.verdict.rows or reading.verdict.belief >= AGAINST


def _mapped(plan: Plan) -> Iterator[str]:
    from engine.plan.steps import Map

    for step in plan.steps:
        if isinstance(step, Map):
            yield step.value


def _few_valued(sample: Sample, mapped: set[str]) -> list[ColumnProfile]:
    """Columns that may hold labels: few values, none of them nearly all; single values before what is nested."""
    fit = [
        profile
        for profile in sample.profiles
        if (profile.label_set or profile.kind in ("boolean", "class"))
        and 2 <= profile.distinct <= MOST_VALUES
        and profile.name not in mapped
        and not profile.constant
        and not profile.id_like
        and max(profile.counts.values(), default=0) <= 0.97 * max(1, sum(profile.counts.values()))
    ]
    return sorted(fit, key=lambda profile: (bool(profile.steps), profile.numeric))[:MOST_COLUMNS]


def _label_map(suggestion: Suggestion, profile: ColumnProfile, task: Task) -> LabelMap:
    rows = sum(profile.counts.values())
    held = sum(count for value, count in profile.counts.items() if value in suggestion.table)
    covered = len(set(suggestion.table.values())) / len(task.output.labels)
    score = min(0.85, 0.55 + 0.05 * suggestion.margin) * (0.6 + 0.4 * covered)
    return LabelMap(
        table=suggestion.table,
        reasons=suggestion.lines,
        truth=False,
        left_out=suggestion.left_out,
        score=score,
        covered=covered,
        rows=held / max(1, rows),
    )


def _agreement(ours: dict[int, str], theirs: dict[int, str]) -> float:
    common = ours.keys() & theirs.keys()
    return sum(ours[row] == theirs[row] for row in common) / len(common) if common else 0.0
