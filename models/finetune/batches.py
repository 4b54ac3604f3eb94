"""The order of examples: decided by seed and epoch alone, with those of like length in one batch, so that little is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

BATCHES_SORTED = 16
"""Examples of so many batches are drawn and then sorted by length: enough to save most padding, few enough to stay random."""


def order(lengths: Sequence[int], batch: int, seed: int, epoch: int) -> list[int]:
    """All indices once: cut into pieces of `batch`, each piece has examples of like length, and the pieces come at random."""
    random = np.random.default_rng((seed, epoch))
    drawn = random.permutation(len(lengths))
    sorted_ = [
        index
        for start in range(0, len(drawn), batch * BATCHES_SORTED)
        for index in sorted(drawn[start : start + batch * BATCHES_SORTED].tolist(), key=lengths.__getitem__, reverse=True)
    ]
    pieces = [sorted_[start : start + batch] for start in range(0, len(sorted_), batch)]
    # A piece that is not full must come last: those after it would be cut elsewhere.
    last = pieces.pop() if pieces and len(pieces[-1]) < batch else []
    return [index for place in random.permutation(len(pieces)) for index in pieces[place]] + last


class Order:
    """A sampler for torch's DataLoader, told the epoch by the training loop."""

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, fillers: int = 0) -> None:
        """`fillers` further examples come last: they make the last batch a whole one."""
        self._lengths = list(lengths)
        self._fillers = fillers
        self._batch = batch
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that is iterated over next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths) + self._fillers

    def __iter__(self) -> Iterator[int]:
        count = len(self._lengths)
        return iter((*order(self._lengths, self._batch, self._seed, self._epoch), *range(count, count + self._fillers)))
