"""Which columns the input shows, and in the shape the examples have."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.plan.labels.words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.steps import AnyStep, Emit, Keep, Plan
from engine.plan.structure.draft import Draft
from engine.plan.structure.endings import bracketed_end
from engine.plan.structure.headings import SURE, Part, asked_parts, assigned, has_values, same_word
from engine.plan.structure.languages import input_language, language_code, names_language, told_language
from engine.plan.structure.layout import Piece, input_template, piece_of
from engine.plan.structure.options import optional_columns
from engine.plan.structure.parts import apart
from engine.plan.structure.roles import said_side
from engine.plan.structure.shape import Shape, contents_of, drop_headings, form_of
from engine.plan.template import printed
from engine.records import Task

if TYPE_CHECKING:
    from models.embedding import Embedder

_ABOUT = frozenset(
    "title headline heading url link source author date time name file path "
    "filename website publisher domain subject topic id speaker".split()
)
_TELLS = frozenset(
    "explanation rationale reason reasoning solution evidence hint equation formula gold label target answer "
    "answers summary highlights reference output "
    "proof steps chain cot justification translation correction rule keywords".split()
)
_ASKS = frozenset("question query ask asks ask_for asks_for instruction aspect relation event pronoun entity term word".split())


FEWER_PARTS = "the examples' inputs have more parts than these columns can fill"
_IN_ORDER = 0.1
_WORDS = 3
"""So many words of an example's input are a term, not a sentence."""
_LEAST_DIFFERENT = 0.3
"""Of the rows that must have texts of their own."""
_NEAR = 0.2
"""Nearness in meaning from which a column of numbers may stand for a heading that has numbers in all examples."""
LEAKS = " is not shown, for it gives the output away: "


def finish(draft: Draft, sample: Sample, task: Task, shape: Shape, embedder: Embedder | None = None) -> Plan | None:
    """The plan for a draft; None when nothing is left that an input could show. An embedder tells which heading means which column."""
    dropped = _own_headings(sample, shape)
    shape = drop_headings(shape, dropped)
    parts = asked_parts(task, shape, dropped, [profile.name for profile in sample.profiles if not profile.steps], embedder)
    names, reasons = chosen_columns(draft, sample, task, shape, parts)
    pieces = [piece_of(sample.by_name[name], sample) for name in names]
    pieces += [Piece(name=name, expression=printed(name), heading="Dialogue") for name in draft.made]
    if draft.made and len(pieces) == 1:
        shape, parts = Shape(), asked_parts(task, Shape(), ())
    if not pieces and not draft.options:
        return None
    keep, kept_why = language_filter(sample, task, draft)
    reasons += kept_why
    steps = _needed((*keep, *(step for piece in pieces for step in piece.steps), *draft.steps))
    template, told = input_template(pieces, draft, sample, shape, parts)
    if len(shape.slots) == 1 and not shape.slots[0].heading and pieces and not draft.made:
        end = bracketed_end(names, {*draft.reads, *draft.hidden}, draft.outputs, sample, task)
        if end is not None and not leak(sample.texts(end[0]), draft, sample, _extractive(task)):
            template += end[1]
            told = [*told, end[2]]
    headed = [slot for slot in shape.slots if slot.heading and not slot.options]
    if len(pieces) < len(headed) and len(headed) > 1:
        told = [*told, FEWER_PARTS]
    return Plan(
        name=re.sub(r"\s+", "-", task.name.strip()) or "plan",
        steps=steps,
        emit=Emit(input=template, output=draft.output),
        origin="structure",
        reasons=(*draft.reasons, *reasons, *told),
    )


