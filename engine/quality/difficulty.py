"""How hard examples are: a judge model's ratings from 1 to 5, and, without a judge, how surely the base model finds the right output.

Wrong outputs look hard, so only examples that the measure of correctness found right are measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Literal

from engine.plan.witness.solver import Weigh, read_scores
from engine.prompts.judge import SCALES, rating_messages
from engine.prompts.witness import solve_messages
from engine.quality.diversity import Interval
from engine.quality.pairs import Pair, Verdict
from engine.quality.shares import bootstrapped
from engine.quality.solving import Place, is_closed, weigh
from engine.records import Task, Value
from models.language import Request

MOST_VOTES = len(SCALES)
_LEAST_RATED = 10
"""Examples for saying whether votes agree."""


class Difficulty(Value):
    """How hard the examples of one source are that are right."""

    measure: Literal["rating", "margin", "log-probability"]
    """"rating": 1 very easy to 5 very hard, as the judge says; "margin": nats by which the base model prefers the right label or option
    to the best wrong one, lower is harder; "log-probability": of the right output, nats a token, lower is harder."""
    examples: int
    right: int
    """So many of them were found right, and only these were asked about."""
    measured: int
    mean: Interval | None
    """With a bootstrap interval over examples; None where nothing was measured."""
    votes: int
    votes_agree: Interval | None
    """Spearman correlation between two votes on all sources' examples, with its 95 % interval; None for a single vote or too few
    examples."""
    tells: bool
    """False where votes do not agree for sure: then ratings say nothing. True where there is nothing to agree."""
    verdicts: tuple[Verdict, ...]
    """Of the examples measured; `score` is the figure."""
    failed: dict[str, int] = {}

    @property
    def perplexity(self) -> float | None:
        """Of the outputs to the base model; None for other measures."""
        return math.exp(-self.mean.mean) if self.measure == "log-probability" and self.mean else None


def rate_difficulty(
    task: Task, sources: Mapping[str, Sequence[Pair]], right: Mapping[str, Collection[int]], ask: Weigh, *, votes: int = 2, seed: int = 0
) -> dict[str, Difficulty]:
    """The judge's rating of each right example: the mean over five marks by their likelihoods, and over `votes` wordings of the scale.

    Every second wording turns the scale round, so that a liking of some number cancels out.
    """
    votes = max(1, min(votes, MOST_VOTES))
    places = [(source, index) for source, pairs in sources.items() for index in range(len(pairs)) if index in right.get(source, ())]

    def requests() -> Iterator[Request]:
        for vote, (wording, marks) in enumerate(SCALES[:votes]):
            for number, (source, index) in enumerate(places):
                pair = sources[source][index]
                yield Request(f"{vote} {number}", rating_messages(task, pair.input, pair.output, wording), choices=marks)

    failed: Counter[str] = Counter()
    rated: dict[int, dict[int, float]] = {}
    for completion in ask(requests()):
        if completion.finish == "stop":
            vote, number = map(int, completion.key.split())
            rated.setdefault(number, {})[vote] = expected_mark(read_scores(completion.text))
        else:
            failed[completion.error or completion.finish] += 1
    whole = {number: said for number, said in rated.items() if len(said) == votes}
    agree = _agreement([(said[0], said[1]) for said in whole.values()]) if votes > 1 else None
    scores = {places[number]: sum(said.values()) / votes for number, said in whole.items()}
    spread = {places[number]: max(said.values()) - min(said.values()) for number, said in whole.items()}
    tells = votes == 1 or (agree is not None and agree.low > 0)
    return {
        source: _difficulty("rating", source, len(pairs), right, scores, votes, agree, tells, failed, seed, spread)
        for source, pairs in sources.items()
    }


def base_difficulty(
    task: Task,
    sources: Mapping[str, Sequence[Pair]],
    right: Mapping[str, Collection[int]],
    ask: Weigh,
    count: Callable[[str], int],
    *,
    rotations: int = 2,
    seed: int = 0,
) -> dict[str, Difficulty]:
    """How surely the base model behind `ask` finds each right output: the margin for labels and options, else its log-probability.

    `count` counts the model's tokens. The margin has the model's liking of labels and places taken off, read off all sources together.
    """
    failed: Counter[str] = Counter()
    chosen = {source: [one for index, one in enumerate(pairs) if index in right.get(source, ())] for source, pairs in sources.items()}
    indices = {source: [index for index in range(len(pairs)) if index in right.get(source, ())] for source, pairs in sources.items()}
    measure: Literal["margin", "log-probability"]
    if is_closed(task):
        measure = "margin"
        found = weigh(task, chosen, ask, rotations, failed)
        scores = {place: one.margin(chosen[place[0]][place[1]].output) for place, one in found.items()}
    else:
        measure = "log-probability"
        scores = _log_probabilities(task, chosen, ask, count, failed)
    placed = {(source, indices[source][at]): score for (source, at), score in scores.items()}
    return {
        source: _difficulty(measure, source, len(pairs), right, placed, 1, None, True, failed, seed) for source, pairs in sources.items()
    }


def _log_probabilities(
    task: Task, sources: Mapping[str, Sequence[Pair]], ask: Weigh, count: Callable[[str], int], failed: Counter[str]
) -> dict[Place, float]:
    places = [(source, index) for source, pairs in sources.items() for index in range(len(pairs))]

    def requests() -> Iterator[Request]:
        for number, (source, index) in enumerate(places):
            pair = sources[source][index]
            yield Request(f"{number}", solve_messages(task, pair.input), choices=(pair.output,))

    found = {}
    for completion in ask(requests()):
        if completion.finish == "stop":
            source, index = places[int(completion.key)]
            # The end counts as a token: an output that could go on is less sure.
            found[source, index] = read_scores(completion.text)[0] / (count(sources[source][index].output) + 1)
        else:
            failed[completion.error or completion.finish] += 1
    return found


def expected_mark(scores: Sequence[float]) -> float:
    """The mean of 1 … n, each as likely as its log-likelihood says."""
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    return sum(place * weight for place, weight in enumerate(weights, 1)) / sum(weights)


def _agreement(votes: Sequence[tuple[float, float]]) -> Interval | None:
    """Spearman correlation with the interval of Bonett & Wright (2000)."""
    if len(votes) < _LEAST_RATED:
        return None
    from scipy.stats import spearmanr

    one, other = zip(*votes, strict=True)
    if len(set(one)) < 2 or len(set(other)) < 2:
        return Interval(0.0, 0.0, 0.0)
    found = float(spearmanr(one, other).statistic)
    middle = math.atanh(max(-0.999999, min(0.999999, found)))
    half = 1.96 * math.sqrt((1 + found**2 / 2) / (len(votes) - 3))
    return Interval(found, math.tanh(middle - half), math.tanh(middle + half))


def _difficulty(
    measure: Literal["rating", "margin", "log-probability"],
    source: str,
    examples: int,
    right: Mapping[str, Collection[int]],
    scores: Mapping[Place, float],
    votes: int,
    agree: Interval | None,
    tells: bool,
    failed: Counter[str],
    seed: int,
    spread: Mapping[Place, float] | None = None,
) -> Difficulty:
    own = {index: score for (name, index), score in scores.items() if name == source}
    apart = {index: f"votes lie {spread[source, index]:.1f} apart" if spread and votes > 1 else "" for index in own}
    return Difficulty(
        measure=measure,
        examples=examples,
        right=len(right.get(source, ())),
        measured=len(own),
        mean=bootstrapped([*own.values()], seed) if own else None,
        votes=votes,
        votes_agree=agree,
        tells=tells,
        verdicts=tuple(Verdict(index, True, reason=apart[index], score=round(score, 3)) for index, score in sorted(own.items())),
        failed=dict(failed.most_common()),
    )
