"""Parts of texts as values of their own: what stands under headings that recur in a column's rows, and fields such as name[…]."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from engine.plan.patterns import compile_pattern
from engine.plan.profile import ColumnProfile, Sample, as_text
from engine.plan.steps import AnyStep, Get, Match
from engine.plan.structure.derived import derived_profile, extended, taken_name

_HEADING = re.compile(r"(?:^|(?<=[\s。．.!?？！;；,|*]))(?P<name>[^\W\d_][\w'’\-]*(?: [\w'’\-]+){0,2})\s?[:：](?!//|\d)")
_FIELD = re.compile(r"(?:^|(?<=[\s,;|]))(?P<name>[A-Za-z][\w ]{0,24}?)\s?\[(?P<value>[^\[\]\n]+)\]")
_BOLD = r"(?:\*\*)?"
_GLUE = ",;|/#*，；、"
"""Marks between parts; a full stop belongs to the part before it."""
_GLUED = 0.8
_QUESTION_AND_ANSWER = ("Q", "A")
"""The only headings of one letter; others are options or speakers."""
_MOST_READ = 120
_MOST_PARTS = 8
_MOST_FIELDS = 12
_LEAST_SHARE = 0.5
"""Of the texts have to hold the headings; the others give no part."""


_COUNT = r"\d+(?:[.,]\d+)?"
_MOST_UNITS = 3
"""Different words around the number: star and stars."""
_LONGEST_UNIT = 24


def with_parts(sample: Sample) -> Sample:
    """The sample with the parts of its texts after the columns they are parts of."""
    added: list[tuple[ColumnProfile, list[Any]]] = []
    taken = set(sample.by_name)
    for profile in sample.profiles:
        if profile.kind == "text" and not profile.id_like and not profile.label_set and profile.chars >= 12 and profile.letters >= 0.3:
            found = _under_headings(profile, sample, taken) or _fields(profile, sample, taken)
            added += found
        elif profile.kind == "text" and profile.label_set and not profile.numeric:
            added += _counted(profile, sample, taken)
    return extended(sample, added)


def apart(read: Sequence[AnyStep], shown: Sequence[AnyStep]) -> bool:
    """Whether a nested value is another piece than the one an output is read from: another key, or another group of one pattern."""
    for one, other in zip(read, shown, strict=False):
        if one == other:
            continue
        if isinstance(one, Get) and isinstance(other, Get):
            return not (f"{other.path}.".startswith(f"{one.path}.") or f"{one.path}.".startswith(f"{other.path}."))
        if isinstance(one, Match) and isinstance(other, Match):
            return (one.value, one.pattern, one.mode) == (other.value, other.pattern, other.mode) and one.group != other.group
        return False
    return False


def _counted(profile: ColumnProfile, sample: Sample, taken: set[str]) -> list[tuple[ColumnProfile, list[Any]]]:
    """The number in values that are all a number of the same, such as "1 star" and "4 stars"."""
    units = {re.sub(r"\d+(?:[.,]\d+)?", "#", value).strip() for value in profile.counts if value}
    if len(units) > _MOST_UNITS or not all(unit.count("#") == 1 and len(unit) <= _LONGEST_UNIT for unit in units):
        return []
    values = [float(match.group().replace(",", ".")) if (match := re.search(_COUNT, text)) else None for text in sample.texts(profile.name)]
    if len(set(values) - {None}) < 3:
        return []
    into = taken_name(f"{profile.name}_number", taken)
    step = Match(value=profile.name, into=into, pattern=f"({_COUNT})", group=1)
    whole = [int(value) if value is not None and value.is_integer() else value for value in values]
    return [(derived_profile(into, profile, (step,), whole), whole)]


def _under_headings(profile: ColumnProfile, sample: Sample, taken: set[str]) -> list[tuple[ColumnProfile, list[Any]]]:
    texts = sample.texts(profile.name)
    filled = [text for text in texts if text][:_MOST_READ]
    names = _headings(filled)
    if not names or len(filled) < 5:
        return []
    pattern = r"(?s)^(.*?)" + "".join(rf"{_start(name, filled)}{_literal(name)}\s?[:：]{_BOLD}\s*(.*?)" for name in names)
    pattern = pattern.removesuffix("(.*?)") + r"(.*)$"
    compiled = compile_pattern(pattern)
    matches = [compiled.search(text) for text in texts]
    if sum(match is not None for match in matches) < _LEAST_SHARE * sum(map(bool, texts)):
        return []
    found = []
    for group, name in enumerate(("start", *names), 1):
        values = [((match.group(group) or "").strip() or None) if match else None for match in matches]
        if sum(value is not None for value in values) < 0.5 * sum(match is not None for match in matches):
            continue
        into = taken_name(f"{profile.name}_{name}", taken)
        step = Match(value=profile.name, into=into, pattern=pattern, group=group)
        found.append((derived_profile(into, profile, (step,), values), values))
    return found if len(found) >= 2 or (found and len(names) == 1) else []


def _headings(texts: Sequence[str]) -> list[str]:
    """Headings that nearly every text holds exactly once, in the order most have them in."""
    counts: Counter[str] = Counter()
    for text in texts:
        here: Counter[str] = Counter()
        for match in _HEADING.finditer(text):
            words = match["name"].split(" ")
            here.update({" ".join(words[start:]) for start in range(len(words))})
        counts.update(name for name, count in here.items() if count == 1)
    letters = _QUESTION_AND_ANSWER if not counts["B"] and all(counts[name] >= 0.85 * len(texts) for name in _QUESTION_AND_ANSWER) else ()
    often = [
        name
        for name, count in counts.items()
        if count >= _LEAST_SHARE * len(texts) and (len(name) > 1 or not name.isascii() or name in letters)
    ]
    kept = [name for name in often if not any(other != name and other.endswith(f" {name}") for other in often)]
    orders = Counter(
        tuple(sorted(kept, key=lambda name: _place(text, name))) for text in texts if all(_place(text, name) >= 0 for name in kept)
    )
    if not kept or not orders or len(kept) > _MOST_PARTS:
        return []
    order, count = orders.most_common(1)[0]
    return list(order) if count >= 0.85 * orders.total() else []


def _place(text: str, name: str) -> int:
    found = re.search(rf"(?<!\w){re.escape(name)}\s?[:：]", text)
    return found.start() if found else -1


def _start(name: str, texts: Sequence[str]) -> str:
    """Pattern for what stands before a heading: blanks, and the mark that sets it apart from the part before in most texts."""
    before = [text[:place].rstrip()[-1:] for text in texts if (place := _place(text, name)) > 0]
    sets_apart = before and sum(mark in _GLUE for mark in before if mark) >= _GLUED * len(before)
    bound = r"\b" if name[:1].isascii() else ""
    return (rf"\s*(?:^|[{_GLUE}]+\s*|\s)" if sets_apart else r"\s*") + bound


def _literal(text: str) -> str:
    """The text as a pattern; RE2 lets only signs be escaped."""
    return re.sub(r"([^\w\s])", r"\\\1", text) if text.isascii() else re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def _fields(profile: ColumnProfile, sample: Sample, taken: set[str]) -> list[tuple[ColumnProfile, list[Any]]]:
    """Values of fields written as name[value], where texts are lists of such."""
    texts = sample.texts(profile.name)
    filled = [text for text in texts if text][:_MOST_READ]
    rows = [dict(_FIELD.findall(text)) for text in filled]
    if len(filled) < 5 or sum(len(row) >= 2 for row in rows) < 0.85 * len(filled):
        return []
    counts = Counter(name.strip() for row in rows for name in row)
    found = []
    for name, count in counts.most_common(_MOST_FIELDS):
        if count < max(3, 0.1 * len(filled)):
            continue
        pattern = rf"(?:^|[\s,;|]){_literal(name)}\s?\[([^\[\]\n]+)\]"
        compiled = compile_pattern(pattern)
        values = [match.group(1).strip() if (match := compiled.search(as_text(text))) else None for text in texts]
        into = taken_name(f"{profile.name}_{name}", taken)
        step = Match(value=profile.name, into=into, pattern=pattern, group=1)
        found.append((derived_profile(into, profile, (step,), values), list(values)))
    return found
