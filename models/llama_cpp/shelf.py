"""Beginnings that requests have in common, kept when the requests that read them are done.

All sequences at work may hold beginnings of one kind of request, such as those that write examples, while another kind comes now and
then, such as those that check one: its beginning would be read again each time. So a few sequences beyond those at work hold copies.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from models.llama_cpp.sequences import Sequences, Tokens

SHELVES = 4
"""Beginnings kept at most: about as many kinds of requests come by turns."""
FEW_AT_WORK = 8
"""With fewer sequences none is taken from work."""
RECENT = 64
"""Requests that a new one is held against."""
SHARING = 2
"""So many of them must have a beginning in common with it: two requests about one row have their row in common, and nobody else does."""
WORTH_SHARING = 16
"""Tokens a copied beginning must save: copying costs about as much as reading a few."""
WORTH_KEEPING = 32
"""Tokens from which on a beginning is kept."""


def shelves(wanted: int, most: int) -> int:
    """How many of `most` sequences hold beginnings, where `wanted` are to be at work: those that are over, or a quarter of those beyond
    FEW_AT_WORK."""
    return max(0, min(SHELVES, max(most - wanted, (most - FEW_AT_WORK) // 4)))


def common(held: NDArray[np.int32], goal: NDArray[np.int32]) -> int:
    """Tokens at the beginning that are the same."""
    length = min(len(held), len(goal))
    differ = held[:length] != goal[:length]
    return int(differ.argmax()) if differ.any() else length


class Shelf:
    """The sequences of a context after those at work."""

    def __init__(self, sequences: Sequences) -> None:
        layout = sequences.layout
        self._sequences = sequences
        self._places = range(layout.count, layout.total) if sequences.rewinds else range(0)
        self._recent: deque[Tokens] = deque(maxlen=RECENT)
        self._coming: dict[int, int] = {}
        """Sequence at work → how many of the tokens it is reading are to be kept."""
        self._used = dict.fromkeys(self._places, 0)
        """When a request had use for each, in requests."""
        self._requests = 0

    def note(self, sequence: int, goal: Tokens, at_work: int) -> None:
        """A request with this goal begins on this sequence; of the goal so many tokens were held by one of the sequences at work."""
        if not self._places:
            return
        self._requests += 1
        self._coming.pop(sequence, None)
        shared = sorted((common(before, goal) for before in self._recent), reverse=True)[:SHARING]
        self._recent.append(goal)
        length = shared[-1] if len(shared) == SHARING else 0
        if length < WORTH_KEEPING:
            return
        kept = {place: common(self._sequences.held(place), goal) for place in self._places}
        best = max(self._places, key=lambda place: kept[place])
        if kept[best] > length - WORTH_SHARING:
            self._used[best] = self._requests
        elif at_work <= length - WORTH_SHARING:
            # What those at work hold needs no shelf: of kinds that change all the time there are many.
            self._coming[sequence] = length

    def keep(self) -> None:
        """Copy the beginnings that have been read by now, in place of those that were of use longest ago."""
        for sequence, length in [*self._coming.items()]:
            held = self._sequences.held(sequence)
            if len(held) < length:
                continue
            del self._coming[sequence]
            beginning = np.array(held[:length])
            if any(common(self._sequences.held(place), beginning) > length - WORTH_SHARING for place in self._places):
                continue  # another request of the kind was faster
            place = min(self._places, key=lambda place: self._used[place])
            self._sequences.share(sequence, place, length)
            self._used[place] = self._requests

    def drop(self) -> None:
        """Forget what was being read."""
        self._coming.clear()
