"""Sample rows: drawn by seed over a whole split, never its first ones (many files are sorted by label)."""

from __future__ import annotations

import random

from engine.records import Row, RowSource


def sample_rows(source: RowSource, size: int, seed: int) -> list[Row]:
    """At most `size` different rows in random order; the same for the same seed and length."""
    count = len(source)
    chosen = random.Random(f"{seed} sample").sample(range(count), min(size, count))
    ordered = sorted(chosen)
    by_index = dict(zip(ordered, source.take(ordered), strict=True))
    return [by_index[index] for index in chosen]
