"""How many demonstrations, and chat or plain text: chosen on the task's own examples, each asked with others of them shown.

The test has no say in it. Few-shot prompting at its best is what a trained model has to beat.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

from engine.evaluate.asking import Answer, Asker, Plan, Setting, Style, demonstrations
from engine.evaluate.items import Item, Test
from engine.evaluate.scores import TEXT_METRICS, credit, predicted
from engine.records import Value

MOST_TRIED = 16
"""Examples each setting is tried on."""
LEAST_TRIED = 2
PAPER = 2
"""Demonstrations of the published baseline."""
_LEAST = -1e6
"""Where nothing was weighed: infinity is no JSON."""
_ON_EXAMPLES = Plan(priors=False, writes=False)
_ON_OPEN_EXAMPLES = Plan(priors=False, writes=True)


class Tried(Value):
    """What a setting was worth on the examples."""

    setting: Setting
    score: float
    """Mean score, 0 to 1, by the figure that decides or what comes nearest to it."""
    likelihood: float
    """Mean log-probability of the right answer: among the options, or a token of it."""
    n: int
    """Examples it was tried on."""


class Choice(Value):
    """The setting taken, and why."""

    setting: Setting
    why: str
    tried: tuple[Tried, ...] = ()


def settings_of(shots: Sequence[int], styles: Sequence[Style], pool: int) -> tuple[Setting, ...]:
    """All ways to ask that are to be tried; no more demonstrations than there are examples, and none where it is asked as trained."""
    found = [Setting(0 if style == "export" else min(count, pool), style) for style in styles for count in shots]
    return tuple(dict.fromkeys(found))


def usual(settings: Sequence[Setting]) -> Setting:
    """The setting where nothing can be tried: two demonstrations in a chat, or what comes nearest."""
    return min(settings, key=lambda one: (one.style != "chat", abs(one.shots - PAPER), one.shots))


def choose(asker: Asker, test: Test, pool: Sequence[Item], settings: Sequence[Setting], way: str, seed: int) -> Choice:
    """Try every setting on the examples, each left out in turn. Ties go to the likelier right answers, then to fewer demonstrations."""
    if len(settings) == 1:
        return Choice(settings[0], "the only one asked for")
    some = tried_on(pool, seed)
    if len(some) < LEAST_TRIED:
        return Choice(usual(settings), f"the usual one: {len(pool)} example{'' if len(pool) == 1 else 's'} cannot choose")
    tried = tuple(_tried(asker, test, pool, some, setting, way, seed) for setting in settings)
    best = max(tried, key=lambda one: (one.score, one.likelihood, -one.setting.shots))
    worst = min(one.score for one in tried)
    why = f"best of {len(tried)} on {best.n} examples of the task, each left out in turn: {best.score:.2f}"
    if best.score == worst:
        why += ", as all have; its right answers are likeliest"
    return Choice(best.setting, why, tried)


def tried_on(pool: Sequence[Item], seed: int) -> list[Item]:
    """The examples settings are tried on."""
    return [*pool] if len(pool) <= MOST_TRIED else random.Random(f"tried {seed}").sample([*pool], MOST_TRIED)


def calls_of_choosing(asker: Asker, pool: Sequence[Item], settings: Sequence[Setting], seed: int) -> int:
    """At most so many calls."""
    some = tried_on(pool, seed)
    if len(settings) == 1 or len(some) < LEAST_TRIED:
        return 0
    return len(settings) * sum(1 if item.options else 2 for item in some)


def _tried(asker: Asker, test: Test, pool: Sequence[Item], some: Sequence[Item], setting: Setting, way: str, seed: int) -> Tried:
    # The last example cannot be shown before itself.
    shown = demonstrations(pool, setting.shots, seed)
    closed = all(item.options for item in some)
    if closed:
        answers = asker.ask(test, some, setting, shown, _ON_EXAMPLES, seed)
        by = way if all(answer.scores(way) for answer in answers) else "sum"
        scores = [credit(item, predicted(answer, by)) for item, answer in zip(some, answers, strict=True)]
        likely = [_of_right(item, answer) for item, answer in zip(some, answers, strict=True)]
    else:
        whole = [msgspec.structs.replace(item, options=(item.answer,), credits=(1.0,)) for item in some]
        answers = asker.ask(test, whole, setting, shown, _ON_OPEN_EXAMPLES, seed)
        metric = TEXT_METRICS.get(test.metric, TEXT_METRICS["exact_match"])
        scores = [metric(answer.text, item.answer) for item, answer in zip(some, answers, strict=True)]
        likely = [answer.scores("per_token")[0] for answer in answers if answer.sums]
    return Tried(setting, sum(scores) / len(scores), sum(likely) / len(likely) if likely else _LEAST, len(some))


def _of_right(item: Item, answer: Answer) -> float:
    """Log-probability of the right options among all; what no answer came for counts as a thousandth."""
    if not answer.sums:
        return math.log(1e-3)
    top = max(answer.sums)
    total = sum(math.exp(one - top) for one in answer.sums)
    right = sum(math.exp(answer.sums[place] - top) for place in item.right)
    return math.log(max(1e-12, right / total))
