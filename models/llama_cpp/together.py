"""Streams of jobs through a batch: pulls them as sequences become free, and sizes the context for what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.errors import ModelError, RuntimeUnavailable
from models.intake import Intake
from models.llama_cpp.batch import Batch, Steps
from models.llama_cpp.constrain import Constrainer
from models.llama_cpp.jobs import Job
from models.llama_cpp.sequences import CACHE_BYTES, MOST, SHORTEST, Layout, Sequences
from models.llama_cpp.shelf import shelves

SHORT_ROWS = 16
"""Jobs in a row that would fit sequences half as long, before the context is made anew with more and shorter ones."""


class Together:
    """Many jobs at once on one model; the context is made when the first job comes and made anew when jobs need longer sequences."""

    def __init__(
        self,
        start: Callable[[Layout], Sequences],
        cell: int,
        layout: Layout,
        constrainer: Callable[[], Constrainer],
        lookup: bool = True,
        shortest: int = SHORTEST,
        keeps: bool = True,
        room: int = CACHE_BYTES,
    ) -> None:
        """`start` makes the sequences of a layout, whose cache takes `cell` bytes a token; `layout` has the number of sequences
        wanted and the longest there may be, `shortest` the shortest. `keeps`: sequences can share beginnings, so that
        it is worth to keep some. The cache takes `room` bytes at most, unless one sequence takes more."""
        self._start = start
        self._cell = cell
        self._wanted = layout
        self._constrainer = constrainer
        self._lookup = lookup
        self._shortest = shortest
        self._keeps = keeps
        self._room = room
        self._sequences: Sequences | None = None
        self._batch: Batch | None = None
        self._stream: object | None = None
        self._closed = False
        self._short = 0
        """Jobs since the last that needed the length there is."""
        self._had: dict[int, int] = {}
        """By length, how many sequences could be had where it was fewer than wanted; 0 for none."""

    def run(self, source: Iterator[Job | None], between: Callable[[], None]) -> Iterator[Job]:
        """Bring every job of `source` to its end, in any order; `between` is called between steps, and what it raises ends the stream.

        A None of the source says that nothing waits now: it is asked again when a job has ended, or not at all when none is under way.
        ModelError when another stream began or all was closed meanwhile. RuntimeUnavailable when no context can be had at all; a job
        for which alone none can be had fails alone.
        """
        mine = self._stream = object()
        if self._batch:
            self._batch.drop()
        intake = Intake(source)
        next_job: Job | None = None
        try:
            while True:
                self._must_be(mine)
                while self._batch is None or self._batch.free:
                    next_job = next_job or intake.take()
                    # Taking a job runs foreign code, which may have begun a stream of its own.
                    self._must_be(mine)
                    if next_job is None:
                        break
                    if not next_job.finish and not self._add(next_job):
                        break
                    job, next_job = next_job, None
                    if job.finish:
                        intake.go_on()
                        yield job
                        self._must_be(mine)
                if self._batch is None or not self._batch.busy:
                    return
                between()
                self._must_be(mine)
                for job in self._batch.step():
                    intake.go_on()
                    yield job
                    self._must_be(mine)
        finally:
            if self._batch and self._stream is mine:
                self._batch.drop()

    def close(self) -> None:
        """Release the native memory, for good."""
        self._closed = True
        self._release()

    @property
    def layout(self) -> Layout:
        """The layout in use, or the one wanted before there is any."""
        return self._sequences.layout if self._sequences else self._wanted

    @property
    def steps(self) -> Steps | None:
        """Where the time went since the context was made."""
        return self._batch.steps if self._batch else None

    def _must_be(self, stream: object) -> None:
        if self._closed:
            raise ModelError("The model was closed, or measured anew, before all its answers were taken", "Ask for the rest again.")
        if self._stream is not stream:
            raise ModelError("Another stream of requests took the place of this one", "Take all answers of one before the next.")

    def _add(self, job: Job) -> bool:
        """Give the job a sequence, or fail it; False where it must wait until those under way have ended, or one has read what it
        can share."""
        if self._batch is None or not self._fits(job):
            if self._batch and self._batch.busy:
                return False
            if not self._make(job):
                return True
        assert self._batch
        if self._batch.worth_waiting(job):
            return False
        self._batch.add(job)
        self._short = self._short + 1 if job.room <= self.layout.length // 2 else 0
        return True

    def _fits(self, job: Job) -> bool:
        """Whether the context is long enough, and was not for long far longer than needed at the cost of sequences."""
        if self._sequences is None or job.room > self.layout.length:
            return False
        return self._short < SHORT_ROWS or job.room > self.layout.length // 2 or self.layout.count >= self._count(self._length(job.room))

    def _length(self, room: int) -> int:
        length = self._shortest
        while length < room:
            length *= 2
        return min(length, max(room, self._wanted.length))

    def _count(self, length: int) -> int:
        """Sequences at work."""
        most = max(1, self._fit(length) - self._shelves(self._wanted.count, length))
        return min(self._wanted.count, most, self._had.get(length, self._wanted.count))

    def _shelves(self, count: int, length: int) -> int:
        """Sequences beside so many at work that keep beginnings."""
        return shelves(count, self._fit(length)) if self._keeps else 0

    def _fit(self, length: int) -> int:
        """Sequences in all that the memory of a cache holds."""
        return min(self._room // (length * self._cell), MOST)

    def _make(self, job: Job) -> bool:
        """A context long enough for the job; False when the job has failed for want of one, and the one before is back."""
        before, length = self._sequences.layout if self._sequences else None, self._length(job.room)
        trouble = "it was tried before"
        if before is None or self._count(length):
            self._release()
            try:
                self._open(length)
                return True
            except RuntimeUnavailable as error:
                if before is None:
                    raise
                trouble = error.title
            self._take(self._start(before))
            if job.room <= before.length:
                return True
        job.fail(f"The request needs room for {job.room} tokens, and a context of so many cannot be had: {trouble}")
        return False

    def _open(self, length: int) -> None:
        """As many sequences as can be had; RuntimeUnavailable for none."""
        count = max(1, self._count(length))
        # Where memory was refused before there is none for beginnings either.
        kept = 0 if length in self._had else self._shelves(count, length)
        while True:
            try:
                self._take(self._start(self._wanted.of(count, length, kept)))
                return
            except RuntimeUnavailable:
                self._had[length] = count // 2
                if count == 1:
                    raise
                count, kept = count // 2, 0

    def _take(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._batch = Batch(sequences, self._constrainer, self._lookup)
        self._short = 0

    def _release(self) -> None:
        if self._batch:
            self._batch.close()
        if self._sequences:
            self._sequences.close()
        self._batch = self._sequences = None
