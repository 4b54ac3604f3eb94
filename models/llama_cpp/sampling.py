"""Chooses next tokens from their scores, with numpy and a generator of each request's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.language import Sampling

NEGLIGIBLE = 20.0
"""Candidates e^20 times less likely than the best are left out: together they weigh under a millionth."""


class Chooser:
    """Chooses tokens for one request; the same request always gets the same random numbers."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._sampling = sampling
        # Seeded by the prompt too: with the seed alone, every row of a data set would be drawn with the same numbers.
        hashed = hashlib.sha256(np.asarray(prompt, dtype=np.int32).tobytes()).digest()[:8]
        self._random = np.random.default_rng([sampling.seed & 0xFFFFFFFF, int.from_bytes(hashed, "little")])

    @property
    def greedy(self) -> bool:
        """Always the most likely token."""
        return self._sampling.temperature <= 0

    @property
    def quick(self) -> bool:
        """Whether the most likely token, where it is allowed, may be taken without asking."""
        return self.greedy

    def choose(self, logits: NDArray[np.float32], allowed: NDArray[np.bool_] | None) -> int:
        """Index of the chosen token; ValueError when none is allowed or the scores are not numbers."""
        scores = logits if allowed is None else np.where(allowed, logits, -np.inf)
        best = int(scores.argmax())
        if not np.isfinite(scores[best]):
            raise ValueError("no token has a usable score")
        temperature = self._sampling.temperature
        if temperature <= 0:
            return best
        cut = max(NEGLIGIBLE * temperature, 1e-6)
        candidates = np.flatnonzero(scores >= scores[best] - cut)
        weights = np.exp((scores[candidates].astype(np.float64) - float(scores[best])) / temperature)
        order = np.argsort(-weights, kind="stable")
        candidates, weights = candidates[order], weights[order]
        if self._sampling.min_p > 0:
            weights = weights[weights >= min(1.0, self._sampling.min_p)]
        if self._sampling.top_p < 1:
            share = np.cumsum(weights) / weights.sum()
            weights = weights[: int(np.searchsorted(share, self._sampling.top_p)) + 1]
        reached = np.searchsorted(np.cumsum(weights), self._random.random() * weights.sum(), side="right")
        return int(candidates[min(int(reached), len(weights) - 1)])


Bits: TypeAlias = NDArray[np.int32]
"""Which tokens may come next, a bit each, the lowest first: shape (rows, (vocabulary + 31) // 32)."""


def unpacked(bits: Bits, vocabulary_size: int) -> NDArray[np.bool_]:
    """The bits as truth values, shape (rows, vocabulary)."""
    truth: NDArray[np.bool_] = np.unpackbits(bits.view(np.uint8), axis=-1, count=vocabulary_size, bitorder="little").view(np.bool_)
    return truth


def choose_many(logits: NDArray[np.float32], bits: Bits | None, choosers: Sequence[Chooser]) -> list[int | None]:
    """The next token of each row, shape (rows, vocabulary); None where no token has a usable score.

    A greedy row whose best token is allowed, as most are, needs nothing unpacked.
    """
    best = logits.argmax(axis=1)
    rows = np.arange(len(choosers))
    fits = np.isfinite(logits[rows, best])
    if bits is not None:
        fits &= (bits[rows, best >> 5] >> (best & 31) & 1).astype(np.bool_)
    return [
        int(best[row]) if fits[row] and chooser.quick else _choose(logits[row], None if bits is None else bits[row], chooser)
        for row, chooser in enumerate(choosers)
    ]


def _choose(logits: NDArray[np.float32], bits: Bits | None, chooser: Chooser) -> int | None:
    try:
        return chooser.choose(logits, None if bits is None else unpacked(bits, len(logits)))
    except ValueError:
        return None
