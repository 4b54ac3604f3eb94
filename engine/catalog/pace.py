"""How far a long piece of work on the catalog is, and when it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.records import Value


class Progress(Value, frozen=True):
    """How far a long piece of work is."""

    activity: str
    done: int
    total: int
    """0 when it is not known."""
    per_second: float
    seconds_left: float | None = None


class Pace:
    """Counts work and tells the callback rate and time left; `work` weighs pieces that take unequal time."""

    def __init__(self, activity: str, total: int, tell: Callable[[Progress], None] | None, work: int = 0) -> None:
        self._activity = activity
        self._total = total
        self._tell = tell
        self._work = work
        self._started = time.monotonic()
        self._done = 0
        self._worked = 0

    def step(self, count: int, work: int = 0) -> None:
        self._done += count
        self._worked += work
        if self._tell is None or not count:
            return
        seconds = max(1e-6, time.monotonic() - self._started)
        done, whole = (self._worked, self._work) if self._work else (self._done, self._total)
        left = seconds * (whole - done) / done if whole and done else None
        self._tell(
            Progress(self._activity, self._done, self._total, round(self._done / seconds, 1), left if left is None else round(left, 1))
        )
