"""Examples far longer or shorter than the rest, in tokens by whatever counts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from engine.errors import BadInput
from engine.quality.pairs import Pair, Verdict
from engine.records import Value

LENGTH_BINS = (0, 1, 2, 3, *(start * 2**power for power in range(1, 13) for start in (2, 3)), 16384)
"""Where the bins of a histogram of lengths begin: 0, 1, 2, 3, 4, 6, 8, 12, … so that each doubling has two; the last bin has no end.
The same for all sources, so that their histograms lie beside each other."""
_MAD_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation is so many times its median absolute deviation."""
_LEAST_SIGMA = 0.1
"""On logarithms, about a tenth of the length: where nearly all lengths are equal, a token more is no outlier."""


class Lengths(Value):
    """How long inputs or outputs are."""

    part: Literal["input", "output", "both"]
    examples: int
    median: float
    p5: float
    p95: float
    longest: int
    least: float
    """Below this is an outlier."""
    most: float
    """Above this is an outlier."""
    short: int
    long: int
    empty: int
    histogram: tuple[int, ...]
    """Examples in each of LENGTH_BINS."""
    verdicts: tuple[Verdict, ...]


def measure_lengths(
    pairs: Sequence[Pair],
    count: Callable[[str], int],
    *,
    part: Literal["input", "output", "both"] = "input",
    deviations: float = 3.5,
    at_most: int | None = None,
) -> Lengths:
    """Length of each example by `count` (text → tokens), and which are outliers.

    An outlier's logarithm lies more than `deviations` robust standard deviations from the median (median absolute deviation; 3.5 after
    Iglewicz & Hoaglin 1993). With fewer than 10 examples nothing is one. More than `at_most` tokens, where given, and none at all are
    always out. Raises BadInput for no examples.
    """
    import numpy as np

    if not pairs:
        raise BadInput("there are no examples to measure", "Give at least one.")
    found = np.array([_counted(pair, part, count) for pair in pairs], np.int64)
    logs = np.log(found[found > 0]) if (found > 0).any() else np.zeros(1)
    middle = float(np.median(logs))
    sigma = max(_LEAST_SIGMA, _MAD_TO_SIGMA * float(np.median(np.abs(logs - middle))))
    enough = len(logs) >= 10
    least, most = (float(np.exp(middle - deviations * sigma)), float(np.exp(middle + deviations * sigma))) if enough else (0.0, np.inf)
    most = min(most, at_most) if at_most is not None else most
    verdicts = [_verdict(place, int(size), least, most, float(np.exp(middle))) for place, size in enumerate(found)]
    low, half, high = np.percentile(found, (5, 50, 95))
    kinds = [one.kind for one in verdicts]
    return Lengths(
        part=part,
        examples=len(pairs),
        median=float(half),
        p5=float(low),
        p95=float(high),
        longest=int(found.max()),
        least=least,
        most=float(most),
        short=kinds.count("short"),
        long=kinds.count("long"),
        empty=kinds.count("empty"),
        histogram=tuple(map(int, np.bincount(np.searchsorted(LENGTH_BINS, found, side="right") - 1, minlength=len(LENGTH_BINS)))),
        verdicts=tuple(verdicts),
    )


def _counted(pair: Pair, part: str, count: Callable[[str], int]) -> int:
    text = {"input": pair.input, "output": pair.output}.get(part, f"{pair.input}\n{pair.output}")
    return count(text) if text.strip() else 0


def _verdict(place: int, size: int, least: float, most: float, middle: float) -> Verdict:
    usual = f"{size} tokens; usual are {middle:.0f}"
    if size == 0:
        return Verdict(place, False, "empty", "nothing is there")
    if size < least:
        return Verdict(place, False, "short", f"{usual}, at least {least:.0f}", score=size)
    if size > most:
        return Verdict(place, False, "long", f"{usual}, at most {most:.0f}", score=size)
    return Verdict(place, True, score=size)