def chosen_columns(draft: Draft, sample: Sample, task: Task, shape: Shape, parts: Sequence[Part]) -> tuple[list[str], list[str]]:
    """Names the input shows beside the options, in column order, with one line for each that was left out for a reason worth telling."""
    hidden = {*draft.reads, *draft.hidden} - {sample.by_name[name].column for name in draft.shown}
    slots = sum(not slot.options for slot in shape.slots)
    if slots == 0 and draft.options:
        return [], []
    top = [profile for profile in sample.profiles if profile.name in draft.shown or (not profile.steps and profile.column not in hidden)]
    top += [
        profile
        for profile in sample.profiles
        if profile.steps and profile.column in draft.reads and not profile.first_item and apart(draft.steps, profile.steps)
    ]
    named, alike = _standing_for(parts, top, sample)
    if draft.made:
        return [profile.name for profile in top if profile.name in named], []
    kept = [profile for profile in top if profile.name in named | alike | set(draft.shown) or _natural(profile, sample) or _asks(profile)]
    if not kept:
        nested = [profile for profile in sample.profiles if profile.steps and profile.column not in hidden and not profile.first_item]
        kept = [profile for profile in nested if _natural(profile, sample)][: max(1, slots)]
    if len(kept) < slots and draft.family != "spans":
        spare = [profile for profile in top if profile not in kept and _fits_slot(profile, task)]
        kept += sorted(spare, key=lambda profile: -_mentioned(profile, task))[: slots - len(kept)]
    kept = sorted(kept, key=lambda profile: sample.profiles.index(profile))
    sure = named | set(draft.shown)
    reasons: list[str] = []
    if not draft.options and not any(slot.options for slot in shape.slots):
        optional = optional_columns(sample) - sure
        kept = [profile for profile in kept if profile.name not in optional] if {profile.name for profile in kept} - optional else kept
    if len(kept) > 1 and slots == 1 and draft.family == "text":
        kept = _only_one(kept, sure, task)
    if len(kept) > max(1, slots):
        kept = _without_notes(kept, sure | alike, task, reasons)
    kept = _without_leaks(kept, alike, draft, sample, task, reasons)
    kept = _one_language(kept, sure, sample, task, reasons)
    if draft.family == "text" and kept and not draft.options and not any(_natural(profile, sample) for profile in kept):
        kept = [] if all(profile.label_set and not _shown_values(profile, task) for profile in kept) else kept
    return [profile.name for profile in kept], reasons


def _shown_values(profile: ColumnProfile, task: Task) -> bool:
    """An example's input is one of the column's values, or the description speaks of several."""
    values = {folded(value) for value in profile.counts}
    return any(folded(text) in values for text in contents_of(task)) or _mentioned(profile, task) >= 2


def _standing_for(parts: Sequence[Part], profiles: Sequence[ColumnProfile], sample: Sample) -> tuple[set[str], set[str]]:
    """The columns that the examples' pieces stand for: those a heading names, and those only the form of several pieces tells."""
    headed = [part for part in parts if part.heading]
    if not headed:
        return set(), set()
    able = [
        profile
        for profile in profiles
        if any(same_word(profile.name, part.heading) for part in headed)
        or (len(parts) > 1 and not _tells(profile) and (_natural(profile, sample) or any(has_values(profile, part) for part in headed)))
        or (len(parts) > 1 and not _tells(profile) and _worded(profile))
        or (len(parts) > 1 and profile.numeric and any(_numbers(part) and part.near.get(profile.name, 0.0) >= _NEAR for part in headed))
    ]
    named, alike = set(), set()
    for place, (column, sure) in assigned([profile.name for profile in able], parts, sample, _IN_ORDER).items():
        if same_word(able[column].name, parts[place].heading):
            named.add(able[column].name)
        elif sure >= SURE:
            alike.add(able[column].name)
    return named, alike


def _worded(profile: ColumnProfile) -> bool:
    """Texts of several words, also such as recur in many rows."""
    coded = profile.id_like or profile.constant or profile.coded or profile.numeric
    return profile.kind == "text" and not coded and profile.words >= 3 and profile.letters >= 0.5 and profile.filled >= 0.5


def _numbers(part: Part) -> bool:
    """Every example has a number there."""
    return bool(part.texts) and all(as_number(text) is not None for text in part.texts)


def _natural(profile: ColumnProfile, sample: Sample) -> bool:
    if profile.id_like or profile.constant or profile.filled < 0.3:
        return False
    if profile.free_text:
        return not _tagging(profile)
    if profile.kind == "list" and profile.item_kind == "dict":
        return profile.most > 1 and _spoken(profile, sample)
    return profile.text_list and profile.words >= 6 and profile.letters >= 0.4


def _spoken(profile: ColumnProfile, sample: Sample) -> bool:
    """The list's dictionaries hold sentences, as turns of a dialogue do, rather than fields."""
    items = [item for value in sample.values[profile.name] if isinstance(value, list) for item in value if isinstance(item, dict)][:400]
    return any(
        statistics.median([len(str(item.get(key) or "").split()) for item in items] or [0]) >= 4
        or statistics.median([len(item[key]) if isinstance(item.get(key), str) and not item[key].isascii() else 0 for item in items] or [0])
        >= 8
        for key in profile.keys
    )


def _tagging(profile: ColumnProfile) -> bool:
    """A sequence of part-of-speech or other tags: words in capitals only."""
    texts = list(profile.counts)[:20]
    words = [word for text in texts for word in text.split()]
    return (
        len(words) > 20 and profile.words >= 4 and sum(word.upper() == word and word.lower() != word for word in words) > 0.6 * len(words)
    )


