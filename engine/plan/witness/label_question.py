"""Which of the task's labels a column's values stand for, asked of the model one value at a time.

A small model answers such a question well across languages when its answers are weighed together: its liking of a label is taken off, each
label goes to one value (what is left over is left out, not guessed), and a map counts by itself only where every other assignment is
clearly less likely; else it is a guess, which the rows have to bear out. Two controls with made-up columns say how far the model can be
believed: the labels themselves as values must come back as they are, and how sure it is of values that mean nothing (any as many of six
as there are labels) is what chance looks like.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from engine.plan.profile import ColumnProfile, Sample
from engine.plan.witness.solver import Weigh, read_scores
from engine.prompts.witness import NONE, match_messages
from engine.records import Task, Value
from models.language import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VALUES = 12
MOST_LABELS = 16
MOST_COLUMNS = 4
LEAST_MARGIN = 1.0
"""Nats by which an assignment must lead over any other that changes the entry, to be believed on its own."""
GUESS_MARGIN = 0.1
"""Nats that make it worth holding against rows."""
NONSENSE = ("xq-17", "vb-02", "ko-93", "zt-58", "hu-41", "pw-66")


class Suggestion(Value):
    """A label map the model makes."""

    column: str
    table: dict[str, str]
    margin: float
    """Of the weakest entry, in nats."""
    sure: bool
    """The margin is more than what values that mean nothing come to; else the map is a guess that rows must bear out."""
    left_out: tuple[str, ...]
    lines: tuple[str, ...]
    """One an entry."""


class LabelQuestion:
    """Asks one model about one task."""

    def __init__(self, task: Task, weigh: Weigh) -> None:
        self._task = task
        self._weigh = weigh
        self._bar: float | None = None
        self.seconds = 0.0
        """Time the model took, as stored with its answers."""
        self.doubt = ""
        """Why the model is not believed; "" when it is, or before it was asked."""

    def suggest(self, profile: ColumnProfile, sample: Sample, context: Sequence[str]) -> Suggestion | None:
        """The likeliest map of a column's values, None where none is; `context` are columns of text shown with each value."""
        bar = self._least_margin()
        values = [value for value in profile.counts if value][:MOST_VALUES]
        if self.doubt or len(values) < 2 or profile.distinct > MOST_VALUES:
            return None
        names = [_name(profile, value) for value in values]
        rows = [_rows(profile.name, value, sample, context) for value in values]
        scores = self._scores(profile.name, names, rows)
        if scores is None:
            return None
        labels = self._task.output.labels
        chosen, margins = assign(scores)
        sure = bool(margins) and min(margins.values()) >= bar
        if not sure and len(values) > len(labels):
            # Two values that one label stands for compete for it above: praise and blame are both opinions.
            chosen, margins = max(((chosen, margins), assign_each(scores)), key=lambda made: min(made[1].values(), default=0.0))
        if not chosen or min(margins.values()) < GUESS_MARGIN or len(set(chosen.values())) < 2:
            return None
        table = {values[value]: labels[label] for value, label in chosen.items()}
        lines = tuple(
            f"{names[value]} → {labels[label]}: to the model {_times(margins[value])} likelier than any other way"
            f" (values that mean nothing: {_times(bar)})"
            for value, label in chosen.items()
        )
        left = tuple(names[value] for value in range(len(values)) if value not in chosen)
        return Suggestion(profile.name, table, round(min(margins.values()), 2), sure, left, lines)

    def _least_margin(self) -> float:
        if self._bar is not None:
            return self._bar
        self._bar = LEAST_MARGIN
        labels = self._task.output.labels
        if not 2 <= len(labels) <= MOST_LABELS:
            self.doubt = "the task has too many labels to ask for" if labels else "the task names no labels"
            return self._bar
        turned = [*reversed(labels)][:6]
        same = self._scores("category", turned, [()] * len(turned))
        chosen = assign(same)[0] if same is not None else {}
        right = sum(labels[label] == turned[value] for value, label in chosen.items())
        if right < len(turned):
            self.doubt = f"of the labels themselves as values it matched {right} of {len(turned)}"
            return self._bar
        noise = self._scores("category", NONSENSE, [()] * len(NONSENSE))
        if noise is None:
            self.doubt = "it gave no answer to a control question"
            return self._bar
        some = list(combinations(range(len(NONSENSE)), min(len(labels), len(NONSENSE))))
        margins = sorted(min(assign(noise[list(places)])[1].values()) for places in some)
        self._bar = max(LEAST_MARGIN, margins[int(0.95 * (len(margins) - 1))])
        return self._bar

    def _scores(self, column: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> NDArray[Any] | None:
        """Log-likelihoods, shape (values, labels + 1), the last for none of them; None where an answer is missing."""
        import numpy as np

        labels = self._task.output.labels

        def requests() -> Iterator[Request]:
            for place, name in enumerate(names):
                messages = match_messages(self._task, column, names, name, rows[place], labels)
                yield Request(f"{place}", messages, choices=(*labels, NONE))

        found: dict[int, list[float]] = {}
        for completion in self._weigh(requests()):
            self.seconds += completion.seconds
            if completion.finish == "stop":
                found[int(completion.key)] = read_scores(completion.text)
        return np.array([found[place] for place in range(len(names))]) if len(found) == len(names) else None


def assign(scores: NDArray[Any]) -> tuple[dict[int, int], dict[int, float]]:
    """Value → label, each label once, by log-likelihoods of shape (values, labels + 1); and each entry's margin in nats.

    The last column is "none of them". What a label is liked on the whole is taken off, so long and rare labels are not at a loss.
    """
    from scipy.special import log_softmax

    centred = log_softmax(scores, axis=1)
    centred = centred - centred.mean(axis=0, keepdims=True)
    weights = centred[:, :-1] - centred[:, -1:]
    chosen, best = _best(weights)
    margins = {}
    for value, label in chosen.items():
        without = weights.copy()
        without[value, label] = -1e6
        total = _best(without)[1]
        # With no other way to assign anything, an entry is as sure as it leads over the same value's next label.
        margins[value] = best - total if total > -1e5 else float(weights[value, label] - sorted(weights[value])[-2])
    return chosen, margins


def assign_each(scores: NDArray[Any]) -> tuple[dict[int, int], dict[int, float]]:
    """As `assign`, but every value gets the label it is likeliest to mean, whatever the others get; nothing where a label gets none.

    What is likelier none of them is left out. An entry's margin is its lead over the value's next label.
    """
    from scipy.special import log_softmax

    centred = log_softmax(scores, axis=1)
    centred = centred - centred.mean(axis=0, keepdims=True)
    chosen = {value: int(line[:-1].argmax()) for value, line in enumerate(centred) if line[:-1].max() > line[-1]}
    if len(set(chosen.values())) < centred.shape[1] - 1:
        return {}, {}
    ordered = {value: sorted(centred[value][:-1]) for value in chosen}
    return chosen, {value: float(line[-1] - line[-2]) for value, line in ordered.items()}


def _best(weights: NDArray[Any]) -> tuple[dict[int, int], float]:
    from scipy.optimize import linear_sum_assignment

    values, labels = linear_sum_assignment(weights, maximize=True)
    chosen = {int(value): int(label) for value, label in zip(values, labels, strict=True)}
    return chosen, float(weights[values, labels].sum())


def _times(nats: float) -> str:
    return f"{min(math.exp(nats), 999):.2g} times"


def _name(profile: ColumnProfile, value: str) -> str:
    place = int(value) if value.isdigit() else -1
    return profile.class_names[place] if 0 <= place < len(profile.class_names) else value


def _rows(column: str, value: str, sample: Sample, context: Sequence[str]) -> tuple[str, ...]:
    """Two rows that have the value, as they show the context columns."""
    places = [place for place, text in enumerate(sample.texts(column)) if text == value][:2]
    return tuple(
        " | ".join(f"{name}: {sample.texts(name)[place][:130]}" for name in context if name != column) for place in places if context
    )
