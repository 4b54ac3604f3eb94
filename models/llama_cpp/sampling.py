"""Chooses the next token from its scores, with numpy and a generator of the request's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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
