"""Plans whose output is text of the row: an answer, a number, the end after a marker, or the other side of a pair."""

from __future__ import annotations

import re
import statistics

from engine.plan.label_words import folded
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep
from engine.plan.structure.draft import Draft
from engine.plan.structure.options import siblings
from engine.plan.structure.shape import Form, form_of
from engine.plan.template import printed
from engine.records import Task

_OUT = frozenset(
    "target targets output outputs answer answers label summary ref reference references response reply completion solution correct corrected translation "
    "simple simplified formal result highlights tldr abstractive gold conclusion headline title caption keywords after fixed paraphrase chosen "
    "antwort zusammenfassung réponse résumé respuesta resumen ответ final query sql code human reply".split()
)
_IN = frozenset(
    "source input inputs question context document article text prompt passage sentence mr meaning noisy mistake error incorrect complex informal "
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
        return profile.numeric and not profile.id_like
    if profile.numeric or profile.id_like:
        return False
    return not profile.label_set and not profile.coded and (profile.letters >= 0.3 or wanted.script == "")


def _single(profile: ColumnProfile, sample: Sample, task: Task, wanted: Form) -> Draft | None:
    texts = sample.texts(profile.name)
    likeness, why = form_likeness(form_of(texts), wanted)
    if likeness == 0:
        return None
    role, said = _role(profile, task)
    reasons = [f"{profile.name} as the output: {why}"]
    if said:
        reasons.append(said)
    if profile.first_item:
        reasons.append(f"the first of the list {profile.column}")
    if any(step.into == profile.name for step in profile.steps if hasattr(step, "pattern")):
        reasons.append(f"what stands after the marker in {profile.column}")
        role = min(1.0, role + 0.1)
    hidden = tuple(
        name
        for _, names in siblings([other.name for other in sample.profiles if not other.steps])
        if profile.name in names
        for name in names
    )
    return Draft(family="text", output=printed(profile.name), reads=(profile.column,), outputs=tuple(texts), prior=0.6 * likeness + 0.4 * role,
                 reasons=tuple(reasons), steps=profile.steps, hidden=hidden)  # fmt: skip


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
    length = 1.0 if far <= 2.5 else max(0.0, 1.0 - (far - 2.5) / 9)
    words = (found.words <= 4) == (wanted.words <= 4) or far < 2
    marks = 1.0 - 0.5 * abs(found.asks - wanted.asks) - 0.5 * abs(found.ends - wanted.ends)
    lines = 1.0 if (found.lines > 3) == (wanted.lines > 3) else 0.6
    sentences = 0.75 if min(found.sentences, wanted.sentences) < 2 <= max(found.sentences, wanted.sentences) else 1.0
    score = (0.5 * length + 0.15 * words + 0.35 * marks) * lines * (sentences if wanted.words > 4 else 1.0)
    return (
        score,
        f"{found.chars:.0f} characters (examples {wanted.chars:.0f}), {100 * found.asks:.0f} % ask (examples {100 * wanted.asks:.0f} %)",
    )


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
        drafts.append(Draft(family="text", output=between.join(map(printed, names)), reads=tuple(names), outputs=tuple(texts),
                            prior=0.6 * likeness + 0.4 * max(role, 0.7), reasons=(f"{', '.join(names)} together: {why}",
                            "the examples' outputs are several sentences")))  # fmt: skip
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
            drafts.append(Draft(family="text", output=f'{{{{ {printed(profile.name)[3:-3]} | join("{quoted}") }}}}', reads=(profile.column,), outputs=tuple(texts),
                                prior=0.5 * likeness + 0.4 * role, reasons=(f"the list {profile.name}, joined: {why}",), steps=steps))  # fmt: skip
    return drafts
