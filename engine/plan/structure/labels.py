"""Plans whose output is a label: mapped from a column's few values, cut from a number, or named by a column in the examples' form."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from engine.plan.label_map import LabelMap, affirming, class_names_in, condition_words, leave_out, map_values
from engine.plan.label_words import folded, meanings, words_for
from engine.plan.profile import ColumnProfile, Sample, as_number, as_text
from engine.plan.steps import AnyStep, Bin, Keep, Map, Match, Template
from engine.plan.structure.draft import Draft
from engine.plan.structure.option_sets import siblings
from engine.plan.structure.options import choosers
from engine.plan.template import printed
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

_LABEL_NAME = re.compile(
    r"label|class|categor|target|gold|tag|sentiment|polarity|emotion|topic|intent|domain|rating|stars|score|type|genre|judg", re.IGNORECASE
)
_ONE_VOICE = re.compile(r"annotator|author|worker|rater|label_?[2-9]$|(?<!\w)old|noisy|pred|silver", re.IGNORECASE)


_COUNTER = re.compile(r"(^|[_\-. ])(id|idx|index|no|nr|num|number|count|season|episode|page|year)$", re.IGNORECASE)


class Unmapped(Value):
    """A column that might have held the labels, and why it does not."""

    column: str
    values: tuple[str, ...]
    said: tuple[str, ...]
    """Labels that some value maps to."""


def label_drafts(sample: Sample, task: Task, embedder: Embedder | None = None) -> tuple[list[Draft], list[Unmapped]]:
    """A draft for every column whose values say the task's labels, and the columns that come near but do not."""
    drafts, failed = [], []
    if task.output.kind != "label" or not task.output.labels:
        return [], []
    for profile in sample.profiles:
        if profile.label_set or profile.kind in ("boolean", "class"):
            names = profile.class_names or class_names_in(profile.description, list(profile.counts)) or voted_names(profile, sample)
            found = map_values(profile, task, names=names, embedder=embedder)
            if found.table:
                drafts.append(_mapped(profile, found, sample, task))
            elif profile.kind in ("text", "class") and not profile.constant:
                failed.append(Unmapped(profile.name, tuple(profile.counts)[:8], ()))
        drafts += _cut(profile, sample, task)
        drafts += _held(profile, sample, task)
    return drafts, failed


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
        values = {value: _class_name(value, profile) for value in profile.counts}
        for steps, write, how in _SPELLINGS:
            written = {value: write(shown) for value, shown in values.items()}
            held = [output for output in outputs if output in written.values()]
            if len(held) * 2 > len(outputs) or (len(held) == len(outputs)):
                drafts.append(_named(profile, written, steps, how, held, sample, task))
                break
        else:
            failed.append(Unmapped(profile.name, tuple(values.values())[:8], ()))
    return drafts, failed


def voted_names(profile: ColumnProfile, sample: Sample) -> tuple[str, ...]:
    """Class names of an integer that is the place of the largest of as many number columns standing side by side (votes)."""
    if profile.low != 0 or profile.high is None or profile.whole < 1 or not 2 <= profile.high + 1 <= 12:
        return ()
    size = int(profile.high) + 1
    plain = [other for other in sample.profiles if not other.steps]
    for start in range(len(plain) - size + 1):
        run = plain[start : start + size]
        if any(other.low is None or other.low < 0 or other.name == profile.name for other in run):
            continue
        agree = told = 0
        for row in range(sample.rows):
            votes = [as_number(sample.values[other.name][row]) or 0.0 for other in run]
            place = as_number(sample.values[profile.name][row])
            if place is None or votes.count(max(votes)) > 1:
                continue
            told += 1
            agree += votes.index(max(votes)) == int(place)
        if told >= 8 and agree >= 0.97 * told:
            return tuple(folded(other.name) for other in run)
    return ()


def _mapped(profile: ColumnProfile, found: LabelMap, sample: Sample, task: Task) -> Draft:
    texts = [as_text(value) for value in sample.values[profile.name]]
    word = sample.unused("label_word")
    identity = all(value == label for value, label in found.table.items())
    steps: tuple[AnyStep, ...]
    if identity:
        keep = Keep(value=profile.name, one_of=tuple(task.output.labels), note="other values are no label of the task")
        steps, output = (*profile.steps, *((keep,) if found.left_out else ())), printed(profile.name)
    else:
        steps, output = (*profile.steps, Map(value=profile.name, into=word, table=found.table)), printed(word)
    reasons = [f"{profile.name} holds the labels", *found.reasons]
    if found.left_out:
        reasons.append(f"left out, for no label fits: {', '.join(found.left_out[:12])}")
    return Draft(
        family="label",
        output=output,
        reads=(profile.column,),
        outputs=tuple(found.table.get(text, "") for text in texts),
        prior=found.score * _weight(profile, task) * (_about(profile, sample, task) if found.truth else 1.0),
        reasons=tuple(reasons),
        steps=steps,
        hidden=_same_question(profile, sample),
    )


def _weight(profile: ColumnProfile, task: Task) -> float:
    """How much a column's name speaks for it: label-like, mentioned in the description, one annotator's voice."""
    weight = 1.0 if _LABEL_NAME.search(profile.name) else 0.95
    words = [word for word in folded(profile.name).split() if len(word) > 3]
    said = folded(task.description)
    if any(word in said or word[:6] in said for word in words):
        weight += 0.05
    if _ONE_VOICE.search(profile.name):
        weight -= 0.12
    if (_COUNTER.search(profile.name) and not _LABEL_NAME.search(profile.name)) or (
        all(as_number(label) is not None for label in task.output.labels) and weight < 1.0
    ):
        weight *= 0.3
    return min(1.0, weight) - (0.03 if profile.single_item else 0.0) - (0.2 if profile.first_item else 0.0)


