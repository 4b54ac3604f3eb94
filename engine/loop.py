"""One pass over the units of a step: what is stored is skipped, what is finished is committed, what may crash is marked first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from engine.errors import StageFailed
from engine.stage import Counts, Outcome
from engine.store import items, tallies
from engine.store.database import Connection

T = TypeVar("T")

COMMIT_SECONDS = 0.5
COMMIT_SIZE = 500
IN_FLIGHT = 512
IN_FLIGHT_NATIVE = 16


class Loop:
    """The state of one pass of `each`.

    Units enter in order and those stored are passed over; pulling ends once enough units *before* the next one were accepted,
    so that the first N accepted in order are the same however often the pass was interrupted.
    """

    def __init__(self, connection: Connection, step: str, native: bool) -> None:
        self._connection = connection
        self._step = step
        self._ahead = IN_FLIGHT_NATIVE if native else IN_FLIGHT
        self._stored = items.stored_keys(connection, step)
        self._suspects = items.suspects(connection, step)
        self._place: dict[str, tuple[int, int]] = {}
        self._seen: set[str] = set()
        self._buffer: list[items.Item] = []
        self._last_commit = time.monotonic()
        self._accepted_now = 0
        self.finished = len(self._stored)
        self.accepted = sum(state == "accepted" for state in self._stored.values())

    def drive(
        self,
        source: Iterable[T],
        key: Callable[[T], str],
        through: Callable[[Iterator[T]], Iterator[tuple[str, Outcome]]],
        enough: Callable[[int], bool],
    ) -> Iterator[None]:
        """Bring everything pending through; yields after each finished unit."""
        pending = self._pending(source, key)
        held: T | None = None
        while True:
            queue = _Queue(self, pending, key, enough, held)
            held = None
            if not queue.fill():
                return
            if queue.alone:
                self.commit()
                items.clear_in_flight(self._connection, self._step)
                alone = queue.batch.popleft()
                if enough(self.accepted_before(key(alone))):
                    return
                self.mark([key(alone)])
                yield from self._take(through(iter([alone])))
                self.commit()
            else:
                yield from self._take(through(queue.hand_over()))
            if queue.over:
                return
            held = queue.held

    def _take(self, results: Iterator[tuple[str, Outcome]]) -> Iterator[None]:
        for name, outcome in results:
            seq, _ = self._place.pop(name)
            self._buffer.append(items.Item(name, seq, outcome.state, outcome.reason, outcome.result))
            self._accepted_now += outcome.state == "accepted"
            self.accepted += outcome.state == "accepted"
            self.finished += 1
            if len(self._buffer) >= COMMIT_SIZE or time.monotonic() - self._last_commit >= COMMIT_SECONDS:
                self.commit()
            yield

    def _pending(self, source: Iterable[T], key: Callable[[T], str]) -> Iterator[T]:
        before = 0
        for seq, item in enumerate(source):
            name = key(item)
            if name in self._seen:
                raise StageFailed(f"two units have the key {name!r}", "this is a mistake in DataTune; report it")
            self._seen.add(name)
            if name in self._stored:
                before += self._stored[name] == "accepted"
                continue
            self._place[name] = (seq, before)
            yield item

    def accepted_before(self, name: str) -> int:
        """Accepted units that entered before this one, of those known so far."""
        return self._place[name][1] + self._accepted_now

    def suspect(self, name: str) -> bool:
        """Whether this unit must run alone."""
        return name in self._suspects

    def mark(self, names: list[str]) -> None:
        """Note that these are being worked on from now."""
        items.mark_in_flight(self._connection, self._step, names)

    @property
    def ahead(self) -> int:
        """How many units are marked at a time."""
        return self._ahead

    def commit(self) -> None:
        """Store what is finished."""
        if self._buffer and not self._connection.in_transaction:
            items.store_items(self._connection, self._step, self._buffer)
            self._buffer.clear()
        self._last_commit = time.monotonic()

    def counts(self) -> Counts:
        """How all units of the step ended."""
        return Counts(**tallies.item_counts(self._connection, self._step))


class _Queue(Generic[T]):
    """Pending units on their way to `through`: marked in batches before they are handed over, a suspect in a batch of its own."""

    def __init__(self, loop: Loop, pending: Iterator[T], key: Callable[[T], str], enough: Callable[[int], bool], held: T | None) -> None:
        self.batch: deque[T] = deque()
        self.alone = False
        self.over = False
        self.held = held
        self._loop = loop
        self._pending = pending
        self._key = key
        self._enough = enough

    def fill(self) -> bool:
        """Gather and mark the next batch, or set one suspect aside; False when nothing is left."""
        while len(self.batch) < self._loop.ahead:
            item = self.held if self.held is not None else next(self._pending, None)
            self.held = None
            if item is None:
                break
            if self._loop.suspect(self._key(item)):
                if self.batch:
                    self.held = item
                else:
                    self.batch.append(item)
                    self.alone = True
                break
            self.batch.append(item)
        if self.batch and not self.alone:
            self._loop.mark([self._key(item) for item in self.batch])
        return bool(self.batch)

    def hand_over(self) -> Iterator[T]:
        """Unit after unit until enough are accepted, nothing is left, or a suspect is next."""
        while self.batch:
            if self._enough(self._loop.accepted_before(self._key(self.batch[0]))):
                self.over = True
                return
            yield self.batch.popleft()
            if not self.batch and self.held is None:
                self.fill()
                if self.alone:
                    self.held, self.alone = self.batch.popleft(), False
                    return
