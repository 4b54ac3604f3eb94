"""Streams of jobs through a batch: pulls them as sequences become free, and sizes the context for what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from models.errors import ModelError, RuntimeUnavailable
from models.intake import Intake
from models.llama_cpp.batch import Batch, Steps
from models.llama_cpp.constrain import Constrainer
from models.llama_cpp.jobs import Job
from models.llama_cpp.sequences import Layout, Sequences

CACHE_BYTES = 1 << 30
"""What the cache may take at most, unless one sequence takes more."""
SHORTEST = 512


class Together:
    """Many jobs at once on one model; the context is made when the first job comes and made anew when jobs need longer sequences."""

    def __init__(
        self, start: Callable[[Layout], Sequences], cell: int, layout: Layout, constrainer: Callable[[], Constrainer], lookup: bool = True
    ) -> None:
        """`start` makes the sequences of a layout, whose cache takes `cell` bytes a token; `layout` has the number of sequences
        wanted and the longest there may be."""
        self._start = start
        self._cell = cell
        self._wanted = layout
        self._constrainer = constrainer
        self._lookup = lookup
        self._sequences: Sequences | None = None
        self._batch: Batch | None = None
        self._stream: object | None = None

    def run(self, source: Iterator[Job | None], between: Callable[[], None]) -> Iterator[Job]:
        """Bring every job of `source` to its end, in any order; `between` is called between steps, and what it raises ends the stream.

        A None of the source says that nothing waits now: it is asked again when a job has ended, or not at all when none is under way.
        """
        mine = self._stream = object()
        if self._batch:
            self._batch.drop()
        intake = Intake(source)
        next_job: Job | None = None
        try:
            while True:
                while self._batch is None or self._batch.free:
                    next_job = next_job or intake.take()
                    if next_job is None:
                        break
                    if next_job.finish == "error":
                        intake.go_on()
                        yield next_job
                    elif not self._add(next_job):
                        break
                    next_job = None
                if self._stream is not mine:
                    raise ModelError("Another stream of requests took the place of this one", "Take all answers of one before the next.")
                if self._batch is None or not self._batch.busy:
                    return
                between()
                for job in self._batch.step():
                    intake.go_on()
                    yield job
        finally:
            if self._batch and self._stream is mine:
                self._batch.drop()

    def close(self) -> None:
        """Release the native memory."""
        if self._batch:
            self._batch.close()
        if self._sequences:
            self._sequences.close()
        self._batch = self._sequences = None

    @property
    def layout(self) -> Layout:
        """The layout in use, or the one wanted before there is any."""
        return self._sequences.layout if self._sequences else self._wanted

    @property
    def steps(self) -> Steps | None:
        """Where the time went since the context was made."""
        return self._batch.steps if self._batch else None

    def _add(self, job: Job) -> bool:
        """Give the job a sequence; False where it must wait until those under way have ended, or one has read what it can share."""
        if self._batch is None or not self._fits(job):
            if self._batch and self._batch.busy:
                return False
            self._rebuild(job.room)
        assert self._batch
        if self._batch.worth_waiting(job):
            return False
        self._batch.add(job)
        return True

    def _fits(self, job: Job) -> bool:
        """Whether the context is long enough, and not far longer at the cost of sequences."""
        if self._sequences is None or job.room > self.layout.length:
            return False
        idle = self._batch is not None and not self._batch.busy
        return not (idle and self.layout.count < self._count(job.room) and job.room <= self.layout.length // 2)

    def _length(self, room: int) -> int:
        length = SHORTEST
        while length < room:
            length *= 2
        return min(length, max(room, self._wanted.length))

    def _count(self, room: int) -> int:
        return max(1, min(self._wanted.count, CACHE_BYTES // max(1, self._length(room) * self._cell)))

    def _rebuild(self, room: int) -> None:
        self.close()
        count = self._count(room)
        while True:
            layout = msgspec.structs.replace(self._wanted, count=count, length=self._length(room))
            try:
                self._sequences = self._start(layout)
                break
            except RuntimeUnavailable:
                if count == 1:
                    raise
                count //= 2
        self._batch = Batch(self._sequences, self._constrainer, self._lookup)
