"""Plans whose label says in which range a column's number lies, as the description draws the ranges."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from engine.plan.labels.cases import says
from engine.plan.labels.mapping import affirming
from engine.plan.labels.number_spans import NumberSpan, number_spans, spans_of_labels
from engine.plan.labels.relevance import concerns, near_in_meaning, telling_words
from engine.plan.labels.words import folded
from engine.plan.profile import ColumnProfile, Sample, as_number
from engine.plan.steps import AnyStep, Bin, Keep
from engine.plan.structure.draft import Draft
from engine.plan.structure.label_columns import RATED, voted_names
from engine.plan.template import printed
from engine.records import Task, Value

if TYPE_CHECKING:
    from models.embedding import Embedder

_BETWEEN = "between the labels"
_LENGTH = re.compile(
    r"\b(words?|characters?|letters?|sentences?|lines?|tokens?|wörter|worte|zeichen|buchstaben|sätze|zeilen|mots|caractères|phrases|lignes|palabras|"
    r"caracteres|líneas|слов|символ\w*|букв|строк)\b|字|文字|글자|단어",
    re.IGNORECASE,
)
"""Units of a text's own length, which no column need hold."""
_PLACE = re.compile(r"(^|[_\-. ])(id|idx|index|start|end|offset|position|pos|no|nr)([_\-. ]|$)", re.IGNORECASE)
"""Names of numbers that say where something is, not how much."""
_YEAR = re.compile(
    r"(^|[_\-. ])(year|yr|date|jahr|année|annee|an|año|anno|ano|год|yil|tahun)s?($|[_\-. ])|published|released", re.IGNORECASE
)


class _Ranges(Value):
    """Label → range, and what decides between columns: the sentences the ranges stand in."""

    spans: dict[str, NumberSpan]
    rest: str
    """The label of every other number; "" when numbers outside the ranges have none."""
    said: str


def threshold_drafts(sample: Sample, task: Task, embedder: Embedder | None = None) -> list[Draft]:
    """A draft for each column of numbers that the ranges in the description may be drawn on."""
    ranges = _ranges(task)
    if ranges is None:
        return []
    fitting = [profile for profile in sample.profiles if _may_be_cut(profile, sample)]
    drafts = [_draft(profile, ranges, fitting, sample, task, embedder) for profile in fitting]
    return [draft for draft in drafts if draft is not None]


def draws_ranges(task: Task) -> bool:
    """Whether the description says of every label which numbers it takes in: then names of values are not what it means."""
    return _ranges(task) is not None


def _ranges(task: Task) -> _Ranges | None:
    """What the description says of the labels' ranges; None when some label has none."""
    labels, description = task.output.labels, task.description
    spans, rest = spans_of_labels(description, labels)
    if all(span.bare for span in spans.values()):
        spans = {}
    if not spans and (pair := affirming(labels)):
        drawn = [span for span in number_spans(description) if not span.bare]
        spans, rest = ({pair[0]: drawn[0]}, pair[1]) if len(drawn) == 1 else ({}, "")
    missing = [label for label in labels if label not in spans]
    if not spans or len(missing) > 1 or (rest and missing != [rest]):
        return None
    if missing and not rest and len(labels) > 2:
        return None
    sentences = [part for part in re.split(r"[;；。।\n]|[.!?](?=\s|$)", description) if any(span.said in part for span in spans.values())]
    return _Ranges(spans, missing[0] if missing else "", " ".join(sentences) or description)


def _may_be_cut(profile: ColumnProfile, sample: Sample) -> bool:
    return (
        profile.numeric
        and not profile.class_names
        and profile.kind not in ("class", "boolean", "list", "dict")
        and profile.distinct >= 3
        and not profile.id_like
        and not voted_names(profile, sample)
    )


def _draft(
    profile: ColumnProfile, ranges: _Ranges, rivals: list[ColumnProfile], sample: Sample, task: Task, embedder: Embedder | None
) -> Draft | None:
    regions = _regions(profile, ranges)
    if regions is None:
        return None
    cuts, labels = regions
    numbers = [as_number(value) for value in sample.values[profile.name]]
    given = ["" if number is None else labels[sum(cut <= number for cut in cuts)] for number in numbers]
    word = sample.unused("label_word")
    steps: tuple[AnyStep, ...] = (*profile.steps, Bin(value=profile.name, into=word, thresholds=cuts, labels=labels))
    if _BETWEEN in labels:
        kept = tuple(label for label in dict.fromkeys(labels) if label != _BETWEEN)
        steps += (Keep(value=word, one_of=kept, note="the description gives no label to what lies between"),)
    prior, why = _prior(profile, ranges, rivals, sample, task, embedder)
    said = "; ".join(f"“{span.said}” is {label}" for label, span in ranges.spans.items())
    reasons = [f"{profile.name} lies between {profile.low:g} and {profile.high:g}; in the description {said}", why]
    if ranges.rest:
        reasons.append(f"every other number is {ranges.rest}")
    return Draft(
        family="label",
        output=printed(word),
        reads=(profile.column,),
        outputs=tuple("" if label == _BETWEEN else label for label in given),
        prior=prior,
        reasons=tuple(reasons),
        steps=steps,
    )