def _about(profile: ColumnProfile, sample: Sample, task: Task) -> float:
    """How likely it is that a column of truth values is about what the task asks: by its name, else by being the only one."""
    words = [word for word in folded(profile.name).split() if len(word) > 2]
    said = folded(task.description)
    known = {word for name in words for meaning in meanings(name) for word in words_for(meaning)}
    if any(f" {word[:6]}" in f" {said}" for word in words if len(word) > 3) or any(
        word in said for word in known if len(word) > 3 or not word.isascii()
    ):
        return 1.0
    own = next((set(names) for _, names in siblings([other.name for other in sample.profiles]) if profile.name in names), {profile.name})
    rivals = [
        other
        for other in sample.profiles
        if other.name not in own and other.distinct == 2 and set(map(str.casefold, other.counts)) <= _TRUE_FALSE
    ]
    if profile.column in choosers(sample) and len(own) == 1:
        return 0.3
    if set(words) & _GENERIC:
        return 0.95
    if not rivals:
        return 0.8
    return 0.75 if task.language[:2] != "en" else 0.35


_GENERIC = frozenset("label labels target class gold answer output category binary truth".split())
_TRUE_FALSE = frozenset(("true", "false", "0", "1", "yes", "no"))


def _same_question(profile: ColumnProfile, sample: Sample) -> tuple[str, ...]:
    """Columns that hold the same values row by row (other annotators, the label as a number): never shown."""
    own = sample.texts(profile.name)
    return tuple(
        other.name
        for other in sample.profiles
        if other.name != profile.name
        and not other.steps
        and other.label_set
        and sum(a == b for a, b in zip(own, sample.texts(other.name), strict=True)) > 0.5 * len(own)
    )


def _cut(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
    """A number cut at the threshold the description names, for two labels."""
    pair = affirming(task.output.labels)
    if pair is None or not profile.numeric or profile.kind == "class" or profile.distinct < 3 or profile.id_like:
        return []
    found = _threshold(task.description, profile)
    if found is None:
        return []
    threshold, above, words = found
    labels = (pair[1], pair[0]) if above else pair
    numbers = [as_number(value) for value in sample.values[profile.name]]
    outputs = tuple("" if number is None else labels[number >= threshold] for number in numbers)
    word = sample.unused("label_word")
    step = Bin(value=profile.name, into=word, thresholds=(threshold,), labels=labels)
    mentioned = any(word in folded(task.description) for word in folded(profile.name).split() if len(word) > 3)
    reason = f"{profile.name} lies between {profile.low:g} and {profile.high:g}; the description says “{words.strip()}”"
    prior = 0.92 if mentioned else 0.5 if _LABEL_NAME.search(profile.name) else 0.25
    return [
        Draft(
            family="label",
            output=printed(word),
            reads=(profile.column,),
            outputs=outputs,
            prior=prior,
            reasons=(reason,),
            steps=(*profile.steps, step),
        )
    ]


_NUMBER = r"(\d+(?:[.,]\d+)?)"
_AT_LEAST = (
    r"at least|or more|or above|or higher|or better|minimum|from|≥|>=|mindestens|oder mehr|oder höher|ab|au moins|"
    r"ou plus|al menos|o más|не менее|не ниже|от|и более|и выше|以上|至少|이상|कम से कम|या अधिक|angalau"
)
_MORE = (
    r"more than|above|over|greater than|higher than|exceeds?|>|mehr als|über|größer als|plus de|supérieur à|más de|"
    r"mayor que|более|больше|выше|超过|大于|高于|초과|से अधिक|zaidi ya"
)
_AT_MOST = (
    r"at most|or less|or below|or lower|≤|<=|höchstens|oder weniger|au plus|ou moins|como máximo|o menos|не более|и менее|以下|至多|이하"
)
_LESS = (
    r"less than|below|under|lower than|fewer than|<|weniger als|unter|moins de|inférieur à|menos de|menor que|менее|"
    r"меньше|ниже|小于|低于|少于|미만"
)


def _threshold(description: str, profile: ColumnProfile) -> tuple[float, bool, str] | None:
    """(threshold, whether the first label lies above, the words) as a Bin takes it, when the number lies within the column's range."""
    assert profile.low is not None and profile.high is not None
    known = sorted(number for value in profile.counts if (number := as_number(value)) is not None)
    kinds = ((_AT_LEAST, True, True), (_AT_MOST, False, False), (_MORE, True, False), (_LESS, False, True))
    for words, above, inclusive in kinds:
        for match in re.finditer(
            rf"(?:(?<!\w)(?:{words})\s*(?:a |an |of |rating |score )*{_NUMBER}|{_NUMBER}\s*\w{{0,8}}\s*(?:{words})(?!\w))",
            description,
            re.IGNORECASE,
        ):
            text = match.group(1) or match.group(2)
            number = float(text.replace(",", "."))
            if not profile.low < number <= profile.high or (profile.whole == 1 and not number.is_integer()):
                continue
            if not inclusive:
                number = next((value for value in known if value > number), number)
            return number, above, match.group(0)
    return None


def _held(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
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


# ── labels named by the examples alone ────────────────────────────────────────────────────────────────────


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
        from engine.plan.steps import Names

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
        prior=min(1.0, 0.9 * _weight(profile, task)),
        reasons=tuple(reasons),
        steps=steps,
        hidden=_same_question(profile, sample),
    )


def _class_name(value: str, profile: ColumnProfile) -> str:
    place = int(value) if value.isdigit() else -1
    return profile.class_names[place] if 0 <= place < len(profile.class_names) else value
