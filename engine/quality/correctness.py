"""Whether outputs are right, as a judge model finds that does the task itself, with the judge's own error beside it."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.errors import BadInput
from engine.plan.witness.belief import belief
from engine.plan.witness.solver import Weigh
from engine.quality.diversity import Interval
from engine.quality.likeness import chrf, token_f1
from engine.quality.listed_options import options_in
from engine.quality.near_duplicates import rouge_l
from engine.quality.pairs import Pair, Verdict
from engine.quality.shares import Calibration, Share, calibrate, corrected, dealt_out, share_of
from engine.quality.solving import Bar, Place, Weighed, Written, bar_of, is_closed, weigh, write
from engine.quality.words import normalised
from engine.records import Task, Value

_RIGHT, _WRONG = "\0right", "\0wrong"
"""Names of the examples with known answers among the sources."""


class Known(Value):
    """An example of which it is known whether its output is right."""

    input: str
    output: str
    right: bool = True


class Likeness(Value):
    """How like the judge's own answers outputs in free text are, means from 0 to 1, and how like outputs dealt out to other rows are."""

    same: float
    """Share that are the same but for case, blanks and punctuation."""
    token_f1: float
    rouge_l: float
    chrf: float
    dealt_token_f1: float
    dealt_rouge_l: float
    dealt_chrf: float


class Correctness(Value):
    """What a judge says of the outputs of one source."""

    examples: int
    judged: int
    """So many got an answer of the judge."""
    found_right: Share
    """Of those judged: it takes the output for the right one. Its own errors are in it."""
    by_chance: float
    """What it would find right of the same outputs dealt out to other examples."""
    belief: float
    """Probability that it agrees with the outputs more than with those dealt out; 0.5 without any sign of it."""
    judge: Calibration | None
    """Its own error; None where no examples with known answers were given."""
    right: Interval | None
    """The share that is right, its error taken out (Rogan & Gladen 1978); None where the error is not known or the judge cannot tell."""
    by_origin: dict[str, Share]
    """Found right by where the output is from: copied, derived, written, edited."""
    likeness: Likeness | None
    """For free text."""
    failed: dict[str, int]
    """Why some were not judged; over all sources and known examples together."""
    verdicts: tuple[Verdict, ...]
    """Of the examples judged; `kept` is whether it found the output right, `score` how sure it is: nats by which the output leads over
    the best other, or of yes over no."""

    @property
    def found(self) -> frozenset[int]:
        """Places of the examples found right."""
        return frozenset(one.index for one in self.verdicts if one.kept)

    @property
    def reason(self) -> str:
        """What it comes to, in one line."""
        seen = f"found {self.found_right.share:.0%} of {self.judged} right (outputs of other examples {self.by_chance:.0%})"
        if self.judge is None:
            return f"{seen}; its own error is not measured"
        if self.right is None:
            return f"{seen}; the judge cannot tell: it {self.judge.reason.removesuffix(': it cannot tell')}"
        right = self.right
        return f"{seen}, {right.mean:.0%} ({right.low:.0%} to {right.high:.0%}) with its error taken out: it {self.judge.reason}"


def judge_correctness(
    task: Task,
    sources: Mapping[str, Sequence[Pair]],
    ask: Weigh,
    *,
    known: Sequence[Known] = (),
    rotations: int = 2,
    tokens: int = 64,
    seed: int = 0,
) -> dict[str, Correctness]:
    """Every example held against what the model behind `ask` makes of its input, all sources and known examples by one rule.

    Labels and options: the output must be the likeliest of the choices, options in `rotations` orders, the model's liking of labels and
    places taken off. Free text: it must be more like the model's own answer (at most `tokens` long), or get more of a yes, than 19 of 20
    outputs of other rows. Wrong examples are made of the right known ones with outputs of others; those given as wrong are added. Known
    examples that are the user's own are left out, for the judge is shown those. Raises BadInput for known examples that measure nothing.
    """
    asked: dict[str, Sequence[Pair]] = dict(sources)
    if known:
        asked[_RIGHT], asked[_WRONG] = known_answers(task, known, seed)
    failed: Counter[str] = Counter()
    judging = (
        _closed(asked, weigh(task, asked, ask, rotations, failed))
        if is_closed(task)
        else _open(asked, write(task, asked, ask, seed, tokens, failed, (_RIGHT, _WRONG)))
    )
    judge = calibrate(*([one.right for one in judging.seen[name].values()] for name in (_RIGHT, _WRONG))) if known else None
    return {name: _correctness(pairs, judging, name, judge, failed) for name, pairs in sources.items()}


def known_answers(task: Task, known: Sequence[Known], seed: int) -> tuple[list[Known], list[Known]]:
    """Right and wrong examples to measure a judge on. Raises BadInput where there are none of either."""
    shown = {normalised(one.input) for one in task.examples}
    fresh = [one for one in known if normalised(one.input) not in shown]
    right = [one for one in fresh if one.right]
    dealt = dealt_out([one.output for one in right], f"{seed} known") if right else []
    if task.output.kind in ("option_text", "option_letter"):
        dealt = [_other_option(task, one, f"{seed} {place}") for place, one in enumerate(right)]
    wrong = [Known(one.input, output, False) for one, output in zip(right, dealt, strict=True) if output is not None]
    wrong += [one for one in fresh if not one.right]
    if not right or not wrong:
        raise BadInput(
            f"{len(right)} known right examples and {len(wrong)} wrong ones measure nothing",
            "Give right ones with different outputs, best 50 or more, other than those in the task file.",
        )
    return right, wrong


