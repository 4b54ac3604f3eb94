"""Plans whose output is text of the row: an answer, a number, the end after a marker, or the other side of a pair."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from typing import Any

from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Keep, Match
from engine.plan.structure.cleaning import cleaned
from engine.plan.structure.draft import Draft
from engine.plan.structure.languages import input_language, output_language, told_language
from engine.plan.structure.lists import marked_items, neighbours
from engine.plan.structure.no_answers import no_answers
from engine.plan.structure.numbers import as_written, decimals_apart, named_range, on_scale, written_number
from engine.plan.structure.option_sets import siblings
from engine.plan.structure.options import optional_columns
from engine.plan.structure.rewrites import rewrite_drafts
from engine.plan.structure.roles import names_output, names_question, output_role
from engine.plan.structure.shape import Form, form_of
from engine.plan.template import printed
from engine.records import Task

_LONGEST = 12


def text_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for every value that could be the output of a free text task; what its form says is left to the trial."""
    outputs = [example.output for example in task.examples if example.output.strip()]
    if task.output.kind != "text" or not outputs:
        return []
    wanted = form_of(outputs)
    rewrites = rewrite_drafts(sample, task)
    optional = optional_columns(sample)
    held = all(example.output.strip() in example.input for example in task.examples)
    counted = any(_ordinal(profile.name, task.description) for profile in sample.profiles)
    twice = {name for draft in rewrites for name in draft.option_columns}
    drafts: list[Draft | None] = [*rewrites]
    for profile in sample.profiles:
        if profile.name in twice:
            continue
        made = cleaned(profile, sample, outputs, task.description)
        if _may_be_output(profile, wanted) or (held and _may_be_found(profile) and output_role(profile, task)[0] >= 0.6):
            weight = (0.85 if made else 1.0) * (0.6 if profile.name in optional or _nested_sibling(profile, sample) else 1.0)
            weight *= 0.8 if counted and not _ordinal(profile.name, task.description) else 1.0
            drafts.append(_single(profile, sample.values[profile.name], sample, task, wanted, weight, ()))
        for other in made:
            # A name of rows or one as programs write them is an output only where the description speaks of it.
            named = other.asked or not (profile.id_like or profile.coded) or output_role(profile, task)[0] >= 0.6
            if named and _may_be_output(other.profile, wanted):
                said = (f"{profile.name}, {', '.join(other.said)}, for the form of the examples",)
                drafts.append(_single(other.profile, other.texts, sample, task, wanted, 1.0, said, asked=other.asked))
    drafts += [*_joined(sample, task, wanted, optional), *_lists(sample, task), *marked_items(sample, task), *neighbours(sample, task)]
    found = sorted((draft for draft in drafts if draft is not None), key=lambda draft: -draft.prior)
    return found[:_LONGEST]


def _may_be_output(profile: ColumnProfile, wanted: Form) -> bool:
    if profile.constant or profile.filled < 0.3 or profile.kind not in ("text", "integer", "number"):
        return False
    if wanted.numeric >= 0.5:
        said = names_output(profile) or any(isinstance(step, Match) for step in profile.steps)
        return profile.numeric and (said or not profile.id_like)
    if profile.numeric or profile.id_like:
        return False
    return (
        (not profile.label_set or profile.distinct >= 25)
        and (not profile.coded or wanted.words <= 1)
        and (profile.letters >= 0.3 or wanted.script == "")
    )


def _may_be_found(profile: ColumnProfile) -> bool:
    """Names that recur, for tasks whose examples' outputs stand in their inputs: whether these do, the trial sees."""
    return profile.kind == "text" and profile.label_set and profile.distinct >= 6 and not (profile.coded or profile.numeric)


def _nested_sibling(profile: ColumnProfile, sample: Sample) -> bool:
    """One of several numbered values within one column, as notes on options are."""
    if not profile.steps:
        return False
    inside = [other.name for other in sample.profiles if other.steps and other.column == profile.column]
    return any(profile.name in names for _, names in siblings(inside))


