"""The embedder protocol: texts in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Embedder(Protocol):
    """Turns texts into vectors whose inner product says how alike they are."""

    name: str
    """Identifies vectors that may be compared: model, digest and pooling."""
    dimensions: int

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32 array of shape (len(texts), dimensions), rows of length 1 (or all 0 for an empty text)."""
        ...
