"""Outputs that join what the examples join: a calculation and its result, a town and its country, a number and its unit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.structure.draft import Draft
from engine.plan.structure.numbers import decimals_apart
from engine.plan.structure.roles import output_role
from engine.plan.structure.shape import form_of
from engine.plan.structure.texts import form_likeness
from engine.plan.template import printed
from engine.records import Task, Value

_SEPARATOR = re.compile(r"\s*[^\w\s.!?'\"(){}\[\]%]+\s*|\n+")
_WITH_UNIT = re.compile(r"^(?P<before>\D{0,20}?)(?P<number>[-+]?\d+(?:[.,]\d+)*)(?P<after>\D{0,20})$")
_FITS = 0.6
_NAMED = 0.6
_OUTPUT = 0.7
_MOST = 2


class _Side(Value):
    profile: ColumnProfile
    fit: float
    role: float


def pair_drafts(sample: Sample, task: Task) -> list[Draft]:
    """Two columns with the separator that every example has exactly once; at least two examples, both columns borne out."""
    outputs = [example.output.strip() for example in task.examples if example.output.strip()]
    if task.output.kind != "text" or len(outputs) < 2:
        return []
    drafts = []
    for separator in _separators(outputs):
        halves = [output.split(separator) for output in outputs]
        left, right = (_sides([half[place].strip() for half in halves], separator, sample, task) for place in (0, 1))
        for one in left:
            drafts += [_draft(one, other, separator, sample) for other in right if other.profile.name != one.profile.name]
    return sorted(drafts, key=lambda draft: -draft.prior)[:_MOST]


def unit_drafts(sample: Sample, task: Task) -> list[Draft]:
    """A number column, by its name the output, with what stands before and after the number in all of at least two examples."""
    found = [_WITH_UNIT.match(example.output.strip()) for example in task.examples]
    shown = [match for match in found if match is not None]
    around = {(match["before"], match["after"]) for match in shown}
    numbers = [match["number"] for match in shown]
    if task.output.kind != "text" or len(shown) < max(2, len(found)) or len(around) != 1 or len(set(numbers)) < 2:
        return []
    before, after = around.pop()
    if not before + after or set(before + after) & set("{}"):
        return []
    drafts = []
    for profile in sample.profiles:
        role, why = output_role(profile, task)
        if profile.steps or not profile.numeric or profile.id_like or profile.constant or profile.filled < 1 or role < _OUTPUT:
            continue
        texts = sample.texts(profile.name)
        if decimals_apart(texts, numbers) == 0 and all(as_number(text) is not None for text in texts):
            drafts.append(
                Draft(
                    family="text",
                    output=before + printed(profile.name) + after,
                    reads=(profile.column,),
                    outputs=tuple(before + text + after for text in texts),
                    prior=0.9 * role,
                    reasons=(f"{profile.name} written “{before}…{after}” as in each example", why),
                )
            )
    return sorted(drafts, key=lambda draft: -draft.prior)[:_MOST]


def _separators(outputs: Sequence[str]) -> Iterator[str]:
    for separator in dict.fromkeys(found.group() for found in _SEPARATOR.finditer(outputs[0])):
        if all(output.count(separator) == 1 and all(half.strip() for half in output.split(separator)) for output in outputs):
            yield separator


def _sides(wanted: Sequence[str], separator: str, sample: Sample, task: Task) -> list[_Side]:
    """Columns with the form of one side: named as an output, or of a form that hardly anything else has (signs and digits)."""
    form = form_of(wanted)
    lettered = any(letter.isalpha() for text in wanted for letter in text)
    found = []
    for profile in sample.profiles:
        if profile.steps or profile.constant or profile.id_like or profile.filled < 1 or profile.kind not in ("text", "integer", "number"):
            continue
        texts = sample.texts(profile.name)
        fit, _ = form_likeness(form_of(texts), form)
        own = (sum(any(letter.isalpha() for letter in text) for text in texts) > 0.5 * len(texts)) == lettered
        if fit < _FITS or not own or sum(separator.strip() in text for text in texts if separator.strip()) > 0.05 * len(texts):
            continue
        role, _ = output_role(profile, task)
        rare = not lettered and any(as_number(text) is None for text in wanted) and role >= 0.5
        if role >= _NAMED or rare:
            found.append(_Side(profile, fit, max(role, 0.8 if rare else 0.0)))
    return sorted(found, key=lambda side: -side.fit - side.role)[:_MOST]


def _draft(one: _Side, other: _Side, separator: str, sample: Sample) -> Draft:
    names = (one.profile.name, other.profile.name)
    texts = tuple(separator.join(parts) for parts in zip(*(sample.texts(name) for name in names), strict=True))
    usual = Counter(texts).most_common(1)[0][1] / len(texts)
    shown = separator.strip() or "a line break"
    return Draft(
        family="text",
        output=separator.join(map(printed, names)),
        reads=tuple(dict.fromkeys((one.profile.column, other.profile.column))),
        outputs=texts,
        prior=(0.3 * (one.fit + other.fit) + 0.2 * (one.role + other.role)) * (1.0 if usual < 0.5 else 0.5),
        reasons=(f"{names[0]} and {names[1]} with “{shown}” between them, as in each example",),
    )
