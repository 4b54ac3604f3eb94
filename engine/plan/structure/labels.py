"""Plans whose output is a label: mapped from a column's few values, cut from a number, or named by a column in the examples' form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.plan.labels.mapping import LabelMap, class_names_in, map_values
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Keep, Map
from engine.plan.structure.draft import Draft
from engine.plan.structure.flags import flag_drafts
from engine.plan.structure.held import held_drafts
from engine.plan.structure.label_columns import Unmapped, about, counted, same_question, voted_names, weight_of
from engine.plan.structure.named import named_drafts
from engine.plan.structure.thresholds import draws_ranges, threshold_drafts
from engine.plan.template import printed
from engine.records import Task

if TYPE_CHECKING:
    from models.embedding import Embedder

__all__ = ["Unmapped", "label_drafts", "mapped_draft", "named_drafts"]

_NAMED_NOT_COUNTED = 0.3
"""What is left of a label map's weight where the description gives each label its range of numbers."""


def label_drafts(sample: Sample, task: Task, embedder: Embedder | None = None) -> tuple[list[Draft], list[Unmapped]]:
    """A draft for every column whose values say the task's labels, and the columns that come near but do not."""
    drafts, failed = [], []
    if task.output.kind != "label" or not task.output.labels:
        return [], []
    by_number = draws_ranges(task)
    for profile in sample.profiles:
        if profile.label_set or profile.kind in ("boolean", "class"):
            names = profile.class_names or class_names_in(profile.description, list(profile.counts)) or voted_names(profile, sample)
            found = map_values(profile, task, names=names, embedder=embedder)
            if found.table:
                draft = mapped_draft(profile, found, sample, task, embedder)
                drafts.append(msgspec.structs.replace(draft, prior=draft.prior * (_NAMED_NOT_COUNTED if by_number else 1.0)))
            elif profile.kind in ("text", "class") and not profile.constant:
                failed.append(Unmapped(profile.name, tuple(profile.counts)[:8], ()))
        drafts += held_drafts(profile, sample, task)
    drafts += threshold_drafts(sample, task, embedder)
    drafts += flag_drafts(sample, task)
    return drafts, failed


def mapped_draft(profile: ColumnProfile, found: LabelMap, sample: Sample, task: Task, embedder: Embedder | None) -> Draft:
    texts = [as_text(value) for value in sample.values[profile.name]]
    word = sample.unused("label_word")
    identity = all(value == label for value, label in found.table.items())
    steps: tuple[AnyStep, ...]
    if identity:
        keep = Keep(value=profile.name, one_of=tuple(task.output.labels), note="other values are no label of the task")
        steps, output = (*profile.steps, *((keep,) if found.left_out else ())), printed(profile.name)
    else:
        steps, output = (*profile.steps, Map(value=profile.name, into=word, table=found.table)), printed(word)
    relevant, why = about(profile, sample, task, embedder) if found.truth else (1.0, "")
    reasons = [f"{profile.name} holds the labels", *found.reasons, *filter(None, (why,))]
    if found.left_out:
        reasons.append(f"left out, for no label fits: {', '.join(found.left_out[:12])}")
    return Draft(
        family="label",
        output=output,
        reads=(profile.column,),
        outputs=tuple(found.table.get(text, "") for text in texts),
        prior=found.score * weight_of(profile, task) * relevant * counted(profile, task),
        reasons=tuple(reasons),
        steps=steps,
        hidden=same_question(profile, sample),
    )
