"""The requests of a stream as a runtime takes them in: one by one, when it has room, with pauses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Intake(Generic[T]):
    """Pulls from a stream in which a None says that nothing waits now."""

    def __init__(self, stream: Iterable[T | None]) -> None:
        self._stream = iter(stream)
        self._over = False
        self._paused = False

    def take(self) -> T | None:
        """The next one; None when the stream is over, or has paused and nothing was handed back since."""
        if self._over or self._paused:
            return None
        try:
            taken = next(self._stream)
        except StopIteration:
            self._over = True
            return None
        self._paused = taken is None
        return taken

    def go_on(self) -> None:
        """Something was handed back: ask the stream again."""
        self._paused = False
