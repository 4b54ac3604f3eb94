"""Many requests at once: rows join as others end, what their prompts have in common is decoded once, one step serves all.

The same request with the same seed draws the same random numbers whatever else is in the batch. Its scores are the same up to
rounding: how many tokens share a step decides which kernels multiply them, so two tokens that are almost equally likely may change places.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.llama_cpp.constrain import Constrainer
from models.llama_cpp.jobs import Job, Weighing, Writing
from models.llama_cpp.sampling import Bits, choose_many
from models.llama_cpp.schedule import FEW, Schedule
from models.llama_cpp.sequences import DecodeFailed, Feed, Sequences
from models.llama_cpp.shelf import WORTH_SHARING, Shelf, common

NO_SCORE = "no token has a usable score"


class Batch:
    """Jobs on the sequences of one context."""

    def __init__(self, sequences: Sequences, constrainer: Callable[[], Constrainer], lookup: bool = True) -> None:
        """`lookup`: guess ahead what greedy answers copy from their prompts."""
        self._sequences = sequences
        self._schedule = Schedule(sequences, lookup)
        self._shelf = Shelf(sequences)
        self._constrainer = constrainer
        self._jobs: list[Job | None] = [None] * sequences.layout.count
        self._alone: list[Job] = []
        """Jobs of a step that failed: each is brought to its end by itself, to find the one at fault."""
        self._masking = ThreadPoolExecutor(1, thread_name_prefix="masks")
        self.steps = Steps()

    @property
    def free(self) -> int:
        """Sequences without a job."""
        return self._jobs.count(None)

    @property
    def busy(self) -> bool:
        """Whether any job is under way."""
        return self.free < len(self._jobs)

    def worth_waiting(self, job: Job) -> bool:
        """Whether a sequence is reading a beginning that the job could share, longer than any that is read."""
        if not self._sequences.rewinds:
            return False
        goal = np.asarray(job.goal[:-1], dtype=np.int32)
        read = max(common(self._sequences.held(sequence), goal) for sequence in range(self._sequences.layout.total))
        coming = max(
            (
                common(np.asarray(other.goal, dtype=np.int32), goal)
                for sequence, other in enumerate(self._jobs)
                if other and len(other.goal) - len(self._sequences.held(sequence)) >= FEW
            ),
            default=0,
        )
        return coming >= read + WORTH_SHARING

    def add(self, job: Job) -> None:
        """Give a job a free sequence: one that holds most of its prompt, or a copy of what another holds of it."""
        sequences, goal = self._sequences, np.asarray(job.goal[:-1], dtype=np.int32)
        held = [common(sequences.held(sequence), goal) for sequence in range(sequences.layout.total)]
        place = self._place(held)
        source = max(range(len(held)), key=lambda sequence: held[sequence])
        if sequences.rewinds and held[source] >= held[place] + WORTH_SHARING:
            sequences.share(source, place, held[source])
        else:
            sequences.keep(place, held[place])
        self._jobs[place] = job
        self._shelf.note(place, goal, max(held[: sequences.layout.count]))

    def step(self) -> list[Job]:
        """Decode once; the jobs that are done now."""
        started = time.perf_counter()
        done = self._finished()
        jobs = {sequence: job for sequence, job in enumerate(self._jobs) if job and (not self._alone or job is self._alone[0])}
        feeds = self._schedule.feeds(jobs)
        if not feeds:
            return done
        constraints = {
            feed.sequence: job.constraint
            for feed in feeds
            if feed.scored and isinstance(job := jobs[feed.sequence], Writing) and job.constraint
        }
        known = sum(len(job.goal) for job in jobs.values())
        # While the model decodes, not after: on two cores with a small model masks would take a tenth of the time.
        masks = self._masking.submit(self._constrainer().masks, [*constraints.values()]) if constraints else None
        failure: DecodeFailed | None = None
        try:
            scores = self._sequences.decode(feeds)
        except DecodeFailed as error:
            failure = error
        decoded = time.perf_counter()
        bits = dict(zip(constraints, masks.result(), strict=True)) if masks else {}
        masked = time.perf_counter()
        if failure:
            self._failed(feeds, failure)
        else:
            self._hand_over(feeds, scores, bits)
        ended = time.perf_counter()
        self._schedule.time(len(jobs), ended - started, sum(len(job.goal) for job in jobs.values()) - known)
        self._shelf.keep()
        tokens = sum(len(feed.tokens) for feed in feeds)
        self.steps.count(tokens, len(feeds), decoded - started, masked - decoded, ended - masked)
        for feed in feeds:
            if served := self._jobs[feed.sequence]:
                served.seconds += (ended - started) * len(feed.tokens) / tokens
        return done + self._finished()

    def drop(self) -> None:
        """Forget the jobs under way; what their sequences hold stays of use."""
        self._jobs = [None] * len(self._jobs)
        self._alone.clear()
        self._shelf.drop()

    def close(self) -> None:
        """End the masks' thread."""
        self.drop()
        self._masking.shutdown()

    def _place(self, known: Sequence[int]) -> int:
        """Of the free sequences that hold most of a prompt, `known` tokens, the one with most neighbours at work."""
        taken = [job is not None for job in self._jobs]
        free = [sequence for sequence, busy in enumerate(taken) if not busy]
        enough = max(known[sequence] for sequence in free) - WORTH_SHARING
        busy = [sequence for sequence, at_work in enumerate(taken) if at_work]

        def cost(sequence: int) -> tuple[int, int, int, int]:
            held = len(self._sequences.held(sequence))
            if self._sequences.layout.unified:
                return (0, 0, -known[sequence], held)
            # What is computed at once are sequences whose numbers follow each other, so holes cost whole steps.
            below = min((sequence - other for other in busy if other < sequence), default=len(taken))
            above = min((other - sequence for other in busy if other > sequence), default=len(taken))
            return (-[below, above].count(1), below + above, -known[sequence], held)

        return min((sequence for sequence in free if known[sequence] > enough), key=cost)

    def _hand_over(self, feeds: Sequence[Feed], scores: NDArray[np.float32], bits: Mapping[int, Bits]) -> None:
        """Give each job its scores; `bits` has the masks of sequences under a grammar."""
        rows: dict[int, int] = {}
        writing: list[Writing] = []
        row = 0
        for feed in feeds:
            job = self._jobs[feed.sequence]
            if isinstance(job, Writing) and feed.sequence in self._schedule.guesses and feed.scored > 1:
                self._check(feed, job, scores[row : row + feed.scored], bits.get(feed.sequence))
            elif isinstance(job, Writing) and feed.scored:
                rows[feed.sequence] = row
                writing.append(job)
            elif isinstance(job, Weighing):
                for place in range(row, row + feed.scored):
                    if not job.finish:
                        job.look(scores[place])
                if not job.finish:
                    self._rewind(feed.sequence, job)
            row += feed.scored
        if writing:
            some = scores if len(rows) == len(scores) else scores[[*rows.values()]]
            chosen = choose_many(some, _stacked(rows, bits, scores.shape[1]), [job.chooser for job in writing])
            for job, token in zip(writing, chosen, strict=True):
                self._take(job, token)
        failed = any(job.finish == "error" for feed in feeds if (job := self._jobs[feed.sequence]))
        if failed and not np.isfinite(scores.max(axis=1)).all():
            # What is no number in the cache can reach other sequences through cells they are told to ignore.
            self._sequences.clear()

    def _take(self, job: Writing, token: int | None) -> None:
        try:
            if job.constraint:
                job.constraint.check()
            if token is None:
                job.fail(f"No next token after {job.written}: {NO_SCORE}")
            else:
                job.take(token)
        except ModelError as error:
            job.fail(error.title)

    def _check(self, feed: Feed, job: Writing, scores: NDArray[np.float32], bits: Bits | None) -> None:
        """Take the guessed tokens as far as they are the best ones, and the best one after them."""
        guessed = self._schedule.guesses[feed.sequence]
        known = len(job.goal)
        right = 0
        while not job.finish:
            best = int(scores[right].argmax())
            if right < len(guessed) and best == guessed[right] and np.isfinite(scores[right, best]):
                # The grammar allows the guess, so the best of all tokens is also the best of those allowed.
                self._take(job, best)
                grown = job.goal[known:]
                # Tokens the grammar forces may follow the one that was right, and differ from the guess.
                right, bits = common(np.asarray(grown, dtype=np.int32), np.asarray(guessed, dtype=np.int32)), None
                if right < len(grown):
                    break
                continue
            if job.constraint and bits is None:
                bits = self._constrainer().masks([job.constraint])[0]
            self._take(job, choose_many(scores[right : right + 1], None if bits is None else bits[None], [job.chooser])[0])
            break
        if self._schedule.record:
            self._schedule.record.count(len(guessed), right)
        if not job.finish:
            self._rewind(feed.sequence, job)

    def _rewind(self, sequence: int, job: Job) -> None:
        """Forget what is not part of the goal any more."""
        held = self._sequences.held(sequence)
        self._sequences.keep(sequence, min(common(held, np.asarray(job.goal, dtype=np.int32)), job.wanted))

    def _finished(self) -> list[Job]:
        done: list[Job] = []
        for sequence, job in enumerate(self._jobs):
            if job and job.finish:
                done.append(job)
                self._jobs[sequence] = None
                if job in self._alone:
                    self._alone.remove(job)
        return done

    def _failed(self, feeds: Sequence[Feed], error: DecodeFailed) -> None:
        """Fail the only job of a step; of several, bring each to its end alone."""
        jobs = [job for feed in feeds if (job := self._jobs[feed.sequence])]
        if len(jobs) == 1:
            jobs[0].fail(f"{error.title}: {error.hint}" if error.hint else error.title)
        else:
            self._alone = [job for job in jobs if not job.finish]


class Steps:
    """Where the time of a batch's steps went, in seconds."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from here."""
        self.number = 0
        self.tokens = 0
        self.sequences = 0
        self.decode = 0.0
        self.masks = 0.0
        """Waiting for masks after the decode."""
        self.choice = 0.0
        """Choosing tokens and following the grammars."""

    def count(self, tokens: int, sequences: int, decode: float, masks: float, choice: float) -> None:
        """Add a step."""
        self.number += 1
        self.tokens += tokens
        self.sequences += sequences
        self.decode += decode
        self.masks += masks
        self.choice += choice


def _stacked(rows: Mapping[int, int], bits: Mapping[int, Bits], size: int) -> Bits | None:
    """The masks of these sequences, one below the other; None where none has one."""
    if not any(sequence in bits for sequence in rows):
        return None
    free: Bits = np.full((size + 31) // 32, -1, dtype=np.int32)
    return np.stack([bits.get(sequence, free) for sequence in rows])
