"""Plans whose output is a column's value as the examples write it: as it stands, with blanks, in lower case."""

from __future__ import annotations

import re
from typing import Any

from engine.plan.labels.cases import leave_out
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Keep, Match, Names
from engine.plan.structure.draft import Draft
from engine.plan.structure.label_columns import Unmapped, class_name, same_question, weight_of
from engine.plan.template import printed
from engine.records import Task


def named_drafts(sample: Sample, task: Task) -> tuple[list[Draft], list[Unmapped]]:
    """For free text tasks whose example outputs are values of a column, written as they stand or with blanks and lower case."""
    drafts, failed = [], []
    outputs = [example.output.strip() for example in task.examples if example.output.strip()]
    if task.output.kind != "text" or not outputs:
        return [], []
    for profile in sample.profiles:
        if (
            not profile.label_set
            or profile.kind not in ("text", "class")
            or profile.constant
            or (profile.numeric and not profile.class_names)
        ):
            continue
        values = {value: class_name(value, profile) for value in profile.counts}
        for steps, write, how in _SPELLINGS:
            written = {value: write(shown) for value, shown in values.items()}
            held = [output for output in outputs if output in written.values()]
            if len(held) * 2 > len(outputs) or (len(held) == len(outputs)):
                drafts.append(_named(profile, written, steps, how, held, sample, task))
                break
        else:
            failed.append(Unmapped(profile.name, tuple(values.values())[:8], ()))
    return drafts, failed


def _spaced(text: str) -> str:
    return " ".join(re.sub(r"[_\-]+", " ", text).split())


def _unjoined(text: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)


_SPELLINGS: tuple[tuple[tuple[tuple[str, str], ...], Any, str], ...] = (
    ((), lambda text: text, "as it stands"),
    ((("lower", ""),), lambda text: text.lower(), "in lower case"),
    ((("spaces", ""),), _spaced, "with blanks for _ and -"),
    ((("spaces", ""), ("lower", "")), lambda text: _spaced(text).lower(), "with blanks, in lower case"),
    ((("unjoin", ""), ("spaces", ""), ("lower", "")), lambda text: _spaced(_unjoined(text)).lower(), "in separate words, in lower case"),
    ((("capital", ""),), lambda text: _spaced(text).capitalize(), "with a capital"),
    ((("upper", ""),), lambda text: text.upper(), "in capitals"),
    ((("title", ""),), lambda text: _spaced(text).title(), "with capitals"),
)


def _named(
    profile: ColumnProfile,
    written: dict[str, str],
    spelling: tuple[tuple[str, str], ...],
    how: str,
    held: list[str],
    sample: Sample,
    task: Task,
) -> Draft:
    left_out = leave_out(list(written), task.description)
    steps: tuple[AnyStep, ...] = profile.steps
    if left_out:
        steps += (Keep(value=profile.name, not_one_of=tuple(left_out), note="; ".join(left_out.values())),)
    name = profile.name
    actions = [action for action, _ in spelling]
    if profile.class_names:
        steps += (Names(value=name, into=sample.unused("label_name")),)
        name = sample.unused("label_name")
    if "unjoin" in actions:
        steps += (
            Match(
                value=name,
                into=sample.unused("label_words"),
                pattern="([a-z0-9])([A-Z])",
                mode="replace",
                replacement=r"\1 \2",
                unmatched="empty",
            ),
        )
        name = sample.unused("label_words")
    expression = printed(name)[3:-3]
    if set(actions) & {"spaces", "unjoin", "capital", "title"}:
        expression += ' | replace("_", " ") | replace("-", " ")'
    for action in ("lower", "capital", "upper", "title"):
        if action in actions:
            expression += f" | {'capitalize' if action == 'capital' else action}"
    texts = [as_text(value) for value in sample.values[profile.name]]
    reasons = [f"the examples' outputs ({', '.join(held[:3])}) are values of {profile.name} {how}", *left_out.values()]
    return Draft(
        family="named",
        output=f"{{{{ {expression} }}}}",
        reads=(profile.column,),
        outputs=tuple("" if text in left_out else written.get(text, "") for text in texts),
        prior=min(1.0, 0.9 * weight_of(profile, task)),
        reasons=tuple(reasons),
        steps=steps,
        hidden=same_question(profile, sample),
    )
