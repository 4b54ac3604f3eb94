"""A model does a task by itself on the inputs of examples: what it takes the outputs to be, and how sure it is of the ones given.

Labels and options are weighed (engine.plan.witness.solver), options in several orders; for free text it writes an answer of its own and
says yes or no to the one given. The example's own output is in no prompt but that of the yes-or-no question.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.plan.witness.readings import MOST_LABELS, Shown
from engine.plan.witness.solver import Solver, Weigh, read_scores
from engine.prompts.judge import NO, YES, check_messages
from engine.prompts.witness import solve_messages
from engine.quality.likeness import likeness
from engine.quality.listed_options import options_in
from engine.quality.pairs import Pair
from engine.quality.shares import dealt_out
from engine.records import Task
from models.language import Request, Sampling

Place = tuple[str, int]
"""Source and index of an example in it."""
NO_OPTIONS = "no list of options that holds the output was found in the input"
LONGEST_ANSWER = 200
SURER_THAN = 0.95
"""Share of other rows' outputs that an output must be clearer than, by the check or by likeness."""


class Weighed(NamedTuple):
    """How likely each of an example's choices is to the model, its liking of labels and places taken off."""

    choices: tuple[str, ...]
    logs: tuple[float, ...]

    @property
    def best(self) -> str:
        """The likeliest choice."""
        return self.choices[max(range(len(self.logs)), key=self.logs.__getitem__)]

    def of(self, output: str) -> float:
        """Log-probability of an output; minus infinity for one that is no choice."""
        return self.logs[self.choices.index(output)] if output in self.choices else -math.inf

    def margin(self, output: str) -> float:
        """Nats by which an output leads over the best other."""
        return self.of(output) - max(log for choice, log in zip(self.choices, self.logs, strict=True) if choice != output)


class Written(NamedTuple):
    """What the model wrote for an example's input, and how far it leans to yes for the output given and for another row's, in nats."""

    answer: str
    lean: float
    other: str | None
    other_lean: float | None

    def likeness(self, output: str) -> float:
        """Of an output to the model's own answer."""
        return likeness(self.answer, output)


def is_closed(task: Task) -> bool:
    """Whether outputs are among choices that can be weighed."""
    return _offers(task) or 2 <= len(task.output.labels) <= MOST_LABELS


def _offers(task: Task) -> bool:
    return task.output.kind in ("option_text", "option_letter")


def calls_each(task: Task, rotations: int) -> int:
    """Calls an example takes."""
    return (rotations if _offers(task) else 1) if is_closed(task) else 3


def weigh(task: Task, sources: Mapping[str, Sequence[Pair]], ask: Weigh, rotations: int, failed: Counter[str]) -> dict[Place, Weighed]:
    """Every example's choices, weighed; those that have none or got no answer are counted in `failed` by reason.

    What the model likes of a label or a place is read off all examples together, so sources are measured by one rule.
    """
    shown: dict[Place, list[tuple[Shown, tuple[str, ...]]]] = {}
    for source, pairs in sources.items():
        for index, pair in enumerate(pairs):
            ways = _ways(task, pair, f"{source}\n{index}", rotations)
            if ways:
                shown[source, index] = ways
            else:
                failed[NO_OPTIONS if _offers(task) else "the output is none of the labels"] += 1
    solver = Solver(task, ask)
    chances = solver.chances([row for ways in shown.values() for row, _ in ways])
    failed.update(solver.errors)
    found = {}
    for place, ways in shown.items():
        answered = [(chances[row.key], stands) for row, stands in ways if row.key in chances]
        if answered:
            choices = ways[0][1]
            sums = dict.fromkeys(choices, 0.0)
            for chance, stands in answered:
                for likely, choice in zip(chance, stands, strict=True):
                    sums[choice] += math.log(max(likely, 1e-30)) / len(answered)
            found[place] = Weighed(choices, tuple(sums.values()))
    return found


def _ways(task: Task, pair: Pair, key: str, rotations: int) -> list[tuple[Shown, tuple[str, ...]]]:
    """An example in each order of its options, with which choice stands in each place."""
    labels = task.output.labels
    if not _offers(task):
        return [(Shown(key, pair.input, pair.output, labels), labels)] if pair.output in labels else []
    letters = task.output.kind == "option_letter"
    listed = options_in(pair.input, pair.output, task.output.kind)
    if listed is None:
        return []
    names = listed.signs if letters else listed.options
    count = len(names)
    ways = []
    for number in range(min(rotations, count)):
        text, order = listed.rotated(number * count // min(rotations, count))
        stands = tuple(names[place] for place in order)
        choices = listed.signs if letters else stands
        ways.append((Shown(f"{key}\n{number}", text, choices[0], choices, menu=not letters), stands))
    return ways


def write(
    task: Task, sources: Mapping[str, Sequence[Pair]], ask: Weigh, seed: int, tokens: int, failed: Counter[str], apart: Collection[str] = ()
) -> dict[Place, Written]:
    """Every example's input answered by the model, at most `tokens` long, and its yes or no to the output given and to another row's;
    of the sources in `apart` to the output given alone."""
    others = {
        source: [None] * len(pairs) if source in apart else dealt_out([pair.output for pair in pairs], f"{seed} {source}")
        for source, pairs in sources.items()
    }
    places = [(source, index) for source, pairs in sources.items() for index in range(len(pairs))]

    def requests() -> Iterator[Request]:
        for number, (source, index) in enumerate(places):
            text = sources[source][index].input
            sampling = Sampling(max_tokens=min(tokens, LONGEST_ANSWER))
            yield Request(f"{number} own", solve_messages(task, text), sampling=sampling)
        # Questions of one kind follow each other, for they share the beginning of their prompts.
        for number, (source, index) in enumerate(places):
            pair = sources[source][index]
            yield Request(f"{number} given", check_messages(task, pair.input, pair.output), choices=(YES, NO))
            other = others[source][index]
            if other is not None:
                yield Request(f"{number} other", check_messages(task, pair.input, other), choices=(YES, NO))

    said: dict[str, str] = {}
    for completion in ask(requests()):
        if completion.finish == "error" or (completion.finish == "length" and not completion.key.endswith("own")):
            failed[completion.error or completion.finish] += 1
        else:
            said[completion.key] = completion.text
    found = {}
    for number, (source, index) in enumerate(places):
        if f"{number} own" in said and f"{number} given" in said:
            other = said.get(f"{number} other")
            lean = None if other is None else _lean(other)
            found[source, index] = Written(said[f"{number} own"].strip(), _lean(said[f"{number} given"]), others[source][index], lean)
    return found


class Bar(NamedTuple):
    """From when on an output in free text counts as right: it must be above what nearly all outputs of other rows come to."""

    lean: float
    likeness: float

    def passed(self, lean: float, likeness: float) -> bool:
        """Whether an output is right, by the check or by likeness to the model's own answer."""
        return lean > self.lean or likeness > self.likeness


def bar_of(written: Sequence[Written]) -> Bar:
    """The bar, from what the model says of outputs dealt out to other rows; where there are none, nothing passes."""
    import numpy as np

    leans = [one.other_lean for one in written if one.other_lean is not None]
    likes = [one.likeness(one.other) for one in written if one.other is not None]
    if not leans or not likes:
        return Bar(math.inf, math.inf)
    return Bar(float(np.quantile(leans, SURER_THAN, method="higher")), float(np.quantile(likes, SURER_THAN, method="higher")))


def _lean(text: str) -> float:
    yes, no = read_scores(text)
    return yes - no
