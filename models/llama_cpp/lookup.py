"""Guesses what an answer says next from where its last words stood before: answers often copy spans of their prompt.

Prompt lookup decoding, a form of speculative decoding (Leviathan et al., arXiv 2211.17192) that needs no second model. A guess is
checked in the step that would have written one token; greedy answers are the same with it and without.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LONGEST_MATCH = 4
SHORTEST_MATCH = 2
TRIALS = 64
"""Guessed tokens after which a verdict is possible."""
WORTH = 0.3
"""Share of guessed tokens that must come true: a step with guesses takes longer than one without."""
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


class Record:
    """How often guesses came true lately."""

    def __init__(self) -> None:
        self.guessed = 0
        self.right = 0
        self._rest = 0

    def promising(self) -> bool:
        """Whether to guess in this step; to be asked once a step."""
        if self._rest > 0:
            self._rest -= 1
            return False
        return True

    def count(self, guessed: int, right: int) -> None:
        """Add the outcome of one guess, in tokens."""
        self.guessed += guessed
        self.right += right
        if self.guessed >= TRIALS:
            if self.right < WORTH * self.guessed:
                self._rest = AGAIN
            self.guessed //= 2
            self.right //= 2
