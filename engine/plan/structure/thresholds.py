"""Plans whose label says on which side of a number a column's value lies."""

from __future__ import annotations

import re

from engine.plan.label_map import affirming
from engine.plan.label_words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.steps import Bin
from engine.plan.structure.draft import Draft
from engine.plan.structure.label_columns import LABEL_NAME
from engine.plan.template import printed
from engine.records import Task


def threshold_drafts(profile: ColumnProfile, sample: Sample, task: Task) -> list[Draft]:
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
    prior = 0.92 if mentioned else 0.5 if LABEL_NAME.search(profile.name) else 0.25
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
