"""An embedder without weights: words and their letter groups hashed into a vector. Knows spelling, not meaning."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WORD = re.compile(r"\w+")
GROUPS = (3, 4, 5)
"""Lengths of letter groups."""


class HashingEmbedder:
    """An Embedder that gives the same vectors in every process and on every machine."""

    def __init__(self, dimensions: int = 512) -> None:
        self.dimensions = dimensions
        self.name = f"hashing-1-{dimensions}"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Each feature adds plus or minus the root of its count at a place its CRC decides; rows get length 1."""
        import numpy as np

        vectors: np.ndarray = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for feature, count in Counter(_features(text)).items():
                code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
                sign = 1.0 if code & 1 else -1.0
                # A word weighs as much as a handful of its letter groups.
                weight = 2.0 if feature[0] == " " else 0.5
                vectors[row, (code >> 1) % self.dimensions] += sign * weight * count**0.5
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors


def _features(text: str) -> Iterator[str]:
    for word in WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        yield f" {word} "
        framed = f"<{word}>"
        for length in GROUPS:
            for start in range(len(framed) - length + 1):
                yield framed[start : start + length]
