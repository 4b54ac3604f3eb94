"""Plans that count: how many items a list has, or how many of them are of the kind the description names."""

from __future__ import annotations

import json
import re

from engine.plan.labels.loanwords import sound_alike
from engine.plan.labels.words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Each, Get, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.spoken import COUNT_WORDS, alike, speaks
from engine.plan.template import printed
from engine.records import Task

_HOW_MANY = re.compile(
    r"how many|count|number of|wie ?viele|anzahl|zähl|combien|nombre de|compte[rz]?(?!\w)|cuánt|número de|cuenta"
    r"|conta[rdt]?(?!\w)|quant[ie](?!\w)|numero di|quant[oa]s|сколько|количеств|число|посчита|ile(?!\w)|liczb|kolik|hoeveel"
    r"|aantal|kaç|sayı|berapa|jumlah|bao nhiêu|đếm|ngapi|idadi|多少|几个|個数|数え|いくつ|何人|何個|몇|개수|कितन|संख्या|गिन|كم|عدد",
    re.IGNORECASE,
)
_MOST = 50


def asks_how_many(task: Task) -> bool:
    """The description asks for a count, and the examples' outputs (or the labels) are small whole numbers."""
    shown = [example.output.strip() for example in task.examples] or list(task.output.labels)
    whole = bool(shown) and all(re.fullmatch(r"\d{1,2}", output) for output in (*shown, *task.output.labels))
    return whole and task.output.kind in ("text", "label") and _HOW_MANY.search(task.description) is not None


def count_drafts(sample: Sample, task: Task) -> list[Draft]:
    """For tasks that ask how many: the length of a list called what the description speaks of, or how often it holds a named value."""
    if not asks_how_many(task):
        return []
    drafts = _counted(sample, task)
    for profile in sample.profiles:
        within = any(isinstance(step, Get) and "[" in step.path for step in profile.steps)
        if profile.kind != "list" or profile.tags or profile.most > _MOST or within:
            continue
        drafts += _equal_items(profile, sample, task)
        word = _called(profile, task) if profile.fewest < profile.most else ""
        if word:
            drafts.append(_length(profile, sample, word))
    return drafts


def _counted(sample: Sample, task: Task) -> list[Draft]:
    """The one column whose name says that it counts, if what it counts is spoken of (or the description is in another language)."""
    found = []
    for profile in sample.profiles:
        words = folded(profile.name).split()
        small = profile.low is not None and profile.high is not None and profile.low >= 0 and profile.high <= 99 and profile.whole == 1
        if small and profile.distinct > 1 and len(words) > 1 and set(words) & COUNT_WORDS and not profile.id_like:
            found.append((profile, _called(profile, task)))
    if len(found) != 1 or (not found[0][1] and task.language[:2] == "en"):
        return []
    profile, word = found[0]
    reason = f"{profile.name} counts by its name, and the description asks how many" + (f" and says “{word}”" if word else "")
    texts = tuple(sample.texts(profile.name))
    return [
        Draft(
            family="named",
            output=printed(profile.name),
            reads=(profile.column,),
            outputs=texts,
            prior=0.85 if word else 0.65,
            reasons=(reason,),
            steps=profile.steps,
        )
    ]


def _called(profile: ColumnProfile, task: Task) -> str:
    spoken = folded(task.description).split()
    words = [
        word
        for word in folded(profile.name).split()
        if len(word) > 3 and word not in ("list", "text", "value", "values", "count", "number")
    ]
    return next((other for word in reversed(words) for other in spoken if alike(word, other) or sound_alike(word, other)), "")


def _length(profile: ColumnProfile, sample: Sample, word: str) -> Draft:
    """The draft for a list's length; a list of texts is what the input shows, so only its items' number decides the output."""
    reason = f"the length of {profile.name}: the description asks how many and says “{word}”"
    if profile.fewest > 0 and (profile.item_kind == "dict" or (profile.text_list and profile.words >= 6)):
        marks, into = sample.unused("one_each"), sample.unused("how_many")
        steps = (
            Each(value=profile.name, into=marks, template="x", separator="", note="one sign for each item"),
            Template(into=into, template="{{ " + printed(marks)[3:-3] + " | length }}"),
        )
        return Draft(
            family="named",
            output=printed(into),
            reads=(profile.column,),
            outputs=_lengths(profile, sample),
            prior=0.85,
            reasons=(reason,),
            steps=(*profile.steps, *steps),
            shown=(profile.name,),
        )
    return _draft(profile, sample, "{{ " + printed(profile.name)[3:-3] + " | length }}", _lengths(profile, sample), 0.85, reason)


def _lengths(profile: ColumnProfile, sample: Sample) -> tuple[str, ...]:
    return tuple(str(len(value)) if isinstance(value, list | tuple) else "" for value in sample.values[profile.name])


def _equal_items(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    if profile.item_kind not in ("text", "integer"):
        return []
    lists = [[as_text(item) for item in value] if isinstance(value, list | tuple) else [] for value in sample.values[profile.name]]
    vocabulary = sorted({item for items in lists for item in items})
    if not 2 <= len(vocabulary) <= 60 or len(vocabulary) * 3 > sum(map(len, lists)):
        return []
    names = {
        item: profile.class_names[int(item)] if item.isdigit() and int(item) < len(profile.class_names) else item for item in vocabulary
    }
    said = folded(task.description)
    named = [item for item in vocabulary if _named(said, names[item])]
    if len(named) != 1:
        return []
    item = named[0] if profile.item_kind == "text" else int(named[0])
    same = f'{{{{ {printed(profile.name)[3:-3]} | select("equalto", {json.dumps(item, ensure_ascii=False)}) | list | length }}}}'
    outputs = tuple(str(items.count(named[0])) for items in lists)
    reason = f"how often {profile.name} holds {names[named[0]]}, which the description asks to count"
    return [_draft(profile, sample, same, outputs, 0.88, reason)]


def _named(said: str, name: str) -> bool:
    plain = folded(name)
    words = [word for word in plain.split() if len(word) > 2]
    if speaks(said, plain) or (words and all(any(alike(word, other) for other in said.split()) for word in words)):
        return True
    return any(speaks(said, word) for meaning in meanings(name) for word in words_for(meaning))


def _draft(profile: ColumnProfile, sample: Sample, template: str, outputs: tuple[str, ...], prior: float, reason: str) -> Draft:
    into = sample.unused("how_many")
    steps: tuple[AnyStep, ...] = (*profile.steps, Template(into=into, template=template))
    return Draft(
        family="named", output=printed(into), reads=(profile.column,), outputs=outputs, prior=prior, reasons=(reason,), steps=steps
    )