def _single(
    profile: ColumnProfile,
    values: Sequence[Any],
    sample: Sample,
    task: Task,
    wanted: Form,
    weight: float,
    said: tuple[str, ...],
    *,
    asked: bool = False,
) -> Draft | None:
    outputs = [example.output.strip() for example in task.examples]
    always = wanted.numeric == 1 and all("." in output for output in outputs)
    texts = [as_written(value, always) for value in values]
    none = no_answers(texts, task)
    texts = ["" if text in none else text for text in texts]
    likeness, why = form_likeness(form_of(texts), wanted)
    if likeness == 0 or not any(texts):
        return None
    role, named = output_role(profile, task)
    found = form_of(texts)
    if role <= 0.1 or (wanted.questions == 0 and names_question(profile)):
        weight *= 0.5
    if wanted.asks >= 0.5 and found.asks >= 0.5:
        role = max(role, 0.8)
    written = _written_side(texts, task) if role > 0.1 else ""
    if written:
        role, named = max(role, 0.85), f"it is written in {written}, as the outputs are and the inputs are not"
    reasons = [*said, f"{profile.name} as the output: {why}"]
    if named:
        reasons.append(named)
    if asked and said:
        role = max(role, 0.95)
        reasons.append("the description speaks of such marks")
        weight += 0.05
    place = _ordinal(profile.name, task.description)
    if place:
        role = max(role, 0.85)
        reasons.append(f"the description says “{place}”")
    # Any number has the form of a number: only its name can say that it answers, or a scale of its own.
    scale = named_range(task.description, outputs) if wanted.numeric == 1 else None
    if scale is not None and on_scale(profile, scale, outputs):
        role = max(role, 0.9 if decimals_apart(texts, outputs) == 0 else 0.6)
        reasons.append(f"{profile.name} lies between {profile.low:g} and {profile.high:g}, on the scale the description names")
    elif found.numeric > 0.8 and (role < 0.7 or profile.distinct < 6 or set(folded(profile.name).split()) & {"label", "gold"}):
        weight *= 0.25
    if profile.first_item:
        reasons.append(f"the first of the list {profile.column}")
    if not said and any(step.into == profile.name for step in profile.steps if isinstance(step, Match)):
        reasons.append(f"what stands after the marker in {profile.column}")
        role = min(1.0, role + 0.1)
    steps = profile.steps
    if none:
        steps = (*steps, Keep(value=profile.name, not_one_of=none))
        reasons.append(f"rows that say {', '.join(f'“{text}”' for text in none)} are left out: they have no answer")
    hidden = tuple(
        name
        for _, names in siblings([other.name for other in sample.profiles if not other.steps])
        if profile.name in names
        for name in names
    )
    return Draft(
        family="text",
        output=written_number(profile, outputs) if always else printed(profile.name),
        reads=(profile.column,),
        outputs=tuple(texts),
        prior=min(1.0, weight * (0.6 * likeness + 0.4 * role)),
        reasons=tuple(reasons),
        steps=steps,
        hidden=hidden,
    )


def _written_side(texts: Sequence[str], task: Task) -> str:
    """The language of the texts where it is the outputs' and the inputs have another: it says more than the name of the column."""
    source, target = input_language(task), output_language(task)
    if not source or not target or source == target:
        return ""
    together = " ".join(text for text in texts if text)[:1500]
    return target if told_language(together, target) == target and told_language(together, source) != source else ""


_ORDINALS = (
    r"first|erste[nrs]?|premi(?:er|ère)|primer[ao]?|prim[ao]|перв\w+|第一|最初|첫",
    r"second|zweite[nrs]?|deuxième|segund[ao]|second[ao]|втор\w+|第二|二番目|두 번째",
    r"third|dritte[nrs]?|troisième|tercer[ao]?|terz[ao]|треть\w+|第三|三番目|세 번째",
)


_SEVERAL = (
    "(?:two|three|four|five|six|few|zwei|drei|vier|fünf|paar|deux|trois|quatre|cinq|dos|tres|cuatro|cinco|due|tre|quattro|"
    "два|две|три|четыре|пять)(?!\\w)|[二三四五两几]|두|세|네"
)
"""What makes “the first four” of a “first”."""


def _ordinal(name: str, description: str) -> str:
    """The word by which the description means the one of numbered columns that has this number, "" when it means none or several."""
    number = re.search(r"(?<!\d)([123])$", name)
    said = {
        place: found.group("word")
        for place, words in enumerate(_ORDINALS, 1)
        if (found := re.search(rf"(?P<word>{words})(?!\s*(?:\d|{_SEVERAL}))", description, re.IGNORECASE))
    }
    return said.get(int(number.group(1)), "") if number and len(said) == 1 else ""


