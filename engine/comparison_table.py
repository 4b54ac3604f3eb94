"""What compare-data found, in rows and sentences for people: a measure a line, a source a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.compare_data import DataComparison, Figures
    from engine.quality.correctness import Correctness
    from engine.quality.difficulty import Difficulty
    from engine.quality.diversity import Interval
    from engine.quality.lengths import Lengths
    from engine.quality.shares import Share

Cell = Callable[["Figures"], str]
"""What a line says of one source; "" for nothing."""

_VARIED = (
    ("different words an example ¹", "unique_1"),
    ("different word pairs an example ¹", "unique_2"),
    ("self-ROUGE-L ¹", "self_rouge_l"),
    ("distinct-1 ²", "distinct_1"),
    ("distinct-2 ²", "distinct_2"),
    ("types in 50 tokens ²", "mattr"),
)


def comparison_rows(found: DataComparison) -> list[tuple[str, ...]]:
    """A line for each measure that says something of any source: its name, then a cell for each source."""
    lines = [*_lines_without_models(found), *(_lines_of_models(found) if found.judge or found.base else ())]
    return [(name, *(cell(one) or "-" for one in found.sources)) for name, cell in lines if any(map(cell, found.sources))]


def comparison_sentences(found: DataComparison) -> list[str]:
    """What the marks in the rows stand for, what tells the sources apart, what the judge is worth, and notes."""
    told = [f"¹ at {found.equal_examples:,} examples each  ² at {found.equal_tokens:,} tokens each; intervals are 95 %"]
    for pair in found.regions:
        different = "different regions" if pair.regions.different else "not surely different regions"
        told.append(f"{pair.one} and {pair.other}: {different}, {pair.regions.reason}")
    for one in found.sources:
        told += [f"{one.name}: the judge {one.asked.correctness.reason}"] if one.asked.correctness else []
        told += [f"{one.name}: not asked: {reason}" for reason in one.asked.unasked]
    return [*told, *found.notes]


def _lines_without_models(found: DataComparison) -> list[tuple[str, Cell]]:
    lines: list[tuple[str, Cell]] = [
        ("examples made", lambda one: f"{one.stored:,}{' so far' if one.going_on else ''}"),
        ("rejected by you", lambda one: f"{one.rejected:,}" if one.rejected else ""),
        ("drawn and measured", lambda one: f"{one.examples:,}"),
    ]
    for threshold in found.sources[0].repeats:
        lines.append((f"near-duplicates, ROUGE-L {threshold} ¹", lambda one, at=threshold: f"{one.repeats[at]:.1%}"))  # type: ignore[misc]
    for name, figure in _VARIED:
        lines.append((name, lambda one, figure=figure: _interval(one.diversity.get(figure))))  # type: ignore[misc]
    return [
        *lines,
        ("embeddings: mean distance ¹", lambda one: f"{one.spread.mean_distance:.2f}" if one.spread else ""),
        ("embeddings: effective number ¹", lambda one: f"{one.spread.vendi:.1f} of {one.spread.vendi_examples}" if one.spread else ""),
        ("template's share of tokens", lambda one: f"{one.template_share:.0%}"),
        ("in the task's language", _language),
        ("words of input: median (5 % to 95 %)", lambda one: _lengths(one.input_lengths)),
        ("words of output: median (5 % to 95 %)", lambda one: _lengths(one.output_lengths)),
        ("hold an item of your test", lambda one: f"{one.of_test}"),
        ("hold one of your examples", lambda one: f"{one.of_examples}"),
        ("licences", lambda one: ", ".join(f"{name or 'none stated'} {count}" for name, count in one.licences.items())),
        ("outputs", lambda one: ", ".join(f"{count} {origin}" for origin, count in one.origins.items())),
    ]


def _lines_of_models(found: DataComparison) -> list[tuple[str, Cell]]:
    origins = sorted({origin for one in found.sources if one.asked.correctness for origin in one.asked.correctness.by_origin})
    lines: list[tuple[str, Cell]] = [
        ("judged", _of_judged(lambda one: f"{one.judged} of {one.examples}")),
        ("found right by the judge", _of_judged(lambda one: _share(one.found_right))),
        ("  of outputs dealt out to others", _of_judged(lambda one: f"{one.by_chance:.0%}")),
        ("  of known right ones", _of_judged(lambda one: _share(one.judge.right) if one.judge else "not measured")),
        ("  of known wrong ones", _of_judged(lambda one: _share(one.judge.wrong) if one.judge else "not measured")),
        ("right, the judge's error taken out", _of_judged(_corrected)),
    ]
    for origin in origins:
        lines.append((f"found right, output {origin}", _of_judged(lambda one, of=origin: _share(one.by_origin.get(of)))))  # type: ignore[misc]
    return [
        *lines,
        ("difficulty 1 to 5, of those found right", lambda one: _difficulty(one.asked.difficulty, "rating")),
        ("  two wordings agree (Spearman)", lambda one: _votes(one.asked.difficulty)),
        ("base model's margin in nats, of the same", lambda one: _difficulty(one.asked.base, "margin")),
        ("base model, nats a token, of the same", lambda one: _difficulty(one.asked.base, "log-probability")),
    ]


def _of_judged(cell: Callable[[Correctness], str]) -> Cell:
    return lambda one: cell(one.asked.correctness) if one.asked.correctness and one.asked.correctness.judged else ""


def _corrected(one: Correctness) -> str:
    if one.judge is None:
        return "not known"
    return f"{one.right.mean:.0%} ({one.right.low:.0%} to {one.right.high:.0%})" if one.right else "the judge cannot tell"


def _difficulty(one: Difficulty | None, measure: str) -> str:
    return f"{_interval(one.mean)}, n {one.measured}" if one and one.measure == measure and one.mean else ""


def _votes(one: Difficulty | None) -> str:
    if one is None or one.votes_agree is None:
        return "too few to say" if one and one.measured else ""
    return f"{_interval(one.votes_agree)}{'' if one.tells else ': tells nothing'}"


def _interval(one: Interval | None) -> str:
    return f"{one.mean:.2f} ({one.low:.2f} to {one.high:.2f})" if one else ""


def _share(one: Share | None) -> str:
    return f"{one.share:.0%} ({one.low:.0%} to {one.high:.0%}) of {one.of}" if one and one.of else ""


def _lengths(one: Lengths) -> str:
    return f"{one.median:.0f} ({one.p5:.0f} to {one.p95:.0f})"


def _language(one: Figures) -> str:
    told = one.languages.examples - one.languages.not_told
    return f"{one.languages.in_language / told:.0%} of {told} told" if told else ""