def _regions(profile: ColumnProfile, ranges: _Ranges) -> tuple[tuple[float, ...], tuple[str, ...]] | None:
    """Cuts and the labels before, between and after them; None where a range lies outside the column or two overlap."""
    assert profile.low is not None and profile.high is not None
    scale = 0.01 if profile.high <= 1 and any(span.percent for span in ranges.spans.values()) else 1.0
    ends = [end * scale for span in ranges.spans.values() for end in (span.low, span.high) if math.isfinite(end)]
    if not ends or min(ends) < profile.low - 1e-9 or max(ends) > profile.high + 1e-9:
        return None
    if profile.whole == 1 and not all(end.is_integer() for end in ends):
        return None
    step = _step(profile, ends)
    placed = sorted(
        (
            span.low * scale + (0.0 if span.low_in or math.isinf(span.low) else step),
            span.high * scale + (step if span.high_in and math.isfinite(span.high) else 0.0),
            label,
        )
        for label, span in ranges.spans.items()
    )
    cuts: list[float] = []
    labels: list[str] = []
    reached = -math.inf
    for low, high, label in placed:
        if low > reached + step / 2:
            if labels:
                cuts.append(round(reached, 9))
            labels.append(ranges.rest or _BETWEEN)
        elif low < reached - (step / 2 if profile.whole == 1 else 1.5 * step):
            return None  # two labels for one number; one they share at their ends goes to the upper label
        if labels:
            cuts.append(round(low, 9))
        labels.append(label)
        reached = high
    if math.isfinite(reached):
        cuts.append(round(reached, 9))
        labels.append(ranges.rest or _BETWEEN)
    if len(cuts) != len(labels) - 1 or sorted(set(cuts)) != cuts:
        return None
    return tuple(cuts), tuple(labels)


def _step(profile: ColumnProfile, ends: list[float]) -> float:
    """Less than two numbers of the column can differ by; 1 for whole numbers."""
    if profile.whole == 1:
        return 1.0
    decimals = [len(text.split(".", 1)[1]) for text in (*profile.counts, *map(repr, ends)) if "." in text and "e" not in text.lower()]
    return float(10.0 ** -(min(6, max(decimals, default=1)) + 1))


def _named(name: str, rivals: list[ColumnProfile], description: str) -> bool:
    """The description holds the column's name, and not as a part of a longer column's name."""
    said, plain = folded(description), folded(name)
    longer = (folded(rival.name) for rival in rivals if rival.name != name)
    return says(said, plain) and not any(plain in other and other != plain and says(said, other) for other in longer)


def _prior(
    profile: ColumnProfile, ranges: _Ranges, rivals: list[ColumnProfile], sample: Sample, task: Task, embedder: Embedder | None
) -> tuple[float, str]:
    """How likely the ranges are drawn on this column, by the words that stand around the numbers."""
    quoted = re.search(rf"[(`\"'“«\[]{re.escape(profile.name)}[)`\"'”»\]]", task.description) is not None
    if quoted or (telling_words(profile.name) and _named(profile.name, rivals, task.description)):
        return 0.97, f"the description names {profile.name}"
    words = () if _PLACE.search(profile.name) else concerns(profile.name, ranges.said)
    if words:
        share = len(words) / len(telling_words(profile.name))
        return 0.8 + 0.12 * share, f"{profile.name} has to do with “{', '.join(words)}”, which stands with the number"
    unit = _unit(profile, sample)
    if unit and says(folded(ranges.said), unit):
        return 0.92, f"{profile.column} counts {unit}, which stands with the numbers"
    if RATED.search(profile.name) and RATED.search(ranges.said):
        return 0.88, f"{profile.name} is a rating, and the description speaks of one"
    if concerns(profile.name, task.description):
        return 0.75, f"{profile.name} has to do with “{concerns(profile.name, task.description)[0]}” in the description"
    if near_in_meaning(profile.name, ranges.said, task.language, embedder):
        return 0.7, f"{profile.name} is near in meaning to what stands with the number"
    if _YEAR.search(profile.name) and all(
        1500 < end < 2100 for span in ranges.spans.values() for end in (span.low, span.high) if math.isfinite(end)
    ):
        return 0.85, f"the numbers are years, as in {profile.name}"
    if not telling_words(profile.name) and RATED.search(ranges.said):
        return 0.6, f"the description speaks of a rating, and {profile.name} may be any number"
    if not telling_words(profile.name) and any(says(folded(ranges.said), word) for word in folded(profile.name).split()):
        return 0.62, f"a word of {profile.name} stands with the number"
    alone = len(rivals) == 1 and profile.whole < 1 and not _LENGTH.search(ranges.said)
    if alone and len(ranges.spans) > 1 and not RATED.search(ranges.said):
        return 0.5, f"{profile.name} is the only column of numbers"
    return 0.25, f"nothing in the description names {profile.name}"


def _unit(profile: ColumnProfile, sample: Sample) -> str:
    """What a number read from a text counts, as most values say it; "" for a column of numbers."""
    origin = sample.by_name.get(profile.column)
    if not profile.steps or origin is None or origin.numeric or origin.kind != "text":
        return ""
    words = Counter(word for value in origin.counts for word in re.findall(r"[^\W\d]{3,}", folded(value)))
    return words.most_common(1)[0][0] if words and origin.label_set else ""
