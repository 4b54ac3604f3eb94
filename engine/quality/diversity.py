"""How varied examples are: distinct n-grams, likeness of sampled pairs, variety of words, spread of embeddings."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from engine.errors import BadInput
from engine.quality.pairs import Pair
from engine.quality.template import template_of
from engine.quality.words import as_characters, ranks_of
from engine.records import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.quality.template import Template

_TEXTS_FOR_VENDI = 1000


class Spread(Value):
    """How far embeddings lie apart."""

    examples: int
    mean_distance: float
    """Mean cosine distance of all pairs, 0 for copies."""
    vendi: float
    """Effective number of different examples among those it was computed on (Friedman & Dieng 2023): exp of the entropy of the
    eigenvalues of the similarity matrix divided by n."""
    vendi_examples: int
    """At most 1,000, drawn by seed."""


class Diversity(Value):
    """Lexical variety of the inputs of some examples, template left out."""

    examples: int
    tokens: int
    template_share: float
    """How much of all tokens the template of the source made, 0 to 1; the rest is what is measured."""
    unique_ngrams: tuple[float, ...]
    """Different n-grams for n = 1 … 4, divided by the number of examples; grows more slowly the more examples there are."""
    distinct: tuple[float, ...]
    """Different n-grams divided by all n-grams, n = 1 … 4 (distinct-n, Li et al. 2016)."""
    self_rouge_l: float | None
    """Mean ROUGE-L F of `pairs` pairs drawn by seed (after Lin 2004); None for fewer than two examples."""
    pairs: int
    mattr: float | None
    """Different tokens in a window of `window` tokens, divided by its size, averaged over all windows of the texts one after the other
    (moving-average type-token ratio, Covington & McFall 2010); None for fewer tokens than one window."""
    window: int


class Interval(Value):
    """A figure over repeated draws: the mean and the 2.5th and 97.5th percentile."""

    mean: float
    low: float
    high: float


class Compared(Value):
    """One source among several, all cut to the same size."""

    source: str
    examples: int
    """There were so many before cutting."""
    figures: dict[str, Interval]


class Comparison(Value):
    """Sources at equal numbers of examples and of tokens."""

    examples: int
    """So many examples of each source were drawn; figures unique_1 … unique_4 and self_rouge_l."""
    tokens: int
    """So many tokens of each source, whole examples in drawn order with the last cut: figures distinct_1 … distinct_4 and mattr."""
    draws: int
    sources: tuple[Compared, ...]


def measure_diversity(pairs: Sequence[Pair], *, seed: int = 0, sampled_pairs: int = 1000, window: int = 50) -> Diversity:
    """Lexical diversity of the inputs of one source; compare sources with `compare`, for most figures depend on size."""
    template = template_of([pair.input for pair in pairs])
    texts = _contents(pairs, template)
    counts = [_ngrams(texts, size) for size in (1, 2, 3, 4)]
    likeness = self_rouge_l(texts, sampled_pairs, seed)
    return Diversity(
        examples=len(texts),
        tokens=sum(map(len, texts)),
        template_share=template.share,
        unique_ngrams=tuple(different / max(1, len(texts)) for different, _ in counts),
        distinct=tuple(different / max(1, every) for different, every in counts),
        self_rouge_l=likeness,
        pairs=0 if likeness is None else sampled_pairs,
        mattr=mattr([*chain.from_iterable(texts)], window),
        window=window,
    )


def compare_diversity(
    sources: Mapping[str, Sequence[Pair]], *, draws: int = 20, seed: int = 0, sampled_pairs: int = 500, window: int = 50
) -> Comparison:
    """The same figures for each source on draws of equal size: as many examples, and as many tokens, as the smallest source has.

    Each source's own template is left out. Intervals say how much figures vary between draws; for the smallest source nearly
    nothing is left to draw, so take the others' as the measure. Raises BadInput for a source without words.
    """
    texts = {name: _contents(pairs, template_of([pair.input for pair in pairs])) for name, pairs in sources.items()}
    for name, contents in texts.items():
        if not any(contents):
            raise BadInput(f"`{name}` has no words to compare", "Leave it out.")
    examples = min(map(len, texts.values()))
    tokens = min(sum(map(len, contents)) for contents in texts.values())
    compared = []
    for name, contents in texts.items():
        drawn: dict[str, list[float]] = {}
        for draw in range(draws):
            for figure, value in _drawn(contents, examples, tokens, f"{seed} {draw}", sampled_pairs, window).items():
                drawn.setdefault(figure, []).append(value)
        compared.append(Compared(name, len(contents), {figure: interval(values) for figure, values in drawn.items()}))
    return Comparison(examples, tokens, draws, tuple(compared))


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % range of figures from repeated draws."""
    import numpy as np

    low, high = (float(np.percentile(values, part)) for part in (2.5, 97.5))
    return Interval(float(np.mean(values)), low, high)


def self_rouge_l(texts: Sequence[Sequence[str]], sampled_pairs: int, seed: int | str = 0) -> float | None:
    """Mean ROUGE-L F of pairs of different texts (token lists), drawn by seed with repetition; None for fewer than two."""
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cpdist

    if len(texts) < 2:
        return None
    chosen = random.Random(f"{seed} pairs")
    ranks, starts = ranks_of([text[:2000] for text in texts])
    drawn = [chosen.sample(range(len(texts)), 2) for _ in range(sampled_pairs)]
    one, other = ([as_characters(ranks[starts[place[side]] : starts[place[side] + 1]]) for place in drawn] for side in (0, 1))
    return float(np.mean(cpdist(one, other, scorer=Indel.normalized_similarity, dtype=np.float64)))


