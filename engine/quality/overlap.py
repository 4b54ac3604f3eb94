"""How much of one text stands in another as runs of tokens, in whatever order and among whatever else; for many texts at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from engine.quality.words import ranks_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZES = (2, 3, 4)
"""Tokens in a run: the longer the text that is looked for, the longer; long texts hold short runs of each other by chance."""
_CANDIDATES = 20
"""Items looked at closely for one text."""
_LEAST_SHARED = 0.2
"""Of the different runs of an item, that a text must share for a closer look."""
_OFTEN = 0.02
"""Runs in more of the texts than this share find no candidates; the closer look counts them."""
_CHUNK = 2000
_WINDOW = 2
"""Runs count that stand within so many lengths of the item (and 20 tokens)."""


class Overlap(NamedTuple):
    """A text (its place) that holds much of an item (its place)."""

    text: int
    item: int
    share: float
    """Of the item's tokens that stand in the text as runs, 0 to 1."""
    back: float
    """Of the text's tokens that stand in the item as runs."""


def run_size(tokens: int) -> int:
    """How many tokens make a run for an item of so many."""
    return SIZES[0] if tokens < 20 else SIZES[1] if tokens < 60 else SIZES[2]


def overlaps(
    texts: Iterable[Sequence[str]],
    items: Sequence[Sequence[str]],
    lines: Sequence[Sequence[int]],
    least: float = 0.4,
    skip_own: bool = False,
) -> list[Overlap]:
    """All overlaps of at least `least`, either way, by text and then by item; no item of fewer than two tokens has any.

    `lines` holds the numbers of tokens in each line of each item: a line too short for a run, such as an option of one word, counts as
    found where the text has all its tokens.

    `skip_own` is for finding how alike items are among themselves: text n is then not held against item n. At most the 20 likeliest
    items are looked at for one text.
    """
    import numpy as np

    ranks, starts = ranks_of([*items, *texts])
    count = len(items)
    sizes = np.diff(starts)
    found: list[Overlap] = []
    long = [place for place in range(count) if sizes[place] >= SIZES[0]]
    by_size = {size: [place for place in long if run_size(int(sizes[place])) == size] for size in SIZES}
    looked = [_Looked(ranks, starts, places, size) for size, places in by_size.items() if places]
    loose = [_loose(lengths) for lengths in lines]
    for first in range(count, len(sizes), _CHUNK) if looked else ():
        after = min(first + _CHUNK, len(sizes))
        pairs = np.concatenate([one.candidates(first, after) for one in looked])
        if skip_own:
            pairs = pairs[pairs[:, 0] - count != pairs[:, 1]]
        order = np.lexsort((pairs[:, 1], -pairs[:, 2], pairs[:, 0]))
        pairs = pairs[order]
        nth = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0], "left")
        for text, item in pairs[nth < _CANDIDATES, :2].astype(np.int64).tolist():
            share, back = _closely(ranks[starts[item] : starts[item + 1]], ranks[starts[text] : starts[text + 1]], loose[item])
            if max(share, back) >= least:
                found.append(Overlap(text - count, item, share, back))
    return sorted(found)