def _other_option(task: Task, one: Known, seed: str) -> str | None:
    """Another of an example's own options."""
    listed = options_in(one.input, one.output, task.output.kind)
    names = () if listed is None else listed.signs if task.output.kind == "option_letter" else listed.options
    others = [name for name in names if name != one.output]
    return random.Random(seed).choice(others) if others else None


class _One(NamedTuple):
    """What is said of one example."""

    right: bool
    score: float
    gain: float
    """Over an output dealt out, -1 to 1."""
    dealt: float
    """Whether, or how likely, an output dealt out would be found right."""
    reason: str


class _Judging(NamedTuple):
    seen: dict[str, dict[int, _One]]
    """By source and index."""
    likeness: dict[str, Likeness]


def _closed(sources: Mapping[str, Sequence[Pair]], weighed: Mapping[Place, Weighed]) -> _Judging:
    seen: dict[str, dict[int, _One]] = {}
    for name, pairs in sources.items():
        places = [index for index in range(len(pairs)) if (name, index) in weighed]
        outputs = Counter(pairs[index].output for index in places)
        fixed = len({weighed[name, index].choices for index in places}) == 1
        seen[name] = {}
        for index in places:
            found, output = weighed[name, index], pairs[index].output
            # An output dealt out is each label as often as the source has it, or any of the row's own options.
            usual = {choice: outputs[choice] / len(places) if fixed else 1 / len(found.choices) for choice in found.choices}
            chance = sum(share * math.exp(found.of(choice)) for choice, share in usual.items())
            right = found.best == output
            reason = "" if right else f"the judge takes {found.best[:60]!r} for right"
            seen[name][index] = _One(right, found.margin(output), math.exp(found.of(output)) - chance, usual[found.best], reason)
    return _Judging(seen, {})


def _open(sources: Mapping[str, Sequence[Pair]], written: Mapping[Place, Written]) -> _Judging:
    # The bar is read off the examples alone, so that the judge's error on the known ones is measured with a rule they had no part in.
    bar = bar_of([one for (name, _), one in written.items() if name not in (_RIGHT, _WRONG)])
    seen: dict[str, dict[int, _One]] = {}
    alike: dict[str, Likeness] = {}
    for name, pairs in sources.items():
        own = {index: written[name, index] for index in range(len(pairs)) if (name, index) in written}
        seen[name] = {index: _written(one, pairs[index].output, bar) for index, one in own.items()}
        if own:
            alike[name] = _likeness([(one, pairs[index].output) for index, one in own.items()])
    return _Judging(seen, alike)


def _written(one: Written, output: str, bar: Bar) -> _One:
    right = bar.passed(one.lean, one.likeness(output))
    other = one.other_lean
    gain = 0.0 if other is None or other == one.lean else 1.0 if one.lean > other else -1.0
    dealt = other is not None and one.other is not None and bar.passed(other, one.likeness(one.other))
    return _One(right, one.lean, gain, float(dealt), "" if right else f"the judge answers {one.answer[:60]!r}")


def _likeness(answers: Sequence[tuple[Written, str]]) -> Likeness:
    own = [(one.answer, output) for one, output in answers]
    dealt = [(one.answer, one.other) for one, _ in answers if one.other is not None] or [("", "x")]
    measures = (token_f1, rouge_l, chrf)
    means = [sum(measure(one, other) for one, other in some) / len(some) for some in (own, dealt) for measure in measures]
    return Likeness(sum(normalised(one) == normalised(other) for one, other in own) / len(own), *means)


def _correctness(pairs: Sequence[Pair], judging: _Judging, name: str, judge: Calibration | None, failed: Counter[str]) -> Correctness:
    seen = judging.seen[name]
    found = share_of(sum(one.right for one in seen.values()), len(seen))
    origins: dict[str, list[bool]] = {}
    for index, one in seen.items():
        origins.setdefault(getattr(pairs[index], "output_origin", ""), []).append(one.right)
    return Correctness(
        examples=len(pairs),
        judged=len(seen),
        found_right=found,
        by_chance=sum(one.dealt for one in seen.values()) / max(1, len(seen)),
        belief=belief([one.gain for one in seen.values()]),
        judge=judge,
        right=None if judge is None else corrected(found, judge),
        by_origin={origin: share_of(sum(rights), len(rights)) for origin, rights in sorted(origins.items()) if origin},
        likeness=judging.likeness.get(name),
        failed=dict(failed.most_common()),
        verdicts=tuple(
            Verdict(index, one.right, "" if one.right else "disagrees", one.reason, score=round(one.score, 3))
            for index, one in seen.items()
        ),
    )
