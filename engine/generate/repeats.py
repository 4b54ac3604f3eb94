"""Which inputs are the same or nearly the same as earlier ones, and how much is new in each."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import pairwise

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")


def words_of(text: str) -> list[str]:
    """Words without case and signs; single characters where a script sets no blanks."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = re.findall(r"\w+", plain)
    return [part for word in words for part in (word if _UNSPACED.search(word) else (word,))]


def same_key(text: str) -> str:
    """Equal for inputs that differ in case, blanks and punctuation only."""
    return " ".join(words_of(text)) or text.strip()


class Inputs:
    """The inputs there are, searched for near duplicates. Memory grows with their words."""

    def __init__(self, threshold: float) -> None:
        """Inputs are near duplicates when their sets of words have at least this Jaccard similarity; above 1 none are."""
        self._threshold = threshold
        self._sets: list[frozenset[str]] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Take up an input."""
        words = frozenset(words_of(text))
        for word in words:
            self._places[word].append(len(self._sets))
        self._sets.append(words)

    def near(self, text: str) -> bool:
        """Whether an earlier input is nearly the same.

        Two sets that are alike by t share one of the rarest |A| - ⌈t·|A|⌉ + 1 words of either, so only those are looked up
        (prefix filtering, Chaudhuri, Ganti and Kaushik 2006).
        """
        words = frozenset(words_of(text))
        if not words or self._threshold > 1:
            return False
        needed = -int(-self._threshold * len(words) // 1)
        rarest = sorted(words, key=lambda word: (len(self._places.get(word, ())), word))[: len(words) - needed + 1]
        looked_at = {place for word in rarest for place in self._places.get(word, ())}
        return any(self._alike(words, self._sets[place]) for place in looked_at)

    def _alike(self, one: frozenset[str], other: frozenset[str]) -> bool:
        if min(len(one), len(other)) < self._threshold * max(len(one), len(other)):
            return False
        shared = len(one & other)
        return shared >= self._threshold * (len(one) + len(other) - shared)


class Novelty:
    """How many word pairs each hundred examples bring that none before had; what flattens is saturated."""

    HUNDRED = 100

    def __init__(self) -> None:
        self.by_hundred: list[int] = []
        self._known: set[tuple[str, str]] = set()
        self._counted = 0

    def add(self, text: str) -> None:
        """Count one more example's."""
        if self._counted % self.HUNDRED == 0:
            self.by_hundred.append(0)
        self._counted += 1
        before = len(self._known)
        self._known.update(pairwise(words_of(text)))
        self.by_hundred[-1] += len(self._known) - before

    def flat(self, share: float) -> bool:
        """Whether the last whole hundred brought less than this share of the first one's."""
        whole = self.by_hundred[: self._counted // self.HUNDRED]
        return len(whole) >= 2 and whole[-1] < share * whole[0]


def majority(votes: Counter[str]) -> str | None:
    """The output with the most votes; None where two have as many."""
    (first, most), *others = votes.most_common(2)
    return None if others and others[0][1] == most else first
