"""Scores in the card of a model: figures with n and intervals, the difference, and what they may be used for."""

from __future__ import annotations

from collections.abc import Iterator

from engine.evaluate.evaluated import Evaluated
from engine.evaluate.evaluation import Comparison, Judged, Result
from engine.evaluate.intervals import Estimate
from engine.export.facts import portable
from engine.export.markdown import inline
from engine.mix.table import found_words
from engine.records import Mixed


def scores(evaluated: Evaluated, mixed: Mixed) -> Iterator[str]:
    """Paragraphs and tables; every figure with its 95 % interval and n."""
    found = evaluated.evaluation
    groups = "" if found.clusters == found.items else f" in {found.clusters:,} groups that share a stem"
    yield f"Asked on {inline(portable(found.test))}, {found.items:,} items{groups}. {found_words(mixed)}".rstrip()
    asked = [(judged, result) for judged in found.models for result in judged.results]
    mine = found.models[0] if evaluated.finetuned else None
    heads = [_who(judged, judged is mine, result) for judged, result in asked]
    names = dict.fromkeys(figure.name for _, result in asked for figure in result.figures)
    rows = [_row(name, [result for _, result in asked]) for name in names]
    rows.append(["without an answer", *(f"{result.unanswered:,}" for _, result in asked)])
    yield "\n".join(f"| {' | '.join(line)} |" for line in (["", *heads], ["---"] * (len(heads) + 1), *rows))
    yield "Figures with 95 % intervals. ★ decides, and was fixed before anything was asked."
    if found.comparison:
        yield _compared(found.comparison)
    yield from (f"{inline(note[:1].upper() + note[1:])}." for note in found.notes)


def _who(judged: Judged, finetuned: bool, result: Result) -> str:
    return f"{'this model' if finetuned else inline(portable(judged.model))}, {inline(str(result.setting))}"


def _row(name: str, results: list[Result]) -> list[str]:
    figures = [next((figure for figure in result.figures if figure.name == name), None) for result in results]
    star = "★ " if any(figure and figure.primary for figure in figures) else ""
    return [f"{star}{inline(name.replace('_', ' '))}", *(_figure(figure.estimate) if figure else "-" for figure in figures)]


def _compared(found: Comparison) -> str:
    one = found.difference.estimate
    sure = "the interval holds 0, so it may be chance" if one.low <= 0 <= one.high else "the interval does not hold 0"
    return (
        f"This model less the other, {inline(found.figure.replace('_', ' '))}: {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}), "
        f"n {one.n:,}; {sure}; p {found.difference.p:.3g}, {inline(found.difference.test)}."
    )


def _figure(one: Estimate) -> str:
    draws = f", {one.draws} draws" if one.draws > 1 else ""
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f}), n {one.n:,}{draws}"