def form_likeness(found: Form, wanted: Form) -> tuple[float, str]:
    """0 to 1: how much texts look like those the examples show, and the measures in words. 0 is another script or no number."""
    if wanted.numeric >= 0.5 and found.numeric < 0.8:
        return 0.0, "no numbers, though the examples' outputs are"
    if wanted.numeric < 0.5 and found.numeric > 0.5 and wanted.numeric == 0:
        return 0.0, "numbers, though the examples' outputs are not"
    if wanted.script and found.script and wanted.script != found.script and {wanted.script, found.script} != {"CJK", "JAPANESE"}:
        return 0.0, f"written in {found.script}, the examples in {wanted.script}"
    ratio = max(found.chars, 1.0) / max(wanted.chars, 1.0)
    far = max(ratio, 1 / ratio)
    # People write shorter examples than data sets hold: up to three times the length is the same, thirty times is another thing.
    length = 1.0 if far <= 3 else max(0.0, 1.0 - math.log(far / 3) / math.log(20))
    words = (found.words <= 4) == (wanted.words <= 4) or far < 2
    asks = abs(found.asks - wanted.asks)
    marks = 1.0 - 0.5 * asks - 0.5 * abs(found.ends - wanted.ends)
    score = 0.45 * length + 0.15 * words + 0.4 * marks
    score *= 1.0 if (found.lines > 3) == (wanted.lines > 3) else 0.7
    score *= 0.4 if asks > 0.85 else 0.6 if asks > 0.75 else 0.75 if abs(found.questions - wanted.questions) > 0.7 else 1.0
    score *= 0.6 if wanted.sentences >= 3 and found.sentences < 2 else 1.0
    score *= 0.75 if wanted.words > 4 and min(found.sentences, wanted.sentences) < 2 <= max(found.sentences, wanted.sentences) else 1.0
    score *= 0.6 if wanted.words >= 7 and wanted.ends >= 0.75 and found.words <= 3 and found.ends < 0.25 else 1.0
    score *= 0.65 if _apart(found.symbols, wanted.symbols) else 1.0
    score *= 0.5 if abs(found.code - wanted.code) > 0.6 else 1.0
    return (
        score,
        f"{found.chars:.0f} characters (examples {wanted.chars:.0f}), {100 * found.asks:.0f} % ask (examples {100 * wanted.asks:.0f} %)",
    )


def _apart(found: float, wanted: float) -> bool:
    return abs(found - wanted) > 0.05 and max(found, wanted) > 3 * min(found, wanted)


def _joined(sample: Sample, task: Task, wanted: Form, optional: set[str]) -> list[Draft]:
    """Numbered sibling columns that together are the output."""
    drafts = []
    for _, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        profiles = [sample.by_name[name] for name in names]
        if not all(profile.free_text for profile in profiles) or optional & set(names):
            continue
        between = "\n" if wanted.lines > 1 else ("" if profiles[0].script in ("CJK", "JAPANESE") else " ")
        texts = [between.join(filter(None, parts)) for parts in zip(*(sample.texts(name) for name in names), strict=True)]
        likeness, why = form_likeness(form_of(texts), wanted)
        if likeness == 0 or not _several_sentences(task):
            continue
        role, _ = output_role(profiles[0], task)
        drafts.append(
            Draft(
                family="text",
                output=between.join(map(printed, names)),
                reads=tuple(names),
                outputs=tuple(texts),
                prior=0.6 * likeness + 0.4 * max(role, 0.7),
                reasons=(f"{', '.join(names)} together: {why}", "the examples' outputs are several sentences"),
            )
        )
    return drafts


def _several_sentences(task: Task) -> bool:
    counts = [len([part for part in re.split(r"(?<=[.!?。！？।])\s*|\n", example.output.strip()) if part]) for example in task.examples]
    return bool(counts) and statistics.median(counts) >= 2


def _lists(sample: Sample, task: Task) -> list[Draft]:
    """Lists of texts that the examples write joined by one separator, or sentence after sentence."""
    separator = next((mark for mark in ("; ", " | ", "、", "\n", ", ") if any(mark in example.output for example in task.examples)), "")
    wanted = form_of([example.output for example in task.examples])
    drafts = []
    for profile in sample.profiles:
        if not profile.text_list or profile.most < 2 or profile.filled < 0.3:
            continue
        between = " " if _several_sentences(task) and profile.chars > 60 else separator
        if not between:
            continue
        texts = [between.join(map(as_text, value)) if isinstance(value, list) else "" for value in sample.values[profile.name]]
        likeness, why = form_likeness(form_of(texts), wanted)
        if likeness:
            role, _ = output_role(profile, task)
            steps: tuple[AnyStep, ...] = profile.steps
            quoted = between.replace("\n", "\\n")
            drafts.append(
                Draft(
                    family="text",
                    output=f'{{{{ {printed(profile.name)[3:-3]} | join("{quoted}") }}}}',
                    reads=(profile.column,),
                    outputs=tuple(texts),
                    prior=0.5 * likeness + 0.4 * role,
                    reasons=(f"the list {profile.name}, joined: {why}",),
                    steps=steps,
                )
            )
    return drafts
