"""Answers against what is right: a score for each item, and figures over all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.evaluate.asking import Answer
from engine.evaluate.intervals import Estimate, Parts, estimate, mean_of
from engine.evaluate.items import Item, Test
from engine.quality.likeness import chrf, token_f1
from engine.quality.near_duplicates import rouge_l
from engine.quality.words import tokens
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WAYS = ("sum", "per_token", "prior_corrected")
WAY_WORDS = {
    "sum": "by the sum of log-probabilities",
    "per_token": "by log-probability a token",
    "prior_corrected": "by log-probability less that without the question",
}
_ARTICLES = frozenset(("a", "an", "the"))
_SIGN = re.compile(r"\W*(?:the\s+)?(?:right\s+)?(?:answer|option)?\s*(?:is|:)?\s*\W*(?P<sign>[A-Za-z]|\d{1,2})(?=\W*$|[).:,\n])", re.I)

Predicted = tuple[int, ...]
"""Places of the options a model likes best, several for a tie; () for none."""


class Figure(Value):
    """One figure of a test."""

    name: str
    what: str
    estimate: Estimate
    normalised: Estimate | None = None
    """0 for chance, 100 for all right; None where there is no such scale."""
    primary: bool = False
    """Fixed before anything was asked."""


def figures(test: Test, draws: Sequence[Sequence[Answer]], way: str, seed: int = 0) -> tuple[Figure, ...]:
    """All figures of one setting, the primary one first; an item without an answer counts as wrong."""
    clusters = [item.cluster for item in test.items]
    found = []
    for name, what, parts in _all_parts(test, draws, way):
        one = estimate(parts, clusters, seed)
        chance = sum(item.chance for item in test.items) / len(test.items)
        best = sum(max(item.credits, default=1.0) for item in test.items) / len(test.items)
        scaled = one.scaled(chance, best) if test.closed and name.startswith("accuracy") and best > chance else None
        found.append(Figure(name, what, one, scaled, name == primary_name(test, way)))
    return tuple(sorted(found, key=lambda figure: not figure.primary))


def primary_name(test: Test, way: str) -> str:
    """Name of the figure that decides."""
    if not test.closed:
        return test.metric
    return f"macro_f1, {way}" if test.metric == "macro_f1" else f"accuracy, {way}"


def primary_parts(test: Test, draws: Sequence[Sequence[Answer]], way: str) -> Parts:
    """The parts of the figure that decides."""
    name = primary_name(test, way)
    if name.startswith("macro_f1"):
        return macro_f1_of(test, [[predicted(answer, way) for answer in answers] for answers in draws])
    return mean_of([item_scores(test, answers, way) for answers in draws])


def item_scores(test: Test, answers: Sequence[Answer], way: str) -> list[float]:
    """0 to 1 for each item: the credit of the option taken, or the metric of the text written."""
    if test.closed:
        return [credit(item, predicted(answer, way)) for item, answer in zip(test.items, answers, strict=True)]
    return [_best(TEXT_METRICS[test.metric], item, answer) for item, answer in zip(test.items, answers, strict=True)]


def predicted(answer: Answer, way: str) -> Predicted:
    """The options of the highest score."""
    scores = answer.scores(way)
    best = max(scores, default=0.0)
    return tuple(place for place, score in enumerate(scores) if score == best)


def credit(item: Item, taken: Predicted) -> float:
    """What the options taken are worth; of a tie the mean."""
    return sum(item.credits[place] for place in taken) / len(taken) if taken else 0.0


def parsed(item: Item, text: str) -> Predicted:
    """The option a written answer names; () where it names none, or several.

    It is one of the options but for case and punctuation, or its first line is; or it begins with a sign, where options are signs; or
    one option alone is in it, word for word.
    """
    options = [" ".join(tokens(option)) or option.strip() for option in item.options]
    for said in (text, text.strip().partition("\n")[0]):
        whole = " ".join(tokens(said)) or said.strip()
        if whole and whole in options:
            return (options.index(whole),)
    if all(len(option.strip()) == 1 or option.strip().isdigit() for option in item.options):
        sign = _SIGN.match(text)
        return (options.index(sign["sign"].lower()),) if sign and sign["sign"].lower() in options else ()
    said = f" {' '.join(tokens(text))} "
    named = [place for place, option in enumerate(options) if option and f" {option} " in said]
    # “not possible” names “possible” too; the longer one is meant.
    named = [place for place in named if not any(f" {options[place]} " in f" {options[other]} " for other in named if other != place)]
    return (named[0],) if len(named) == 1 else ()


def exact_match(answer: str, reference: str) -> float:
    """1 for the same words: case, punctuation and English articles do not count (after SQuAD, Rajpurkar et al. 2016)."""
    ours, theirs = ([word for word in tokens(text) if word not in _ARTICLES] for text in (answer, reference))
    return float(ours == theirs if ours or theirs else answer.strip() == reference.strip())


def exact_str_match(answer: str, reference: str) -> float:
    """1 for the same characters, white space around them left out."""
    return float(answer.strip() == reference.strip())


TEXT_METRICS: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "exact_str_match": exact_str_match,
    "token_f1": token_f1,
    "rouge_l": rouge_l,
    "chrf": chrf,
}


def macro_f1_of(test: Test, taken: Sequence[Sequence[Predicted]]) -> Parts:
    """The parts of a macro-F1: true positives, options taken and right ones, by option; one of no item and no answer is left out."""
    import numpy as np

    labels = {label: place for place, label in enumerate(dict.fromkeys(option for item in test.items for option in item.options))}
    numbers = np.zeros((len(taken), len(test.items), 3, len(labels)))
    for draw, predictions in enumerate(taken):
        for place, (item, chosen) in enumerate(zip(test.items, predictions, strict=True)):
            for right in item.right:
                numbers[draw, place, 2, labels[item.options[right]]] += 1 / len(item.right)
            for option in chosen:
                label = labels[item.options[option]]
                numbers[draw, place, 1, label] += 1 / len(chosen)
                numbers[draw, place, 0, label] += (option in item.right) / len(chosen)
    return Parts(numbers.reshape(len(taken), len(test.items), -1), _macro_f1)


def _macro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    hits, taken, right = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)
    there = taken + right > 1e-9
    each = np.where(there, 2 * hits / np.where(there, taken + right, 1), 0)
    found: NDArray[np.float64] = each.sum(axis=-1) / np.maximum(1, there.sum(axis=-1))
    return found


def _all_parts(test: Test, draws: Sequence[Sequence[Answer]], way: str) -> list[tuple[str, str, Parts]]:
    """(name, what it is, parts) of every figure that can be had."""
    found: list[tuple[str, str, Parts]] = []
    if not test.closed:
        for name, metric in TEXT_METRICS.items():
            scores = [[_best(metric, item, answer) for item, answer in zip(test.items, answers, strict=True)] for answers in draws]
            found.append((name, "of the text written", mean_of(scores)))
        return found
    for one in WAYS:
        if one != way and not _measured(draws, one):
            continue
        found.append((f"accuracy, {one}", WAY_WORDS[one], mean_of([item_scores(test, answers, one) for answers in draws])))
    if any(answer.written for answers in draws for answer in answers):
        taken = [[parsed(item, answer.text) for item, answer in zip(test.items, answers, strict=True)] for answers in draws]
        scores = [[credit(item, one) for item, one in zip(test.items, predictions, strict=True)] for predictions in taken]
        found.append(("accuracy, written", "of the answer written; one that names no option is wrong", mean_of(scores)))
        unread = mean_of([[float(not one) for one in predictions] for predictions in taken])
        found.append(("unparsable", "written answers that name no option, or several", unread))
    if test.labels:
        predictions = [[predicted(answer, way) for answer in answers] for answers in draws]
        found.append((f"macro_f1, {way}", f"F1 of each label, averaged, {WAY_WORDS[way]}", macro_f1_of(test, predictions)))
    return found


def _measured(draws: Sequence[Sequence[Answer]], way: str) -> bool:
    """Whether every answer that options were weighed for has such scores; an item that lacks them would count as wrong."""
    weighed = [answer for answers in draws for answer in answers if answer.sums]
    return bool(weighed) and all(answer.scores(way) for answer in weighed)


def _best(metric: Callable[[str, str], float], item: Item, answer: Answer) -> float:
    return max(metric(answer.text, reference) for reference in item.references) if answer.written else 0.0
