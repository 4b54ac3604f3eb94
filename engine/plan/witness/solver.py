"""The model does the task on sample rows, and its answers are held against a plan's outputs.

What counts is the gain over the same outputs dealt out to other rows: a model that always names the first label, a plan whose output is
nearly constant and outputs that have nothing to do with their inputs all gain nothing. For labels and options the model's liking
of each label or letter is taken off first (contextual calibration after Zhao et al., arXiv 2102.09690, with the rows themselves as
the context-free inputs); for texts two rows are asked with both outputs, and the gain is whether the outputs belong to their own rows,
in which the liking of an output drops out.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from engine.plan.witness.readings import Shown
from engine.prompts.witness import shortened, solve_messages
from engine.records import Task
from models.language import Completion, Request

Weigh = Callable[[Iterable[Request]], Iterator[Completion]]
"""Answers requests with choices, such as `ctx.complete` of one role."""
MOST_CHOICES = 26
MOST_OUTPUT = 240


class Solver:
    """Asks a model to do a task on rows; remembers what it said."""

    def __init__(self, task: Task, weigh: Weigh) -> None:
        self._task = task
        self._weigh = weigh
        self._scores: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        """By input and choices: readings that differ in their outputs alone share them."""
        self._pairs: dict[tuple[Shown, Shown], float] = {}
        self.calls = 0
        self.seconds = 0.0
        """Time the model took, as stored with its answers: the same when a run is resumed."""
        self.errors: Counter[str] = Counter()

    def gains(self, rows: Sequence[Shown]) -> dict[tuple[str, ...], float]:
        """Gain by row key (or by two row keys, for texts): from -1 to 1, around 0 by chance."""
        if all(row.choices for row in rows):
            return self._closed(rows)
        return self._open(rows)

    def chances(self, rows: Sequence[Shown]) -> dict[str, list[float]]:
        """By row key, how likely the model takes each choice to be, what it likes of each place in all these rows taken off.

        A row it gave no answer to is left out; every row has choices.
        """
        self._score([row for row in rows if _asked(row) not in self._scores])
        answered = [row for row in rows if _asked(row) in self._scores]
        places = max((len(row.choices) for row in answered), default=0)
        liked = [_mean([self._scores[_asked(row)][place] for row in answered if place < len(row.choices)]) for place in range(places)]
        return {row.key: _softmax([score - liked[place] for place, score in enumerate(self._scores[_asked(row)])]) for row in answered}

    def _closed(self, rows: Sequence[Shown]) -> dict[tuple[str, ...], float]:
        chances = self.chances(rows)
        answered = [row for row in rows if row.key in chances]
        fixed = len({row.choices for row in answered}) == 1
        shares = Counter(row.output for row in answered)
        gains: dict[tuple[str, ...], float] = {}
        for row in answered:
            chance = chances[row.key]
            if fixed:
                usual = sum(chance[place] * shares[choice] for place, choice in enumerate(row.choices)) / len(answered)
            else:
                usual = 1 / len(row.choices)
            gains[(row.key,)] = chance[row.choices.index(row.output)] - usual
        return gains

    def _score(self, rows: Sequence[Shown]) -> None:
        by_key = {f"solve {place}": row for place, row in enumerate({_asked(row): row for row in rows}.values())}
        requests = (
            Request(
                key,
                solve_messages(self._task, row.input, row.choices if row.menu else ()),
                choices=tuple(chr(ord("A") + place) for place in range(len(row.choices))) if row.menu else row.choices,
            )
            for key, row in by_key.items()
        )
        for key, scores in self._weighed(requests):
            self._scores[_asked(by_key[key])] = _log_softmax(scores)

    def _open(self, rows: Sequence[Shown]) -> dict[tuple[str, ...], float]:
        pairs = _paired(rows)
        missing = [pair for pair in pairs if pair not in self._pairs]
        requests, owners = [], {}
        for number, pair in enumerate(missing):
            choices = tuple(shortened(row.output, MOST_OUTPUT) for row in pair)
            for place, row in enumerate(pair):
                key = f"pair {number} {place}"
                owners[key] = (pair, place)
                requests.append(Request(key, solve_messages(self._task, row.input), choices=choices))
        said: dict[tuple[Shown, Shown], dict[int, float]] = {}
        for key, scores in self._weighed(requests):
            pair, place = owners[key]
            said.setdefault(pair, {})[place] = scores[place] - scores[1 - place]
        for pair, leans in said.items():
            if len(leans) == 2:
                self._pairs[pair] = leans[0] + leans[1]
        return {(one.key, other.key): _sign(self._pairs[one, other]) for one, other in pairs if (one, other) in self._pairs}

    def _weighed(self, requests: Iterable[Request]) -> Iterator[tuple[str, list[float]]]:
        for completion in self._weigh(requests):
            self.calls += 1
            self.seconds += completion.seconds
            if completion.finish == "stop":
                yield completion.key, read_scores(completion.text)
            else:
                self.errors[completion.error or completion.finish] += 1


def _asked(row: Shown) -> tuple[str, tuple[str, ...]]:
    return row.input, row.choices


def read_scores(text: str) -> list[float]:
    """Log-likelihoods as a runtime gives them. Raises ValueError for anything else."""
    scores = json.loads(text)
    if not isinstance(scores, list) or not all(isinstance(score, int | float) and math.isfinite(score) for score in scores):
        raise ValueError(f"no list of log-likelihoods: {text[:80]}")
    return [float(score) for score in scores]


def _paired(rows: Sequence[Shown]) -> list[tuple[Shown, Shown]]:
    """Rows two by two, each with the next one whose output differs."""
    left, pairs = list(rows), []
    while len(left) > 1:
        one = left.pop(0)
        place = next((place for place, other in enumerate(left) if other.output != one.output and other.input != one.input), None)
        if place is not None:
            pairs.append((one, left.pop(place)))
    return pairs


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _sign(value: float) -> float:
    return 0.0 if value == 0 else math.copysign(1.0, value)


def _log_softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    total = top + math.log(sum(math.exp(score - top) for score in scores))
    return [score - total for score in scores]


def _softmax(scores: Sequence[float]) -> list[float]:
    return [math.exp(score) for score in _log_softmax(scores)]
