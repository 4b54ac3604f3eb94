"""What a comparison of a run's sources found, and whether the run's examples are still those it was of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from datatune_tui.runs_read import MAKING, View
from engine.plain_text import clean
from engine.store.database import Connection
from engine.store.reviews import reviews_digest

if TYPE_CHECKING:
    from engine.compare_data import DataComparison


class Examples(NamedTuple):
    """Which examples a run has at a moment."""

    steps: tuple[str, ...]
    """Fingerprints of the steps that made some."""
    made: int
    reviews: str
    """Digest of what people rejected or put right among them."""


class Measured(NamedTuple):
    """One comparison."""

    found: DataComparison
    notes: tuple[str, ...]
    of: Examples
    at: float
    """When, in seconds of the epoch."""
    judge: str
    """Spec of the model that was asked; "" for none."""


def examples_of(view: View, connection: Connection | None) -> Examples:
    """The examples a run has now."""
    making = [step.fingerprint for step in view.steps if step.stage in MAKING]
    steps = tuple(step for step in making if view.units[step].counts.get("accepted"))
    return Examples(steps, view.counts.get("accepted", 0), reviews_digest(connection, sorted(steps)) if connection else "")


def read_answer(answer: Mapping[str, Any], of: Examples, at: float, judge: str) -> Measured:
    """The answer of `compare-data`. Imports what takes a third of a second: call it in a thread."""
    from engine.compare_data import DataComparison

    found = msgspec.convert(answer["comparison"], DataComparison)
    # A run at work goes on making examples while it is read.
    counted = of._replace(made=sum(one.stored for one in found.sources))
    return Measured(found, tuple(map(clean, answer["notes"])), counted, at, judge)


def changed(then: Examples, now: Examples) -> str:
    """What became of a run's examples since; "" for nothing."""
    if not set(then.steps) <= set(now.steps) or now.made < then.made:
        return "the run was changed since"
    if now.made > then.made:
        newer = now.made - then.made
        return f"{newer:,} example{'' if newer == 1 else 's'} newer"
    return "" if now.reviews == then.reviews else "examples were reviewed since"
