"""Candidate plans read off a data set's columns: one file for each family of outputs, one for the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.plan.profile import Sample
from engine.plan.steps import Plan
from engine.plan.structure.draft import Draft
from engine.plan.structure.inputs import finish
from engine.plan.structure.labels import Unmapped, label_drafts, named_drafts
from engine.plan.structure.options import option_drafts
from engine.plan.structure.shape import shape_of
from engine.plan.structure.spans import span_drafts
from engine.plan.structure.texts import text_drafts
from engine.plan.structure.turns import turn_drafts
from engine.records import Task

if TYPE_CHECKING:
    from models.embedding import Embedder

MOST_CANDIDATES = 24

__all__ = ["Draft", "Unmapped", "candidates"]


def candidates(task: Task, sample: Sample, embedder: Embedder | None = None) -> tuple[list[tuple[Plan, Draft]], list[Unmapped]]:
    """Plans with the drafts they grew from, likeliest first, and the columns that came near the task's labels but do not hold them."""
    shape = shape_of(task)
    labelled, failed = label_drafts(sample, task, embedder)
    named, unnamed = named_drafts(sample, task)
    drafts = [
        *labelled,
        *named,
        *option_drafts(sample, task, shape),
        *span_drafts(sample, task),
        *text_drafts(sample, task),
        *turn_drafts(sample, task),
    ]
    drafts = [_less_alone(draft, drafts) for draft in drafts]
    found: list[tuple[Plan, Draft]] = []
    for draft in sorted(drafts, key=lambda draft: -draft.prior)[:MOST_CANDIDATES]:
        plan = finish(draft, sample, task, shape)
        if plan is not None:
            found.append((plan, draft))
    return found, [*failed, *unnamed]


def _less_alone(draft: Draft, drafts: list[Draft]) -> Draft:
    """One of several options taken by itself is right only by chance."""
    optional = {name for other in drafts if other.option_columns and other.prior >= 0.6 for name in other.option_columns}
    if draft.family != "text" or draft.option_columns or not optional & set(draft.reads):
        return draft
    return msgspec.structs.replace(draft, prior=draft.prior * 0.6)