def _asks(profile: ColumnProfile) -> bool:
    """A column of few values that says what is asked (cause or effect, an aspect, a pronoun)."""
    if not profile.label_set or profile.kind not in ("text", "class") or profile.constant or profile.letters < 0.5 or profile.numeric:
        return False
    words = folded(profile.name).split()
    return bool(words) and (words[-1] in _ASKS or " ".join(words) in ("asks for", "ask for"))


def _mentioned(profile: ColumnProfile, task: Task) -> int:
    """How many of the column's values the description speaks of, by word or meaning."""
    said = folded(task.description)
    if not profile.label_set or profile.distinct > 12:
        return 0
    return sum(
        any(_in(said, word) for word in {folded(value), *(word for meaning in meanings(value) for word in words_for(meaning))})
        for value in profile.counts
    )


def _in(text: str, word: str) -> bool:
    if not word:
        return False
    return word in text if not word.isascii() and len(word) > 1 else re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _fits_slot(profile: ColumnProfile, task: Task) -> bool:
    return (
        profile.kind in ("text", "class")
        and not (profile.id_like or profile.constant)
        and profile.letters > 0.3
        and profile.filled > 0.5
        and _mentioned(profile, task) > 0
    )


def _only_one(kept: list[ColumnProfile], sure: set[str], task: Task) -> list[ColumnProfile]:
    """Of several texts the one the description names as the input, or the only one of the examples' length where all are far longer."""
    named = [profile for profile in kept if said_side(folded(profile.name).split(), task.description)[0] == "input"]
    if len(named) == 1 and not sure - {named[0].name}:
        return named
    contents = contents_of(task)
    wanted = statistics.median([len(text) for text in contents] or [0])
    words = max((len(text.split()) for text in contents), default=0)
    ends = form_of(contents).ends
    near = [
        profile
        for profile in kept
        if wanted / 3 <= profile.chars <= 3 * wanted and abs(form_of([str(text) for text in profile.counts]).ends - ends) < 0.5
    ]
    if wanted and len(near) == 1 and not sure:
        # Words alone are asked for where the examples are a word or two and the other column has sentences.
        few = words <= _WORDS
        longer = [profile.chars > 10 * wanted or (few and profile.words >= 2 * words and profile.chars >= 2.5 * wanted) for profile in kept]
        if all(far or profile in near for far, profile in zip(longer, kept, strict=True)):
            return near
    return kept


def _without_notes(kept: list[ColumnProfile], sure: set[str], task: Task, reasons: list[str]) -> list[ColumnProfile]:
    """Without titles, addresses and names beside a longer text, and without columns that by name explain the answer."""
    said = folded(task.description).split()
    longest = max((profile.chars for profile in kept), default=0.0)
    result = []
    for profile in kept:
        words = [re.sub(r"\d+$", "", word) for word in folded(profile.name).split()]
        spoken = any(word[:5] == other[:5] for word in words for other in said if len(word) > 3)
        about = bool(set(words) & _ABOUT) and profile.chars * 3 <= longest
        tells = _tells(profile) and len(kept) > 1
        if profile.name not in sure and ((about and not spoken) or tells):
            reasons.append(f"{profile.name} is not shown: {'it may explain the answer' if tells else 'it only tells about the text'}")
            continue
        result.append(profile)
    return result or kept


def _tells(profile: ColumnProfile) -> bool:
    """By name the column explains or repeats an answer."""
    return bool({re.sub(r"\d+$", "", word) for word in folded(profile.name).split()} & _TELLS)


def _without_leaks(
    kept: list[ColumnProfile], alike: set[str], draft: Draft, sample: Sample, task: Task, reasons: list[str]
) -> list[ColumnProfile]:
    result = []
    extractive = _extractive(task)
    for profile in kept:
        # A text that recurs with mostly one label, as a question with several answers may, is still a part the examples show.
        labelled = draft.family in ("label", "named") and profile.name in alike
        recurs = labelled and _worded(profile) and profile.distinct >= _LEAST_DIFFERENT * sample.rows
        why = leak(sample.texts(profile.name), draft, sample, extractive, recurs)
        if why and profile.name not in draft.shown:
            reasons.append(f"{profile.name}{LEAKS}{why}")
            continue
        result.append(profile)
    return result


