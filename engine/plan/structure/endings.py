"""What stands in brackets at the end of the examples' inputs, such as a number of letters or a year: a column beside the text."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.template import printed
from engine.records import Task

_BRACKETS = re.compile(r"(?s)^.*?\S(?P<gap>[ \u00a0\n]*)(?P<open>[(\[（])(?P<held>[^()\[\]（）]{1,30})(?P<close>[)\]）])$")
_MOST_OWN = 0.05
_HOLDS = 0.95


def bracketed_end(
    shown: Sequence[str], closed: Collection[str], outputs: Sequence[str], sample: Sample, task: Task
) -> tuple[str, str, str] | None:
    """(column, template to follow the input, reason), where every example ends in such brackets and one column is borne out.

    Args:
        shown: columns the input shows, whose own texts must not end so.
        closed: columns that may not be shown.
        outputs: what the sample rows give, "" for none.
    """
    found = [_BRACKETS.match(example.input.strip()) for example in task.examples]
    ends = [match for match in found if match is not None]
    if len(ends) < max(2, len(found)) or len({(end["gap"], end["open"], end["close"]) for end in ends}) > 1:
        return None
    for name in shown:
        texts = [text.strip() for text in sample.texts(name) if text]
        if sum(_BRACKETS.match(text) is not None for text in texts) > _MOST_OWN * len(texts):
            return None
    held = [end["held"].strip() for end in ends]
    able = [profile for profile in sample.profiles if not profile.steps and profile.column not in closed and profile.name not in shown]
    borne = [(profile, why) for profile in able if profile.filled == 1 and (why := _borne_out(profile, held, outputs, sample, task))]
    if len(borne) != 1:
        return None
    profile, why = borne[0]
    end = ends[0]
    template = end["gap"] + end["open"] + printed(profile.name) + end["close"]
    return profile.name, template, f"{profile.name} in brackets at the end, as in each example: {why}"


def _borne_out(profile: ColumnProfile, held: Sequence[str], outputs: Sequence[str], sample: Sample, task: Task) -> str:
    """Why the column is what stands in the brackets; "" when nothing says so."""
    if profile.constant or profile.kind not in ("text", "class", "integer"):
        return ""
    texts = sample.texts(profile.name)
    if all(text.isdigit() for text in held):
        if not profile.numeric or profile.whole < 1:
            return ""
        pairs = [(text, output) for text, output in zip(texts, outputs, strict=True) if output]
        lengths = all(int(text) == len(example.output.strip()) for text, example in zip(held, task.examples, strict=True))
        if lengths and sum(as_number(text) == len(output) for text, output in pairs) >= _HOLDS * max(1, len(pairs)):
            return "the number of the output's letters"
        values = [int(text) for text in held]
        within = profile.low is not None and profile.high is not None and all(profile.low <= value <= profile.high for value in values)
        return f"the description speaks of {profile.name}" if within and _spoken_of(profile, task) else ""
    if profile.numeric or profile.id_like:
        return ""
    known = {folded(value) for value in profile.counts}
    return "it has the examples' values" if all(folded(text) in known for text in held) else ""


def _spoken_of(profile: ColumnProfile, task: Task) -> bool:
    said = set(folded(task.description).split())
    return bool({word for word in folded(profile.name).split() if len(word) > 2} & said)
