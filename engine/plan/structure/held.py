"""Plans for yes/no tasks whose answer is whether a list of labels holds the one the description asks for."""

from __future__ import annotations

import json

from engine.plan.labels.cases import condition_words
from engine.plan.labels.mapping import affirming
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import Template
from engine.plan.structure.draft import Draft
from engine.plan.template import printed
from engine.records import Task


def held_drafts(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    """Whether a list of labels holds the one the description asks for, for yes/no tasks."""
    pair = affirming(task.output.labels)
    if pair is None or profile.kind != "list" or profile.item_kind != "text" or profile.tags:
        return []
    lists = [list(value) if isinstance(value, list | tuple) else [] for value in sample.values[profile.name]]
    vocabulary = sorted({as_text(item) for value in lists for item in value})
    if not 2 <= len(vocabulary) <= 60 or len(vocabulary) * 3 > sum(map(len, lists)):
        return []
    word = sample.unused("label_word")
    named = condition_words(task.description, pair, vocabulary)
    if not named:
        return []
    test = " or ".join(f"{json.dumps(item, ensure_ascii=False)} in {printed(profile.name)[3:-3]}" for item in named)
    template = f"{{{{ {json.dumps(pair[0], ensure_ascii=False)} if {test} else {json.dumps(pair[1], ensure_ascii=False)} }}}}"
    outputs = tuple(pair[0] if set(named) & set(map(as_text, value)) else pair[1] for value in lists)
    reason = f"{profile.name} lists {', '.join(vocabulary[:8])}; the description asks for {', '.join(named)}"
    return [
        Draft(
            family="label",
            output=printed(word),
            reads=(profile.column,),
            outputs=outputs,
            prior=0.85,
            reasons=(reason,),
            steps=(*profile.steps, Template(into=word, template=template)),
        )
    ]
