"""Filters on columns of numbers: exactly one of something, or a range that the description names with the column."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.plan.labels.number_spans import NumberSpan, number_spans
from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number, as_text
from engine.plan.steps import Keep
from engine.plan.structure.kept_rows import LEAST_ROWS, Filter
from engine.plan.structure.restrictions import Clause, asks_for_one
from engine.plan.structure.spoken import COUNT_WORDS, OF_ANY_TASK, SAYS_NOTHING, spoken
from engine.records import Task


def counted(profile: ColumnProfile, sample: Sample, said: Sequence[Clause], task: Task) -> Filter | None:
    """A column that counts something, where the description wants rows with exactly one of it."""
    words = folded(profile.name).split()
    if profile.low is None or profile.high is None or profile.whole < 1 or profile.low < 0 or profile.high > 30 or profile.distinct < 2:
        return None
    if not set(words) & COUNT_WORDS or len(words) < 2:
        return None
    clause = next((clause for clause in said if clause.strict and clause.wanted and asks_for_one(clause)), None)
    if clause is None:
        return None
    things = [word for word in words if word not in COUNT_WORDS and word not in SAYS_NOTHING]
    named = [word for word in things if spoken(word, clause)]
    if not named and task.language[:2] == "en":
        return None
    numbers = [as_text(value) for value in sample.values[profile.name]]
    kept = tuple(number == "1" for number in numbers)
    if sum(kept) < LEAST_ROWS or all(kept):
        return None
    step = Keep(value=profile.name, one_of=("1",), note="rows with exactly one")
    reason = f"only rows whose {profile.name} is 1: the description says “{clause.text.strip()[:80]}”"
    return Filter(
        steps=(*profile.steps, step), columns=(profile.column,), kept=kept, reason=reason, strict=True, score=0.8 + 0.1 * bool(named)
    )


def in_range(profile: ColumnProfile, sample: Sample, said: Sequence[Clause], task: Task) -> Filter | None:
    """A column of numbers named in a clause that says "only" or "leave out", with the number or range that stands there."""
    if profile.low is None or profile.high is None or profile.kind == "class" or profile.id_like or profile.distinct < 2:
        return None
    words = [word for word in folded(profile.name).split() if word not in SAYS_NOTHING and not word.isdigit()]
    if not words or set(words) <= OF_ANY_TASK:
        return None
    for clause in said:
        if not clause.strict or not all(spoken(word, clause) for word in words):
            continue
        spans = [span for span in number_spans(clause.text) if any(profile.low <= end <= profile.high for end in (span.low, span.high))]
        if len(spans) != 1 or (not clause.wanted and math.isfinite(spans[0].low) and math.isfinite(spans[0].high)):
            continue
        return _within(profile, sample, clause, spans[0])
    return None


def _within(profile: ColumnProfile, sample: Sample, clause: Clause, span: NumberSpan) -> Filter | None:
    low, high, low_in, high_in = span.low, span.high, span.low_in, span.high_in
    if not clause.wanted:
        low, high, low_in, high_in = (-math.inf, low, False, not low_in) if math.isfinite(low) else (high, math.inf, not high_in, False)
    numbers = [as_number(value) for value in sample.values[profile.name]]
    known = sorted({number for number in numbers if number is not None})
    if math.isfinite(low) and not low_in:
        low = next((number for number in known if number > low), math.inf)
    if math.isfinite(high) and not high_in:
        high = next((number for number in reversed(known) if number < high), -math.inf)
    kept = tuple(number is not None and low <= number <= high for number in numbers)
    if not LEAST_ROWS <= sum(kept) < len(kept):
        return None
    step = Keep(
        value=profile.name,
        at_least=low if math.isfinite(low) else None,
        at_most=high if math.isfinite(high) else None,
        note="rows the task is about",
    )
    reason = f"only rows whose {profile.name} is {_shown(low, high)}: the description says “{clause.text.strip()[:80]}”"
    return Filter(steps=(*profile.steps, step), columns=(profile.column,), kept=kept, reason=reason, strict=True, score=0.9)


def _shown(low: float, high: float) -> str:
    if low == high:
        return f"{low:g}"
    return f"at least {low:g}" if math.isinf(high) else f"at most {high:g}" if math.isinf(low) else f"from {low:g} to {high:g}"
