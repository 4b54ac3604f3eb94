"""What every measure reads: anything with an input and an output, and what every measure that judges single examples says of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.records import Value

Watch = Callable[[int], None]
"""Told now and then how many of the examples a measure has looked at; it may raise, which ends the measure."""


def unwatched(done: int) -> None:
    """The Watch of nobody."""


class Pair(Protocol):
    """An `Example`, a `TaskExample` or any other value with these two fields."""

    @property
    def input(self) -> str: ...

    @property
    def output(self) -> str: ...


class Verdict(Value):
    """What a measure says of one example."""

    index: int
    """0-based place of the example in what was measured."""
    kept: bool
    """False where the measure would leave the example out; what is done about it is the caller's choice."""
    kind: str = ""
    """One word for counting, such as "exact" or "long"; "" for an example with nothing to say about it."""
    reason: str = ""
    """One line for a person."""
    against: int | None = None
    """The example (or test item, where the measure compares with a test) this one was judged against."""
    score: float | None = None


def source_name(pair: Pair) -> str:
    """Data set and config an example came from, as one word for grouping; "" for a pair without a source."""
    source = getattr(pair, "source", None)
    return "" if source is None else f"{source.dataset} {source.config}"


def by_source(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """Places of the examples of each source, in order of first appearance."""
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(source_name(pair), []).append(place)
    return places
