"""What evaluate found of a finetuned model and its base, in rows, bars and sentences for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.compared_table import PRIMARY, Table, descriptive, figure_name, interval_words
from engine.evaluate.intervals import DESCRIPTIVE_BELOW
from engine.interval_bars import BarRow, Bars
from engine.plain_text import one_line

if TYPE_CHECKING:
    from engine.evaluate.evaluated import Evaluated
    from engine.evaluate.evaluation import Wrong
    from engine.evaluate.scores import Figure

NAME = 24
"""Characters of a model's name."""
_LABEL = 60


def model_names(found: Evaluated) -> tuple[str, ...]:
    """What the models are called: by what they are, where that is known."""
    models = found.evaluation.models
    if found.finetuned:
        return ("finetuned", "base")[: len(models)]
    # Two may have one name, such as one model asked in two ways.
    number = "{} " if len(models) > 1 else ""
    return tuple(f"{number.format(place)}{one_line(one.model, NAME)}" for place, one in enumerate(models, 1))


def headline(found: Evaluated) -> str:
    """On what they were tested."""
    one = found.evaluation
    grouped = "" if one.clusters == one.items else f" in {one.clusters:,} groups that share a stem"
    return f"{one_line(one.test, 60)}: {one.items:,} items{grouped}"


def caveats(found: Evaluated) -> list[str]:
    """What to know of the figures beforehand."""
    clusters = found.evaluation.clusters
    return [descriptive(clusters)] if clusters < DESCRIPTIVE_BELOW else []


def model_bars(found: Evaluated) -> Bars:
    """The primary figure of each model, asked in the way that was best for it off the test."""
    rows: list[BarRow] = []
    zero: float | None = None
    for name, one in zip(model_names(found), found.evaluation.models, strict=True):
        figure = one.results[0].figures[0]
        zero = chance_of(figure) if zero is None else zero
        rows.append(BarRow(name, interval_words(figure.estimate), f"{figure.estimate.value:.3f}", figure.estimate, not rows))
    return Bars(f"{PRIMARY} {figure_name(found.evaluation.metric)}", tuple(rows), zero, "chance")


def chance_of(figure: Figure) -> float | None:
    """Where the figure would be by chance: where the scale of 0 for chance has its 0; None without such a scale."""
    scaled, plain = figure.normalised, figure.estimate
    if scaled is None or scaled.high == scaled.low:
        return None
    return plain.value - scaled.value * (plain.high - plain.low) / (scaled.high - scaled.low)


def difference_words(found: Evaluated) -> str:
    """How the first model differs from the second, and whether that is more than luck; "" where there is one alone."""
    compared = found.evaluation.comparison
    if compared is None:
        return ""
    one, (ours, theirs) = compared.difference, model_names(found)[:2]
    sure = "the interval holds 0" if holds_zero(found) else "the interval does not hold 0"
    return f"{ours} less {theirs}: {interval_words(one.estimate, 3, '+')}; {sure}; p {one.p:.2g} ({one_line(one.test, 60)})"


def share_words(found: Evaluated) -> str:
    """How much of the second's figure above chance the first has, or why that is not told."""
    compared = found.evaluation.comparison
    if compared is None:
        return ""
    ours, theirs = model_names(found)[:2]
    if compared.share is None:
        return f"no share of one in the other: {one_line(compared.reason, 200)}"
    share = compared.share
    return f"{ours} has {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of what {theirs} has{compared.above_chance}"


def agreement_words(found: Evaluated) -> str:
    """How often llama.cpp says what the adapter says where it was trained; "" where that was not looked at."""
    if (one := found.agreement) is None:
        return ""
    return f"llama.cpp says the same as PyTorch on {one.same:,} of {one.items:,} items, answers of at most {one.tokens} tokens"


def holds_zero(found: Evaluated) -> bool:
    """Whether no difference is among what the interval holds."""
    compared = found.evaluation.comparison
    return compared is not None and compared.difference.estimate.low <= 0 <= compared.difference.estimate.high


def figure_table(found: Evaluated) -> Table:
    """Every figure of each model, and of other settings that were asked beside the chosen one."""
    results = [
        (f"{name}, {result.setting}", result)
        for name, one in zip(model_names(found), found.evaluation.models, strict=True)
        for result in one.results
    ]
    names = dict.fromkeys(figure.name for _, result in results for figure in result.figures)
    rows = []
    for name in names:
        figures = [next((one for one in result.figures if one.name == name), None) for _, result in results]
        star = f"{PRIMARY} " if any(one and one.primary for one in figures) else ""
        rows.append((f"{star}{figure_name(name)}", *(interval_words(one.estimate) if one else "-" for one in figures)))
        if star and any(one and one.normalised for one in figures):
            points = [interval_words(one.normalised, 1) if one and one.normalised else "-" for one in figures]
            rows.append(("the same in points", *points))
    rows.append(("without an answer", *(f"{result.unanswered:,}" for _, result in results)))
    return ("figure", *(title for title, _ in results)), rows


def label_table(found: Evaluated) -> Table:
    """How many items of each label were right, by model, and what the first took instead."""
    models = found.evaluation.models
    mine = models[0].results[0].labels
    others = [{row.label: row for row in one.results[0].labels} for one in models[1:]]
    rows = []
    for row in mine:
        theirs = [other.get(row.label) for other in others]
        taken = ", ".join(f"{one_line(label, _LABEL)} {count:,}" for label, count in row.taken_for)
        recalls = [f"{one.right / one.n:.0%}" if one and one.n else "-" for one in (row, *theirs)]
        rows.append((one_line(row.label, _LABEL), f"{row.n:,}", *recalls, taken or "-"))
    names = model_names(found)
    return ("label", "n", *names, f"{names[0]} took" if names else "took"), rows


def tried_table(found: Evaluated) -> Table:
    """What each way to ask was worth on the task's examples, off the test."""
    rows = []
    for name, one in zip(model_names(found), found.evaluation.models, strict=True):
        for tried in one.choice.tried:
            chosen = "taken" if tried.setting == one.choice.setting else ""
            rows.append((name, str(tried.setting), f"{tried.score:.2f}", f"{tried.likelihood:.2f}", f"{tried.n:,}", chosen))
    return ("model", "setting", "score", "log-probability", "n", ""), rows


def wrong_rows(found: Evaluated, missed: Sequence[Sequence[Wrong]]) -> list[tuple[str, ...]]:
    """Model, item, input, right, taken and written of items that were answered wrongly, model by model."""
    return [
        (name, wrong.item, wrong.input, wrong.right, wrong.taken, wrong.error or wrong.written)
        for name, some in zip(model_names(found), missed, strict=True)
        for wrong in some
    ]
