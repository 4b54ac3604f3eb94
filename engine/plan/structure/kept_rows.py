"""A filter: steps that keep some rows, which sample rows they keep, and the words that ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.plan.steps import AnyStep
from engine.records import Value

LEAST_ROWS = 8
"""Sample rows that are enough to see what columns hold."""


class Filter(Value):
    """Rows to keep."""

    steps: tuple[AnyStep, ...]
    columns: tuple[str, ...]
    """Top-level columns it looks at: what is read from these cannot be the output."""
    kept: tuple[bool, ...]
    """Of the sample's rows, in order."""
    reason: str
    strict: bool
    """The description says "only" or "leave out" (or the row is in another language); else it merely names the value."""
    score: float
    words: frozenset[str] = frozenset()
    """Words of the description it rests on."""


def together(filters: Sequence[Filter], rows: int) -> tuple[bool, ...]:
    """Whether each sample row passes all of them."""
    return tuple(all(one.kept[row] for one in filters) for row in range(rows))
