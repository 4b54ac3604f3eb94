"""Plans whose output is text of the row: an answer, a number, the end after a marker, or the other side of a pair."""

from __future__ import annotations

import math
import re
import statistics

from engine.plan.label_words import folded
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Match
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import siblings
from engine.plan.structure.shape import Form, form_of
from engine.plan.template import printed
from engine.records import Task

_OUT = frozenset(
    "target targets output outputs answer answers label summary ref reference references response reply completion "
    "solution correct corrected translation "
    "simplified formal result highlights tldr abstractive gold conclusion headline title caption keywords after fixed paraphrase chosen "
    "antwort zusammenfassung réponse résumé respuesta resumen ответ final query sql code human reply".split()
)
_IN = frozenset(
    "source input inputs question context document article text prompt passage sentence mr meaning noisy mistake error incorrect informal "
    "dialogue conversation body premise mistakes wrong draft instruction table triples frage kontext contexte pregunta вопрос".split()
)
_LONGEST = 12


def text_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A draft for every value that could be the output of a free text task; what its form says is left to the trial."""
    outputs = [example.output for example in task.examples if example.output.strip()]
    if task.output.kind != "text" or not outputs:
        return []
    wanted = form_of(outputs)
    drafts = [_single(profile, sample, task, wanted) for profile in sample.profiles if _may_be_output(profile, wanted)]
    drafts += _joined(sample, task, wanted)
    drafts += _lists(sample, task)
    found = sorted((draft for draft in drafts if draft is not None), key=lambda draft: -draft.prior)
    return found[:_LONGEST]


def _may_be_output(profile: ColumnProfile, wanted: Form) -> bool:
    if profile.constant or profile.filled < 0.3 or profile.kind not in ("text", "integer", "number"):
        return False
    if wanted.numeric >= 0.5:
        said = any(word in _OUT for word in folded(profile.name).split()) or any(isinstance(step, Match) for step in profile.steps)
        return profile.numeric and (said or not profile.id_like)
    if profile.numeric or profile.id_like:
        return False
    return (not profile.label_set or profile.distinct >= 25) and not profile.coded and (profile.letters >= 0.3 or wanted.script == "")


def _single(profile: ColumnProfile, sample: Sample, task: Task, wanted: Form) -> Draft | None:
    texts = sample.texts(profile.name)
    likeness, why = form_likeness(form_of(texts), wanted)
    if likeness == 0 or not texts:
        return None
    role, said = _role(profile, task)
    found = form_of(texts)
    if wanted.asks >= 0.5 and found.asks >= 0.5:
        role = max(role, 0.8)
    # Any number has the form of a number: only its name can say that it answers.
    few = profile.distinct < 6 or set(folded(profile.name).split()) & {"label", "gold"}
    weight = 0.25 if found.numeric > 0.8 and (role < 0.7 or few) else 1.0
    reasons = [f"{profile.name} as the output: {why}"]
    if said:
        reasons.append(said)
    if profile.first_item:
        reasons.append(f"the first of the list {profile.column}")
    if any(step.into == profile.name for step in profile.steps if isinstance(step, Match)):
        reasons.append(f"what stands after the marker in {profile.column}")
        role = min(1.0, role + 0.1)
    hidden = tuple(
        name
        for _, names in siblings([other.name for other in sample.profiles if not other.steps])
        if profile.name in names
        for name in names
    )
    return Draft(
        family="text",
        output=printed(profile.name),
        reads=(profile.column,),
        outputs=tuple(texts),
        prior=weight * (0.6 * likeness + 0.4 * role),
        reasons=tuple(reasons),
        steps=profile.steps,
        hidden=hidden,
    )


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
    score *= 0.6 if asks > 0.75 else 1.0
    score *= 0.75 if wanted.words > 4 and min(found.sentences, wanted.sentences) < 2 <= max(found.sentences, wanted.sentences) else 1.0
    score *= 0.65 if _apart(found.symbols, wanted.symbols) else 1.0
    score *= 0.5 if abs(found.code - wanted.code) > 0.6 else 1.0
    return (
        score,
        f"{found.chars:.0f} characters (examples {wanted.chars:.0f}), {100 * found.asks:.0f} % ask (examples {100 * wanted.asks:.0f} %)",
    )


def _apart(found: float, wanted: float) -> bool:
    return abs(found - wanted) > 0.05 and max(found, wanted) > 3 * min(found, wanted)


def _role(profile: ColumnProfile, task: Task) -> tuple[float, str]:
    words = [re.sub(r"\d+$", "", word) for word in folded(profile.name).split()]
    said = folded(task.description).split()
    own = [word for word in words if len(word) > 3 and any(word[:5] == other[:5] for other in said)]
    if any(word in _OUT for word in words):
        return 1.0, f"its name “{profile.name}” says output"
    if any(word in _IN for word in words):
        return 0.15, ""
    if own:
        return 0.6, f"the description says “{own[0]}”"
    return 0.5, ""


def _joined(sample: Sample, task: Task, wanted: Form) -> list[Draft]:
    """Numbered sibling columns that together are the output."""
    drafts = []
    for _, names in siblings([profile.name for profile in sample.profiles if not profile.steps]):
        profiles = [sample.by_name[name] for name in names]
        if not all(profile.free_text for profile in profiles):
            continue
        between = "\n" if wanted.lines > 1 else ("" if profiles[0].script in ("CJK", "JAPANESE") else " ")
        texts = [between.join(filter(None, parts)) for parts in zip(*(sample.texts(name) for name in names), strict=True)]
        likeness, why = form_likeness(form_of(texts), wanted)
        if likeness == 0 or not _several_sentences(task):
            continue
        role, _ = _role(profiles[0], task)
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
            role, _ = _role(profile, task)
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