class _Looked:
    """The runs of all items of one run size, and the items each stands in."""

    def __init__(self, ranks: NDArray[np.uint32], starts: NDArray[np.int64], items: list[int], size: int) -> None:
        import numpy as np

        self._size, self._ranks, self._starts = size, ranks, starts
        pieces = [np.unique(_runs(ranks[starts[item] : starts[item + 1]], size)) for item in items]
        owners: NDArray[np.int64] = np.repeat(items, [len(piece) for piece in pieces])
        runs = np.concatenate(pieces)
        order = np.argsort(runs, kind="stable")
        self._runs, self._first, self._count = np.unique(runs[order], return_index=True, return_counts=True)
        self._owners = owners[order]
        self._wanted: NDArray[np.int64] = np.zeros(len(starts), np.int64)
        self._wanted[items] = [len(piece) for piece in pieces]
        self._drop_often()

    def candidates(self, first: int, after: int) -> NDArray[np.float64]:
        """(text, item, share of the item's different runs) for texts first … after, where the share is large enough."""
        import numpy as np

        texts, at = self._met(first, after)
        fresh = self._useful[at]
        texts, at = texts[fresh], at[fresh]
        if not len(at):
            return np.empty((0, 3))
        count = self._count[at]
        ends = np.cumsum(count)
        places = np.arange(ends[-1]) - np.repeat(ends - count, count) + np.repeat(self._first[at], count)
        keyed, shared = np.unique(np.repeat(texts, count) * len(self._wanted) + self._owners[places], return_counts=True)
        text, item = np.divmod(keyed, len(self._wanted))
        share = shared / self._telling[item]
        enough = share >= _LEAST_SHARED
        return np.stack([text[enough], item[enough], share[enough]], axis=1)

    def _met(self, first: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Texts and the runs of items they hold, each pair once."""
        import numpy as np

        flat = self._ranks[self._starts[first] : self._starts[after]]
        owner: NDArray[np.int64] = np.repeat(np.arange(first, after), np.diff(self._starts[first : after + 1]))
        runs = _runs(flat, self._size)
        if not len(runs):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        whole = owner[: len(runs)] == owner[self._size - 1 :]
        at = np.minimum(np.searchsorted(self._runs, runs), len(self._runs) - 1)
        met = whole & (self._runs[at] == runs)
        once = np.unique(owner[: len(runs)][met] * len(self._runs) + at[met])
        return once // len(self._runs), once % len(self._runs)

    def _drop_often(self) -> None:
        """Runs that stand in many texts or items are of no use for finding; where an item has no others, all its runs are used."""
        import numpy as np

        counts: NDArray[np.int64] = np.zeros(len(self._runs), np.int64)
        total = len(self._starts) - 1
        for first in range(0, total, _CHUNK):
            _, at = self._met(first, min(first + _CHUNK, total))
            counts += np.bincount(at, minlength=len(self._runs))
        rare = counts <= max(20, _OFTEN * total)
        place: NDArray[np.int64] = np.repeat(np.arange(len(self._runs)), self._count)
        telling = np.bincount(self._owners[rare[place]], minlength=len(self._starts))
        poor = telling[self._owners] < 0.3 * self._wanted[self._owners]
        self._useful = rare.copy()
        self._useful[place[poor]] = True
        self._telling = np.maximum(np.bincount(self._owners[self._useful[place]], minlength=len(self._starts)), 1)


def _loose(lengths: Sequence[int]) -> list[slice]:
    """Where the lines stand that are too short for a run."""
    size = run_size(sum(lengths))
    ends = [*accumulate(lengths)]
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True) if length < size]


def _closely(item: NDArray[np.uint32], text: NDArray[np.uint32], loose: list[slice]) -> tuple[float, float]:
    """Share of the item's tokens in runs that the text holds close together, and the other way round."""
    import numpy as np

    size = run_size(len(item))
    own, others = _runs(item, size), _runs(text, size)
    if not len(own) or not len(others):
        return 0.0, 0.0
    room = _WINDOW * len(item) + 20
    held = np.isin(others, own)
    if len(others) > room:
        ends = np.concatenate([[0], np.cumsum(held)])
        best = int(np.argmax(ends[room:] - ends[:-room]))
        held[:best] = False
        held[best + room :] = False
        text = text[best : best + room + size - 1]
    covered = _covered(np.isin(own, others[held]), size)
    for line in loose:
        if not covered[line].all() and np.isin(item[line], text).all():
            covered[line] = True
    return float(covered.mean()), float(_covered(held, size).sum()) / (len(others) + size - 1)


def _covered(hits: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Which tokens the runs cover that were hit."""
    import numpy as np

    covered: NDArray[np.bool_] = np.zeros(len(hits) + size - 1, bool)
    for place in range(size):
        covered[place : place + len(hits)] |= hits
    return covered


def _runs(ranks: NDArray[np.uint32], size: int) -> NDArray[np.uint64]:
    """Every run of `size` tokens as one number."""
    import numpy as np

    count = max(0, len(ranks) - size + 1)
    runs: NDArray[np.uint64] = np.zeros(count, np.uint64)
    for place in range(size):
        runs = (runs ^ ranks[place : place + count].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        runs ^= runs >> np.uint64(29)
    return runs
