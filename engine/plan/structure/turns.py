"""Plans that make examples of a dialogue's turns: what was said before is the input, the turn the output."""

from __future__ import annotations

import json
import re
import statistics

from engine.plan.profile import ColumnProfile, Sample, as_text, identifier
from engine.plan.steps import AnyStep, Each, Explode, Get, Keep
from engine.plan.structure.draft import Draft
from engine.plan.structure.layout import turn_template
from engine.plan.structure.shape import form_of
from engine.plan.structure.texts import form_likeness
from engine.plan.template import printed
from engine.records import Task

_DIALOGUE = re.compile(
    r"repl(y|ies)|respon|next (turn|line|utterance|message)|answers? the (customer|user)|dialog|conversation|chat|"
    r"antwort|gespräch|répon|respond"
    r"|conversaci|ответ|реплик|диалог|回复|回答|对话|返答|会話|응답|대화|jibu|mazungumzo|बातचीत|उत्तर",
    re.IGNORECASE,
)
_WINDOW = 8
_SYSTEM = re.compile(r"system|assistant|agent|bot|wizard|advisor|clerk|support|staff|operator", re.IGNORECASE)


def turn_drafts(sample: Sample, task: Task) -> list[Draft]:
    """For tasks that speak of replies: every turn but the first, with the turns before it."""
    if task.output.kind != "text" or not _DIALOGUE.search(task.description):
        return []
    drafts = []
    for profile in sample.profiles:
        if profile.kind != "list" or profile.most < 2 or profile.fewest < 1 or profile.tags:
            continue
        if profile.item_kind == "dict" and profile.keys:
            drafts.append(_draft(profile, sample, task))
    return [draft for draft in drafts if draft is not None]


def _draft(profile: ColumnProfile, sample: Sample, task: Task) -> Draft | None:
    lists = [[item for item in value if isinstance(item, dict)] if isinstance(value, list) else [] for value in sample.values[profile.name]]
    items = [item for turns in lists for item in turns]
    template = turn_template(items, profile.keys)
    keys = re.findall(r'item\[("(?:[^"\\]|\\.)*")\]', template)
    text = json.loads(keys[-1])
    if statistics.median([len(as_text(item.get(text))) for item in items] or [0]) < 8:
        return None
    turn, before, said = sample.unused("turn"), sample.unused("turns_before"), sample.unused("turn_text")
    lines, who_speaks = sample.unused(f"{identifier(profile.name)}_lines"), sample.unused("turn_speaker")
    steps: list[AnyStep] = [*profile.steps, Explode(value=profile.name, into=turn, window=_WINDOW, window_into=before, first=1)]
    reasons = [f"{profile.name} holds turns; each but the first is an output, up to {_WINDOW} turns before it are the input"]
    texts = [[as_text(item.get(text)) for item in turns[1:]] for turns in lists]
    if len(keys) > 1:
        speaker = json.loads(keys[0])
        who = sorted({as_text(item.get(speaker)) for item in items})
        asked = task.description
        guesses = (
            [name for name in who if name in asked],
            [name for name in who if name.casefold() in asked.casefold()],
            list(filter(_SYSTEM.search, who)),
        )
        wanted = next((names for names in guesses if len(names) == 1), [])
        if 2 <= len(who) <= 4 and len(wanted) == 1:
            steps += [
                Get(path=f"{turn}.{speaker}", into=who_speaks),
                Keep(value=who_speaks, one_of=(wanted[0],), note="whose turns are asked for"),
            ]
            reasons.append(f"only turns of {wanted[0]}")
            texts = [[as_text(item.get(text)) for item in turns[1:] if as_text(item.get(speaker)) == wanted[0]] for turns in lists]
    steps += [
        Get(path=f"{turn}.{text}", into=said),
        Each(value=before, into=lines, template=template, separator="\n"),
    ]
    likeness, why = form_likeness(
        form_of([line for turns in texts for line in turns]), form_of([example.output for example in task.examples])
    )
    if likeness == 0:
        return None
    return Draft(
        family="turns",
        output=printed(said),
        made=(lines,),
        reads=(profile.column,),
        outputs=("",) * sample.rows,
        prior=0.55 + 0.3 * likeness,
        reasons=(*reasons, why),
        steps=tuple(steps),
    )
