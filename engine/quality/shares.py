"""Shares with intervals, how often a judge errs on known answers, and what its words about others are worth then."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from engine.quality.diversity import Interval
from engine.records import Value

_Z = 1.959964
"""Of a normal distribution, for 95 %."""
_RESAMPLES = 1000


class Share(Value):
    """So many of so many, with a 95 % interval (Wilson 1927); 0 to 1 and no share at all for none."""

    count: int
    of: int
    share: float
    low: float
    high: float


class Calibration(Value):
    """A judge's own error, on examples whose answers are known."""

    right: Share
    """Of examples that are right, those it finds right (hit rate)."""
    wrong: Share
    """Of examples that are wrong, those it finds right all the same (false-accept rate)."""
    gap: Interval
    """Hit rate less false-accept rate, 95 % after Newcombe (1998): 0 for a judge that does not look."""
    tells: bool
    """Whether the gap is above 0 for sure."""
    reason: str


def share_of(count: int, of: int) -> Share:
    """A share with its interval."""
    if of == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    share = count / of
    middle = (share + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
    half = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2)) / (1 + _Z**2 / of)
    return Share(count, of, share, max(0.0, middle - half), min(1.0, middle + half))


def calibrate(right: Sequence[bool], wrong: Sequence[bool]) -> Calibration:
    """A judge's error from what it found right among examples that are right, and among examples that are wrong."""
    hit, false = share_of(sum(right), len(right)), share_of(sum(wrong), len(wrong))
    gap = hit.share - false.share
    low = gap - math.hypot(hit.share - hit.low, false.high - false.share)
    high = gap + math.hypot(hit.high - hit.share, false.share - false.low)
    tells = low > 0 and bool(right) and bool(wrong)
    words = f"finds {hit.share:.0%} of {hit.of} right ones right, and {false.share:.0%} of {false.of} wrong ones"
    return Calibration(hit, false, Interval(gap, max(-1.0, low), min(1.0, high)), tells, words if tells else f"{words}: it cannot tell")


def corrected(found: Share, judge: Calibration) -> Interval | None:
    """The share that is right, from the share a judge with known error found right; None for a judge that cannot tell.

    Rogan & Gladen (1978), with the interval of Lang & Reiczigel (2014, Prev. Vet. Med. 113), which counts in that the judge's error is
    itself an estimate. It holds for wrong examples that are like those the error was measured on.
    """
    if not judge.tells or not found.of:
        return None
    plain = (found.share - judge.wrong.share) / (judge.right.share - judge.wrong.share)
    n = found.of + _Z**2
    seen = (found.count + _Z**2 / 2) / n
    hit, spared = (judge.right.count + 1) / (judge.right.of + 2), (judge.wrong.of - judge.wrong.count + 1) / (judge.wrong.of + 2)
    power = hit + spared - 1
    if power <= 0:
        return None
    share = (seen + spared - 1) / power
    of_hit, of_spared = hit * (1 - hit) / (judge.right.of + 2), spared * (1 - spared) / (judge.wrong.of + 2)
    shift = 2 * _Z**2 * (share * of_hit - (1 - share) * of_spared)
    half = _Z * math.sqrt(seen * (1 - seen) / n + share**2 * of_hit + (1 - share) ** 2 * of_spared) / power
    return Interval(_unit(plain), _unit(share + shift - half), _unit(share + shift + half))


def bootstrapped(values: Sequence[float], seed: int = 0) -> Interval:
    """A mean with the 2.5th and 97.5th percentile of means of resampled values (percentile bootstrap, Efron 1979)."""
    import numpy as np

    drawn = np.random.default_rng(seed)
    known = np.asarray(values, np.float64)
    means = [float(known[drawn.integers(len(known), size=len(known))].mean()) for _ in range(_RESAMPLES)]
    low, high = (float(np.percentile(means, part)) for part in (2.5, 97.5))
    return Interval(float(known.mean()), low, high)


def dealt_out(outputs: Sequence[str], seed: str) -> list[str | None]:
    """For each place the output of another one, drawn by seed, that is not the same; None where all others are."""
    chosen = random.Random(seed)
    dealt: list[str | None] = []
    for own in outputs:
        other = outputs[chosen.randrange(len(outputs))]
        if other == own:
            others = [one for one in outputs if one != own]
            other = chosen.choice(others) if others else None  # type: ignore[assignment]
        dealt.append(other)
    return dealt


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
