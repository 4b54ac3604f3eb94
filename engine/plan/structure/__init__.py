"""Candidate plans read off a data set's columns: one file for each family of outputs, one for the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.plan.profile import Sample
from engine.plan.steps import AnyStep, Get, Map, Plan
from engine.plan.structure.counts import count_drafts
from engine.plan.structure.draft import Draft
from engine.plan.structure.filters import row_filters
from engine.plan.structure.inputs import finish
from engine.plan.structure.joined import pair_drafts, unit_drafts
from engine.plan.structure.kept_rows import LEAST_ROWS, Filter, together
from engine.plan.structure.label_lists import label_list_drafts
from engine.plan.structure.labels import Unmapped, label_drafts, named_drafts
from engine.plan.structure.nested import has_names, nested_drafts
from engine.plan.structure.options import letter_labels, option_drafts
from engine.plan.structure.shape import Shape, shape_of
from engine.plan.structure.spans import span_drafts
from engine.plan.structure.texts import text_drafts
from engine.plan.structure.turns import turn_drafts
from engine.plan.structure.written_options import with_written_options
from engine.records import Task

if TYPE_CHECKING:
    from models.embedding import Embedder

MOST_CANDIDATES = 24
_FEW_ROWS = 20

__all__ = ["Draft", "Unmapped", "candidates"]


def candidates(task: Task, sample: Sample, embedder: Embedder | None = None) -> tuple[list[tuple[Plan, Draft]], list[Unmapped]]:
    """Plans with the drafts they grew from, likeliest first, and the columns that came near the task's labels but do not hold them.

    Where the task's words ask for some of the rows only, what these rows hold is looked at as a data set of its own.
    """
    shape = shape_of(task)
    if task.output.kind in ("option_text", "option_letter") or letter_labels(task.output.labels):
        sample = with_written_options(sample)
    drafts, failed = _drafts(sample, task, shape, embedder)
    filters = row_filters(sample, task)
    found = _filtered(filters, drafts, sample, task, shape, embedder)
    columns = {column for one in filters for column in one.columns}
    # All rows, where the description wants some, are the wrong rows.
    less = 1.0 if not filters else 0.3 if any(one.strict for one in filters) else 0.85
    for draft in drafts:
        weight = 1.0 if columns & set(draft.reads) else less
        found.append(_Found(msgspec.structs.replace(draft, prior=draft.prior * weight), sample, ()))
    plans: list[tuple[Plan, Draft]] = []
    for one in sorted(found, key=lambda one: -one.draft.prior)[:MOST_CANDIDATES]:
        plan = finish(one.draft, one.sample, task, shape, embedder)
        if plan is not None:
            plans.append((_with(plan, one.filters), one.draft))
    return plans, failed


class _Found(NamedTuple):
    draft: Draft
    sample: Sample
    filters: tuple[Filter, ...]


def _drafts(sample: Sample, task: Task, shape: Shape, embedder: Embedder | None) -> tuple[list[Draft], list[Unmapped]]:
    labelled, failed = label_drafts(sample, task, embedder)
    named, unnamed = named_drafts(sample, task)
    drafts = [
        *labelled,
        *named,
        *option_drafts(sample, task, shape),
        *span_drafts(sample, task),
        *text_drafts(sample, task),
        *pair_drafts(sample, task),
        *unit_drafts(sample, task),
        *turn_drafts(sample, task),
        *count_drafts(sample, task),
        *label_list_drafts(sample, task, embedder),
        *nested_drafts(sample, task),
    ]
    return [_whole_table(_less_named(_less_alone(draft, drafts), sample), task) for draft in drafts], [*failed, *unnamed]


def _filtered(
    filters: tuple[Filter, ...], drafts: list[Draft], sample: Sample, task: Task, shape: Shape, embedder: Embedder | None
) -> list[_Found]:
    """Drafts over the rows all filters keep; one whose output is read from a filter's column goes without that filter."""
    found: list[_Found] = []
    if not filters:
        return found
    columns = {column for one in filters for column in one.columns}
    read = {column for draft in drafts if draft.prior >= 0.4 for column in draft.reads if column in columns}
    for dropped in ("", *sorted(read)):
        applied = tuple(one for one in filters if not dropped or dropped not in one.columns)
        if not applied:
            continue
        part = sample.where(together(_leaving_enough(applied, sample.rows), sample.rows))
        seen = [(draft, part) for draft in _drafts(part, task, shape, embedder)[0]]
        if part.rows < _FEW_ROWS:  # too few to see label sets and the like: what all rows say holds for these too
            seen += [(msgspec.structs.replace(draft, prior=draft.prior * 0.9), sample) for draft in drafts]
        for draft, rows in seen:
            if (not dropped or dropped in draft.reads) and not {column for one in applied for column in one.columns} & set(draft.reads):
                found.append(_Found(draft, rows, applied))
    return found


def _leaving_enough(filters: tuple[Filter, ...], rows: int) -> tuple[Filter, ...]:
    """The first filters, as many as leave rows enough to profile."""
    while len(filters) > 1 and sum(together(filters, rows)) < LEAST_ROWS:
        filters = filters[:-1]
    return filters


def _with(plan: Plan, filters: tuple[Filter, ...]) -> Plan:
    """The plan with its filters first."""
    steps: tuple[AnyStep, ...] = tuple(step for one in filters for step in one.steps)
    rest = tuple(step for step in plan.steps if step not in steps)
    return msgspec.structs.replace(plan, steps=(*steps, *rest), reasons=(*plan.reasons, *(one.reason for one in filters)))


def _less_alone(draft: Draft, drafts: list[Draft]) -> Draft:
    """One of several options taken by itself is right only by chance."""
    optional = {name for other in drafts if other.option_columns and other.prior >= 0.6 for name in other.option_columns}
    if draft.family != "text" or draft.option_columns or not optional & set(draft.reads):
        return draft
    return msgspec.structs.replace(draft, prior=draft.prior * 0.6)


def _less_named(draft: Draft, sample: Sample) -> Draft:
    """The value of a list's first entry, whatever that entry is called, is right only by chance."""
    entries = {step.path.removesuffix("[0]") for step in draft.steps if isinstance(step, Get) and step.path.endswith("[0]")}
    if draft.family != "text" or not any(entry in sample.by_name and has_names(sample.by_name[entry], sample) for entry in entries):
        return draft
    return msgspec.structs.replace(draft, prior=draft.prior * 0.25)


def _whole_table(draft: Draft, task: Task) -> Draft:
    """A map whose entries all write the label in the same brackets also knows the labels that no sample row has."""
    steps = tuple(_completed(step, task) if isinstance(step, Map) else step for step in draft.steps)
    return msgspec.structs.replace(draft, steps=steps) if steps != draft.steps else draft


def _completed(step: Map, task: Task) -> Map:
    around = {tuple(value.split(label, 1)) if label and label in value else ("", "", "") for value, label in step.table.items()}
    if len(step.table) < 2 or len(around) != 1:
        return step
    before, after, *more = around.pop()
    if more or not before + after:
        return step
    whole = {f"{before}{label}{after}": label for label in task.output.labels}
    return msgspec.structs.replace(step, table={**whole, **step.table})