def leak(shown: Sequence[str], draft: Draft, sample: Sample, extractive: bool, recurs: bool = False) -> str:
    """How a shown text gives the output away, "" when it does not; measured against outputs of other rows.

    `recurs`: that the same text has the same output in several rows is nothing to mind.
    """
    pairs = [(text, output) for text, output in zip(shown, draft.outputs, strict=True) if text and output]
    if len(pairs) < 8:
        return ""
    texts, outputs = [text for text, _ in pairs], [output for _, output in pairs]
    if sum(text.strip() == output.strip() for text, output in pairs) > 0.5 * len(pairs):
        return "it is the output"
    if draft.family == "spans":
        return ""
    if len(set(outputs)) <= 0.5 * len(outputs):
        gain = prediction_gain(texts, outputs)
        if gain > 0.5 and draft.family != "options" and not recurs:
            return f"it tells the output in {100 * gain:.0f} % more rows than chance"
        if draft.family in ("label", "named"):
            return ""
    turned = outputs[1:] + outputs[:1]
    own = sum(_holds(text, output) for text, output in pairs) / len(pairs)
    chance = sum(_holds(text, output) for text, output in zip(texts, turned, strict=True)) / len(pairs)
    if draft.family == "options" and not extractive:
        return f"it holds the right option in {100 * own:.0f} % of rows" if own - chance > 0.9 else ""
    if draft.family == "text" and not extractive and own - chance > 0.5 and statistics.median(map(len, outputs)) < 40:
        return f"it holds the output in {100 * own:.0f} % of rows, which the examples' inputs do not"
    return ""


def prediction_gain(keys: Sequence[str], outputs: Sequence[str]) -> float:
    """How much better the output is guessed knowing the key than not, 0 to 1: learnt on the even rows, tried on the odd ones."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for key, output in zip(keys[::2], outputs[::2], strict=True):
        seen[key][output] += 1
    usual = Counter(outputs[::2]).most_common(1)[0][0]
    tried = list(zip(keys[1::2], outputs[1::2], strict=True))
    if not tried:
        return 0.0
    base = sum(output == usual for _, output in tried) / len(tried)
    told = sum((seen[key].most_common(1)[0][0] if key in seen else usual) == output for key, output in tried) / len(tried)
    return max(0.0, (told - base) / (1 - base)) if base < 1 else 0.0


def _holds(text: str, output: str) -> bool:
    if output not in text or not output.isascii():
        return output in text
    return re.search(rf"(?<!\w){re.escape(output)}(?!\w)", text) is not None


def _extractive(task: Task) -> bool:
    held = [example.output.strip() in example.input for example in task.examples if example.output.strip()]
    return bool(held) and sum(held) * 2 >= len(held)


def _one_language(kept: list[ColumnProfile], sure: set[str], sample: Sample, task: Task, reasons: list[str]) -> list[ColumnProfile]:
    """Of parallel texts in several languages, those in the language of the examples' inputs."""
    texts = [profile for profile in kept if profile.kind == "text" and profile.chars >= 20]
    wanted = input_language(task)
    if len(texts) < 2 or not wanted:
        return kept
    spoken = {profile.name: told_language(" ".join(list(profile.counts)[:6]), wanted) for profile in texts}
    if wanted not in spoken.values():
        return kept
    others = {name for name, language in spoken.items() if language not in ("", wanted) and name not in sure}
    reasons += [f"{name} is not shown: its language is {spoken[name]}, the examples' is {wanted}" for name in sorted(others)]
    return [profile for profile in kept if profile.name not in others]


def language_filter(sample: Sample, task: Task, draft: Draft) -> tuple[tuple[AnyStep, ...], list[str]]:
    """Where a column says each row's language: only rows in the languages the description names, else in the task's."""
    for profile in sample.profiles:
        if (
            profile.steps
            or not profile.label_set
            or profile.kind not in ("text", "class")
            or profile.constant
            or profile.column in draft.reads
        ):
            continue
        codes = {value: code for value in profile.counts if (code := language_code(value))}
        if len(codes) < 0.7 * profile.distinct or len(set(codes.values())) < 2:
            continue
        named = {code for code in codes.values() if names_language(task.description, code)}
        wanted = named or {task.language.replace("_", "-").split("-")[0].lower()}
        values = tuple(sorted(value for value, code in codes.items() if code in wanted))
        if values and len(values) < profile.distinct:
            return (Keep(value=profile.name, one_of=values, note="rows in the task's language"),), [
                f"only rows whose {profile.name} is {', '.join(values)}"
            ]
    return (), []


def _own_headings(sample: Sample, shape: Shape) -> list[str]:
    """Headings of the examples that the data's texts hold themselves."""
    found = []
    for slot in shape.slots:
        if slot.heading and not slot.options:
            mark = re.compile(rf"(?<!\w){re.escape(slot.heading)}\s?{re.escape(slot.colon.strip())}")
            for profile in sample.profiles:
                texts = list(profile.counts)
                if profile.free_text and texts and sum(bool(mark.search(text)) for text in texts) > 0.1 * len(texts):
                    found.append(slot.heading)
                    break
    return found


def _needed(steps: Sequence[AnyStep]) -> tuple[AnyStep, ...]:
    """The steps in order, each once."""
    found: list[AnyStep] = []
    for step in steps:
        if step not in found:
            found.append(step)
    return tuple(found)