def mattr(tokens: Sequence[str], window: int = 50) -> float | None:
    """Moving-average type-token ratio; None for fewer tokens than `window`."""
    if len(tokens) < window:
        return None
    counts: dict[str, int] = {}
    every = 0
    for place, token in enumerate(tokens):
        counts[token] = counts.get(token, 0) + 1
        if place >= window:
            leaving = tokens[place - window]
            counts[leaving] -= 1
            if not counts[leaving]:
                del counts[leaving]
        if place >= window - 1:
            every += len(counts)
    return every / ((len(tokens) - window + 1) * window)


def measure_spread(embeddings: NDArray[np.float32], seed: int = 0) -> Spread:
    """Spread of embeddings, n × d with rows of unit length. Raises BadInput for fewer than two."""
    import numpy as np

    count = len(embeddings)
    if count < 2:
        raise BadInput(f"{count} embeddings have no spread", "Give two or more.")
    # The mean of all cosines follows from the sum of the rows alone.
    whole = embeddings.astype(np.float64).sum(axis=0)
    mean = (float(whole @ whole) - count) / (count * (count - 1))
    chosen = np.random.default_rng(seed).permutation(count)[:_TEXTS_FOR_VENDI]
    rows = embeddings[np.sort(chosen)].astype(np.float64)
    # The smaller of the two matrices has the same eigenvalues but for zeros.
    square = rows.T @ rows if rows.shape[1] < len(rows) else rows @ rows.T
    values = np.linalg.eigvalsh(square / len(rows))
    values = values[values > 1e-12]
    vendi = float(np.exp(-np.sum(values * np.log(values))))
    return Spread(count, max(0.0, 1 - mean), vendi, len(rows))


class Saturation:
    """Told examples one by one as they are made, says when they bring hardly anything new."""

    def __init__(self, *, size: int = 3, step: int = 100, flat: float = 0.1, steps: int = 3) -> None:
        """`size` is n of the n-grams; flat is reached when `steps` times running, `step` examples bring less than `flat` of what the
        first `step` brought, each for the n-grams it has."""
        self._size, self._step, self._flat, self._steps = size, step, flat, steps
        self._seen: set[int] = set()
        self._new = self._every = self._count = 0
        self.history: list[int] = []
        """New n-grams of each full `step` examples so far."""
        self._rates: list[float] = []

    def add(self, text: str, template: Template | None = None) -> None:
        """One more example; without the template, if given."""
        from engine.quality.words import tokens

        words = tokens(text) if template is None else template.content(text)
        runs = [hash(run) for run in _runs(words, self._size)]
        before = len(self._seen)
        self._seen.update(runs)
        self._new += len(self._seen) - before
        self._every += len(runs)
        self._count += 1
        if self._count % self._step == 0:
            self.history.append(self._new)
            self._rates.append(self._new / max(1, self._every))
            self._new = self._every = 0

    @property
    def flattened(self) -> bool:
        """Whether going on is hardly worth it."""
        last = self._rates[-self._steps :]
        return len(self._rates) > self._steps and all(rate < self._flat * self._rates[0] for rate in last)

    @property
    def reason(self) -> str:
        """Where it stands, in one line."""
        if not self.history:
            return f"{self._count} examples, too few to tell"
        words = f"the last {self._step} of {self._count} examples brought {self.history[-1]} new {self._size}-grams"
        return f"{words}, the first {self._step} {self.history[0]}" + (": flat" if self.flattened else "")


def _contents(pairs: Sequence[Pair], template: Template) -> list[list[str]]:
    return [template.content(pair.input) for pair in pairs]


def _runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(max(0, len(words) - size + 1))] or ([tuple(words)] if words else [])


def _ngrams(texts: Sequence[Sequence[str]], size: int) -> tuple[int, int]:
    """How many different n-grams there are, and how many; a text shorter than n has none."""
    seen: set[int] = set()
    every = 0
    for text in texts:
        runs = [hash(run) for run in zip(*(text[place:] for place in range(size)), strict=False)]
        seen.update(runs)
        every += len(runs)
    return len(seen), every


def _drawn(contents: list[list[str]], examples: int, tokens: int, seed: str, sampled_pairs: int, window: int) -> dict[str, float]:
    order = random.Random(seed).sample(range(len(contents)), len(contents))
    equal = [contents[place] for place in order[:examples]]
    figures = {f"unique_{size}": _ngrams(equal, size)[0] / examples for size in (1, 2, 3, 4)}
    likeness = self_rouge_l(equal, sampled_pairs, seed)
    if likeness is not None:
        figures["self_rouge_l"] = likeness
    equal, room = [], tokens
    for place in order:
        if room <= 0:
            break
        equal.append(contents[place][:room])
        room -= len(equal[-1])
    for size in (1, 2, 3, 4):
        different, every = _ngrams(equal, size)
        figures[f"distinct_{size}"] = different / max(1, every)
    variety = mattr([*chain.from_iterable(equal)], window)
    return figures if variety is None else figures | {"mattr": variety}
