"""Figures over items with their uncertainty: bootstrap over draws of demonstrations and clusters of items, paired tests, ratios.

A figure is a function of sums over items, so that a share, a mean and a macro-F1 are drawn anew in the same way. Items of one cluster
are drawn together (cluster bootstrap, Davison & Hinkley 1997, 3.8). Where there are several draws of demonstrations, draws and clusters
are both drawn anew, clusters alike in all draws, for these saw the same items (two-way bootstrap, Owen 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
TAIL = 0.025
"""Of resamples on each side of a 95 % interval."""
DESCRIPTIVE_BELOW = 250
"""Independent items under which a test describes these items and decides little about others."""
_AT_ONCE = 2_000_000
"""Numbers held while resampling."""
_MOST_EXACT = 14
"""Clusters up to which all flips of signs are tried."""


class Estimate(Value):
    """A figure with its 95 % interval, and over what."""

    value: float
    low: float
    high: float
    n: int
    """Items."""
    clusters: int
    """Independent groups of them."""
    draws: int = 1
    """Draws of demonstrations it is averaged over."""

    @property
    def descriptive(self) -> bool:
        """Whether there are too few independent items for more than a description."""
        return self.clusters < DESCRIPTIVE_BELOW

    def scaled(self, zero: float, hundred: float) -> Estimate:
        """On a scale where `zero` is 0 and `hundred` 100."""
        value, low, high = (100 * (one - zero) / (hundred - zero) for one in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.n, self.clusters, self.draws)


class Difference(Value):
    """One figure less another on the same items."""

    estimate: Estimate
    p: float
    """Two-sided."""
    test: str


class Parts(NamedTuple):
    """What a figure is made of."""

    numbers: NDArray[np.float64]
    """Of each item in each draw, shape (draws, items, width)."""
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """From sums over items, shape (…, width), to the figure, shape (…)."""
    bounds: tuple[float, float] | None = None
    """Between which the figure of one item lies, where it is a mean of such."""


def mean_of(scores: ArrayLike, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Parts:
    """The parts of a mean, from the scores of each draw's items, shape (draws, items)."""
    import numpy as np

    found = np.asarray(scores, np.float64)
    return Parts(np.stack([found, np.ones_like(found)], axis=-1), _ratio_of_sums, bounds)


def estimate(parts: Parts, clusters: Sequence[str], seed: int = 0) -> Estimate:
    """The figure with its percentile bootstrap interval.

    Where a share is 0 or 1 in every item there is nothing to draw anew: the interval is then the exact one of so many clusters
    (Clopper & Pearson 1934).
    """
    import numpy as np

    groups = _numbered(clusters)
    value = _value(parts)
    of = (len(groups), int(groups.max()) + 1, len(parts.numbers))
    if parts.bounds and value in parts.bounds:
        width = (parts.bounds[1] - parts.bounds[0]) * (1 - TAIL ** (1 / of[1]))
        return Estimate(value, value - width * (value == parts.bounds[1]), value + width * (value == parts.bounds[0]), *of)
    drawn = np.concatenate([_figure(parts, sums) for (sums,) in _resampled([parts], groups, seed)])
    return Estimate(value, *_interval(drawn, value), *of)


def difference(one: Parts, other: Parts, clusters: Sequence[str], seed: int = 0) -> Difference:
    """The first figure less the second, drawn anew together, with a paired test; an exact interval where all items differ alike.

    For right or wrong on independent items in one draw that is McNemar's exact test (1947); else signs of differences are flipped cluster
    by cluster, or the two swapped where the figure is no mean (paired permutation test, Fisher 1935): all ways for few clusters, else
    as many as resamples.
    """
    import numpy as np

    groups = _numbered(clusters)
    value = _value(one) - _value(other)
    drawn = np.concatenate([_figure(one, ours) - _figure(other, theirs) for ours, theirs in _resampled([one, other], groups, seed)])
    count = int(groups.max()) + 1
    low, high = _interval(drawn, value)
    if low == high and one.bounds == other.bounds == (0.0, 1.0):
        # As in `estimate`: all that was seen is alike, and what was not seen may have the weight that so many clusters can miss.
        missed = 1 - TAIL ** (1 / count)
        low, high = value - missed * (1 + value), value + missed * (1 - value)
    found = Estimate(value, low, high, len(groups), count, max(len(one.numbers), len(other.numbers)))
    single = len(one.numbers) == len(other.numbers) == 1 and count == len(groups)
    binary = one.bounds is not None and bool(np.isin(one.numbers[..., 0], (0, 1)).all() and np.isin(other.numbers[..., 0], (0, 1)).all())
    if single and binary:
        return Difference(found, _mcnemar(one.numbers[0, :, 0], other.numbers[0, :, 0]), "McNemar's exact test")
    return Difference(found, *_permuted(one, other, groups, value, seed))


ROUNDING = 1e-9
"""A figure that is above another by less is equal to it: 30 of 150 right is chance among five."""


