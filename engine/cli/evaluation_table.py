"""What evaluate found, as text for people: figures with n and intervals, the difference, where errors are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.cli.output import table
from engine.plain_text import one_line

if TYPE_CHECKING:
    from engine.evaluate.evaluation import Comparison, Evaluation, Judged, Result
    from engine.evaluate.intervals import Estimate

_WIDEST = 52
_MOST_LABELS = 25
"""Shown, those with most errors first."""


def evaluation_table(found: Evaluation) -> str:
    """All that is told of an evaluation."""
    clusters = "" if found.clusters == found.items else f" in {found.clusters:,} groups that share a stem"
    lines = [f"{found.task} on {found.test}: {found.items:,} items{clusters}; {found.examples} examples off the test"]
    lines += [table(("", *_heads(found.models)), _rows(found), widest=_WIDEST)]
    lines.append("figures with 95 % intervals; ★ decides, fixed beforehand")
    for number, one in enumerate(found.models, 1):
        lines += _of_model(one, number if len(found.models) > 1 else 0)
    if found.comparison:
        lines += _of_comparison(found.comparison)
    return "\n".join([*lines, *found.notes])


def _heads(models: Sequence[Judged]) -> list[str]:
    name = "model {} " if len(models) > 1 else ""
    return [f"{name.format(number)}{result.setting}" for number, one in enumerate(models, 1) for result in one.results]


def _rows(found: Evaluation) -> Iterator[tuple[str, ...]]:
    results = [result for one in found.models for result in one.results]
    by_name = [{figure.name: figure for figure in result.figures} for result in results]
    for name in dict.fromkeys(name for figures in by_name for name in figures):
        here = [figures.get(name) for figures in by_name]
        star = "★ " if any(figure and figure.primary for figure in here) else ""
        yield (f"{star}{name.replace('_', ' ')}", *(_figure(figure.estimate) if figure else "-" for figure in here))
        if any(figure and figure.primary and figure.normalised for figure in here):
            scaled = [_figure(figure.normalised, 1) if figure and figure.normalised else "-" for figure in here]
            yield ("the same, 0 chance, 100 all right", *scaled)
    yield ("without an answer", *(f"{result.unanswered}" for result in results))


def _of_model(one: Judged, number: int) -> Iterator[str]:
    yield f"\n{f'model {number}: ' if number else ''}{one_line(one.model, 80)} ({one.runtime}, {one.digest[:12]})"
    yield f"asked {one.choice.setting}: {one.choice.why}"
    if one.choice.tried:
        tried = ", ".join(f"{each.setting} {each.score:.2f}" for each in one.choice.tried)
        yield f"tried on the task's examples, n {one.choice.tried[0].n}: {tried}"
    yield from one.notes
    yield from _of_errors(one.results[0])


def _of_errors(result: Result) -> Iterator[str]:
    if result.labels:
        rows = [
            (row.label, row.n, f"{row.right:g}", ", ".join(f"{label} {count}" for label, count in row.taken_for) or "-")
            for row in sorted(result.labels, key=lambda row: row.right / max(1, row.n))[:_MOST_LABELS]
        ]
        yield table(("label", "n", "right", "taken for"), rows, widest=_WIDEST)
    if result.wrong:
        yield f"not wholly right: {result.wrong_of:,}; the worst of them, or the first:"
    for wrong in result.wrong:
        said = wrong.error or (wrong.taken if wrong.taken == wrong.written else f"{wrong.taken}; written: {wrong.written}")
        yield f"  item {wrong.item}: {one_line(wrong.input, 110)}"
        yield f"    right: {one_line(wrong.right, 80)}   taken: {one_line(said, 130)}"


def _of_comparison(found: Comparison) -> Iterator[str]:
    one = found.difference
    sure = "the interval holds 0" if one.estimate.low <= 0 <= one.estimate.high else "the interval does not hold 0"
    yield f"\nmodel 1 less model 2, {found.figure.replace('_', ' ')}: {_signed(one.estimate)}; {sure}; p {one.p:.3g} ({one.test})"
    if found.share:
        yield f"model 1 has {_figure(found.share)} of what model 2 has{found.above_chance}"
    else:
        yield f"no share of one in the other: {found.reason}"


def _figure(one: Estimate, places: int = 3) -> str:
    draws = f", {one.draws} draws" if one.draws > 1 else ""
    return f"{one.value:.{places}f} ({one.low:.{places}f} to {one.high:.{places}f}) n {one.n:,}{draws}"


def _signed(one: Estimate) -> str:
    return f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}) n {one.n:,}"
