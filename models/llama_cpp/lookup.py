"""Guesses what an answer says next from where its last words stood before: answers often copy spans of their prompt.

Prompt lookup decoding, a form of speculative decoding (Leviathan et al., arXiv 2211.17192) that needs no second model. A guess is
checked in the step that would have written one token; greedy answers are the same with it and without.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LONGEST_MATCH = 4
SHORTEST_MATCH = 2
TRIALS = 8
"""Steps of either kind after which a verdict is possible."""
REMEMBERED = 64
"""Steps of a kind after which older ones count half."""
WORTH = 1.05
"""Guessing must write so many times as fast: a step with guesses costs more, and with a small model as much as they save."""
AGAIN = 512
"""Steps after which guessing is tried again where it was not worth it."""


def guess(tokens: Sequence[int], most: int) -> list[int]:
    """Up to `most` tokens that followed the latest earlier place where the last few tokens stood."""
    known = np.asarray(tokens, dtype=np.int32)
    for length in range(min(LONGEST_MATCH, len(known) - 1), SHORTEST_MATCH - 1, -1):
        same = known[:-length] == known[-length]
        for offset in range(1, length):
            same[: len(known) - length] &= known[offset : len(known) - length + offset] == known[-length + offset]
        places = np.flatnonzero(same)
        if len(places):
            start = int(places[-1]) + length
            return [int(token) for token in known[start : start + most]]
    return []


class Pace:
    """How fast steps of one kind write."""

    def __init__(self) -> None:
        self.steps = 0
        self._seconds = 0.0
        self._written = 0

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self._written / self._seconds if self._seconds > 0 else 0.0

    def add(self, seconds: float, written: int) -> None:
        """Count a step."""
        if self.steps >= REMEMBERED:
            self.steps //= 2
            self._seconds /= 2
            self._written //= 2
        self.steps += 1
        self._seconds += seconds
        self._written += written


class Record:
    """Whether guessing pays, found out by trying both ways; with other numbers of answers under way steps cost otherwise."""

    def __init__(self) -> None:
        self.guessed = 0
        self.right = 0
        """Tokens, over all."""
        self._plain: dict[int, Pace] = {}
        self._guessing: dict[int, Pace] = {}
        self._rest: dict[int, int] = {}

    def promising(self, under_way: int) -> bool:
        """Whether to guess in this step, with so many answers under way; to be asked once a step."""
        if self._rest.get(under_way, 0) > 0:
            self._rest[under_way] -= 1
            return False
        plain, guessing = self._paces(under_way)
        if plain.steps < TRIALS:
            return False
        if guessing.steps >= TRIALS and guessing.rate < WORTH * plain.rate:
            self._rest[under_way] = AGAIN
            self._plain[under_way], self._guessing[under_way] = Pace(), Pace()
            return False
        return True

    def count(self, guessed: int, right: int) -> None:
        """Add the outcome of one guess, in tokens."""
        self.guessed += guessed
        self.right += right

    def time(self, under_way: int, guessing: bool, seconds: float, written: int) -> None:
        """Add a step: so many tokens were written, those a grammar forces counted."""
        self._paces(under_way)[guessing].add(seconds, written)

    def _paces(self, under_way: int) -> tuple[Pace, Pace]:
        return self._plain.setdefault(under_way, Pace()), self._guessing.setdefault(under_way, Pace())