def ratio(one: Parts, other: Parts, clusters: Sequence[str], zero: float = 0.0, seed: int = 0) -> Estimate | None:
    """The first figure above `zero` as a share of the second's; None where the second is not clear of `zero`: its lower bound is not above
    it, or resamples in which it is not reach the interval."""
    import numpy as np

    groups = _numbered(clusters)
    below = estimate(other, clusters, seed)
    if below.low <= zero + ROUNDING:
        return None
    drawn = []
    for ours, theirs in _resampled([one, other], groups, seed):
        under = _figure(other, theirs) - zero
        drawn.append(np.where(under > ROUNDING, (_figure(one, ours) - zero) / np.where(under > ROUNDING, under, 1), np.inf))
    value = (_value(one) - zero) / (_value(other) - zero)
    low, high = _interval(np.concatenate(drawn), value)
    return Estimate(value, low, high, below.n, below.clusters, below.draws) if high < np.inf else None


def _numbered(clusters: Sequence[str]) -> NDArray[np.intp]:
    import numpy as np

    if not clusters:
        raise ValueError("a figure over no items")
    # By name: in which order items come must not change what is drawn.
    return np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1]


def _value(parts: Parts) -> float:
    return float(parts.figure(parts.numbers.sum(axis=1)).mean())


def _figure(parts: Parts, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of resampled sums, shape (resamples, draws, width): the mean over the draws that were drawn."""
    found: NDArray[np.float64] = parts.figure(sums).mean(axis=1)
    return found


def _resampled(several: Sequence[Parts], groups: NDArray[np.intp], seed: int) -> Iterator[list[NDArray[np.float64]]]:
    """Sums of each of several figures over the same clusters drawn anew, shape (resamples, draws, width) each; piece by piece.

    Draws of demonstrations are drawn for each figure by itself, unless they have equally many: then they belong together.
    """
    import numpy as np

    count = int(groups.max()) + 1
    cells = [_by_cluster(parts, groups, count) for parts in several]
    drawn = np.random.default_rng(seed)
    left = RESAMPLES
    while left:
        now = min(left, max(1, _AT_ONCE // max(count, max(cell[0].size for cell in cells))))
        places = drawn.integers(count, size=(now, count)) + count * np.arange(now)[:, None]
        weights = np.bincount(places.ravel(), minlength=now * count).reshape(now, count).astype(np.float64)
        chosen: dict[int, NDArray[np.intp]] = {}
        found = []
        for cell in cells:
            sums = np.einsum("rc,dcw->rdw", weights, cell, optimize=True)
            draws = len(cell)
            if draws > 1:
                if draws not in chosen:
                    chosen[draws] = drawn.integers(draws, size=(now, draws))
                sums = np.take_along_axis(sums, chosen[draws][:, :, None], axis=1)
            found.append(sums)
        yield found
        left -= now


def _by_cluster(parts: Parts, groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    import numpy as np

    draws, _, width = parts.numbers.shape
    cells = np.zeros((draws, count, width))
    for draw in range(draws):
        np.add.at(cells[draw], groups, parts.numbers[draw])
    return cells


def _interval(drawn: NDArray[np.float64], value: float) -> tuple[float, float]:
    """Percentiles, the upper one as the lower one of what is turned round, so that which of two models comes first does not matter; a
    figure that is curved in its sums may lie beyond them, and is always counted in."""
    import numpy as np

    low, high = (float(np.quantile(one, TAIL, method="inverted_cdf")) for one in (drawn, -drawn))
    return min(low, value), max(-high, value)


def _mcnemar(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import binomtest

    won, lost = int((one > other).sum()), int((one < other).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _permuted(one: Parts, other: Parts, groups: NDArray[np.intp], value: float, seed: int) -> tuple[float, str]:
    import numpy as np

    count = int(groups.max()) + 1
    ours, theirs = (_by_cluster(parts, groups, count) for parts in (one, other))
    if len(ours) != len(theirs):
        # Draws that do not belong together are averaged before the two are swapped.
        ours, theirs = ours.mean(axis=0, keepdims=True), theirs.mean(axis=0, keepdims=True)
        value = float((one.figure(ours.sum(axis=1)) - other.figure(theirs.sum(axis=1))).mean())
    between, total = ours - theirs, ours.sum(axis=1)
    rest = theirs.sum(axis=1)

    def swapped(flips: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = np.einsum("rc,dcw->rdw", flips, between, optimize=True)
        found: NDArray[np.float64] = (one.figure(total - moved) - other.figure(rest + moved)).mean(axis=1)
        return found

    least = abs(value) - 1e-12
    if count <= _MOST_EXACT:
        every = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float((np.abs(swapped(every.astype(np.float64))) >= least).mean()), "paired permutation test, exact"
    drawn = np.random.default_rng(seed + 1)
    left, beyond = RESAMPLES, 0
    while left:
        now = min(left, max(1, _AT_ONCE // max(count, between.size)))
        beyond += int((np.abs(swapped(drawn.integers(2, size=(now, count)).astype(np.float64))) >= least).sum())
        left -= now
    return (1 + beyond) / (1 + RESAMPLES), f"paired permutation test, {RESAMPLES:,} draws"


def _ratio_of_sums(sums: NDArray[np.float64]) -> Any:
    return sums[..., 0] / sums[..., 1]
