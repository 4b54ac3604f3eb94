"""How good a find is: meaning, words and popularity in one score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.catalog.index import Found
from engine.catalog.languages import states
from engine.records import Value


class Weights(Value, frozen=True):
    """What counts how much. Each part runs from 0 to 1 (cosine, BM25 against the best of the query, logarithm of downloads against the
    most downloaded card's).

    The first three were learnt on 105 task descriptions with their Hub cards and 192 queries with their data sets (DataFinder, Viswanathan
    et al., arXiv 2305.16636). Of 42 settings the five folds of a cross-validation chose 0.2 to 0.3 for words and 0.35 to 0.5 for
    popularity, which gave R@5 48.6 and 34.9 on the queries left out. Popularity is worth most: people use data sets that many use.
    """

    meaning: float = 1.0
    words: float = 0.2
    popularity: float = 0.35
    own: float = 0.5
    """Popularity of folders the user added, at least."""
    same_language: float = 1.05
    other_language: float = 0.6
    """Factors for cards that state the language asked for, and that state only others."""
    generated: float = -0.5
    """For cards that a machine made for one project; they have no meaning of their own either."""


LEARNT = Weights()


class Parts(Value, frozen=True):
    """What a score is the sum of: what each part counts, with its weight."""

    meaning: float
    """The cosine to the query, times its weight."""
    words: float
    """BM25 against the best of the query, times its weight."""
    popularity: float
    language: float = 1.0
    """Factor on these three, for the language the card states."""
    generated: float = 0.0
    """Added for cards a machine made."""

    @property
    def score(self) -> float:
        """Higher is better."""
        return (self.meaning + self.words + self.popularity) * self.language + self.generated


class Weighed(Value, frozen=True):
    """What speaks for the entries that one query found."""

    found: Mapping[int, Found]
    """By number."""
    likeness: Mapping[int, float]
    """Cosines, by number."""
    worded: tuple[tuple[int, float], ...]
    """(number, BM25 score), best first."""
    most_downloads: int
    """Of any entry in the catalog."""

    def ranked(self, language: str | None, weights: Weights = LEARNT) -> list[tuple[float, Found]]:
        """(score, entry), best first."""
        return self.in_order(self.parts(language, weights))

    def in_order(self, parts: Mapping[int, Parts]) -> list[tuple[float, Found]]:
        """(score, entry) with these parts of their scores, best first."""
        scored = ((parts[number].score, one) for number, one in self.found.items())
        return sorted(scored, key=lambda pair: (-pair[0], pair[1].dataset))

    def parts(self, language: str | None, weights: Weights = LEARNT) -> dict[int, Parts]:
        """What each entry's score is the sum of, by number.

        Where there is no meaning to go by, words count for both: else what is popular would win with hardly a word in common.
        """
        by_words = weights.words if self.likeness else weights.words + weights.meaning
        best = self.worded[0][1] if self.worded else 0.0
        words = {number: value / best for number, value in self.worded} if best > 0 else {}
        return {
            number: Parts(
                meaning=weights.meaning * max(0.0, self.likeness.get(number, 0.0)),
                words=by_words * words.get(number, 0.0),
                popularity=weights.popularity * popularity(one, self.most_downloads, weights),
                language=_language(one, language, weights),
                generated=weights.generated * one.generated,
            )
            for number, one in self.found.items()
        }


def popularity(one: Found, most_downloads: int, weights: Weights = LEARNT) -> float:
    """From 0 for a card nobody downloads to 1 for the one with most downloads."""
    known = math.log1p(one.downloads) / math.log1p(most_downloads) if most_downloads else 0.0
    return max(known, weights.own) if one.folder else known


def without_copies(ranked: Sequence[tuple[float, Found]], k: int, here: Mapping[int, bool]) -> list[tuple[float, Found]]:
    """The best `k` of which none is a copy of another; of copies the one whose rows are here, else the most downloaded one.

    Folders the user added are never taken for copies: two with one card hold rows of their own.
    """
    groups: dict[str, list[tuple[float, Found]]] = {}
    for score, one in ranked:
        alone = one.folder or not one.copy
        groups.setdefault(str(one.number) if alone else one.copy, []).append((score, one))
    chosen = []
    for group in list(groups.values())[:k]:
        best = max(group, key=lambda pair: (here.get(pair[1].number, False), pair[1].downloads, pair[0]))
        chosen.append((group[0][0], best[1]))
    return chosen


def _language(one: Found, language: str | None, weights: Weights) -> float:
    if not language or not one.languages:
        return 1.0
    return weights.same_language if states(one.languages, language) else weights.other_language
