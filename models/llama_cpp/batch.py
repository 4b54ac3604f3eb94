"""Many requests at once: rows join as others end, what their prompts have in common is decoded once, one step serves all.

The same request with the same seed draws the same random numbers whatever else is in the batch. Its scores are the same up to
rounding: how many tokens share a step decides which kernels multiply them, so two tokens that are almost equally likely may change places.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.llama_cpp.constrain import Constrainer
from models.llama_cpp.jobs import Job, Weighing, Writing
from models.llama_cpp.lookup import Record, guess
from models.llama_cpp.sampling import choose_many
from models.llama_cpp.sequences import DecodeFailed, Feed, Sequences

FEW = 16
"""A sequence that lacks this many tokens reads them in a step of its own, where caches are separate."""
WORTH_SHARING = 16
"""Tokens a copied beginning must save: copying costs about as much as reading a few."""
FEW_WRITING = 4
"""With more answers under way a step has work enough, and guesses would only make it longer."""
NO_SCORE = "no token has a usable score"


class Batch:
    """Jobs on the sequences of one context."""

    def __init__(self, sequences: Sequences, constrainer: Callable[[], Constrainer], lookup: bool = True) -> None:
        """`lookup`: guess ahead what greedy answers copy from their prompts, while few are under way and guesses come true."""
        self._sequences = sequences
        self._lookup = Record() if lookup and sequences.rewinds else None
        self._guesses: dict[int, list[int]] = {}
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
        read = max(_common(self._sequences.held(sequence), goal) for sequence in range(len(self._jobs)))
        coming = max(
            (
                _common(np.asarray(other.goal, dtype=np.int32), goal)
                for sequence, other in enumerate(self._jobs)
                if other and len(other.goal) - len(self._sequences.held(sequence)) >= FEW
            ),
            default=0,
        )
        return coming >= read + WORTH_SHARING

    def add(self, job: Job) -> None:
        """Give a job a free sequence: the one that holds most of its prompt, or a copy of what another holds of it."""
        sequences, goal = self._sequences, np.asarray(job.goal[:-1], dtype=np.int32)
        common = [_common(sequences.held(sequence), goal) for sequence in range(len(self._jobs))]
        vacant = [sequence for sequence, taken in enumerate(self._jobs) if taken is None]
        place = max(vacant, key=lambda sequence: (common[sequence], -len(sequences.held(sequence))))
        source = max(range(len(self._jobs)), key=lambda sequence: common[sequence])
        if sequences.rewinds and common[source] >= common[place] + WORTH_SHARING:
            sequences.share(source, place, common[source])
        else:
            sequences.keep(place, common[place])
        self._jobs[place] = job

    def step(self) -> list[Job]:
        """Decode once; the jobs that are done now."""
        started = time.perf_counter()
        done = self._finished()
        feeds = self._feeds()
        if not feeds:
            return done
        constraints = [job.constraint for feed in feeds if feed.scored and isinstance(job := self._jobs[feed.sequence], Writing)]
        # While the model decodes, not after: on two cores with a small model masks would take a tenth of the time.
        masks = self._masking.submit(self._constrainer().masks, constraints) if any(constraints) else None
        failure: DecodeFailed | None = None
        try:
            scores = self._sequences.decode(feeds)
        except DecodeFailed as error:
            failure = error
        decoded = time.perf_counter()
        bits = masks.result() if masks else None
        masked = time.perf_counter()
        if failure:
            self._failed(feeds, failure)
        else:
            self._hand_over(feeds, scores, bits)
        ended = time.perf_counter()
        tokens = sum(len(feed.tokens) for feed in feeds)
        self.steps.count(tokens, len(feeds), decoded - started, masked - decoded, ended - masked)
        for feed in feeds:
            if job := self._jobs[feed.sequence]:
                job.seconds += (ended - started) * len(feed.tokens) / tokens
        return done + self._finished()

    def drop(self) -> None:
        """Forget the jobs under way; what their sequences hold stays of use."""
        self._jobs = [None] * len(self._jobs)
        self._alone.clear()

    def close(self) -> None:
        """End the masks' thread."""
        self.drop()
        self._masking.shutdown()

    def _feeds(self) -> list[Feed]:
        """What the next step decodes."""
        layout = self._sequences.layout
        self._guesses.clear()
        lacking = {
            sequence: len(job.goal) - len(self._sequences.held(sequence))
            for sequence, job in enumerate(self._jobs)
            if job and (not self._alone or job is self._alone[0])
        }
        if self._lookup and len(lacking) <= FEW_WRITING and self._lookup.promising:
            self._guess(lacking)
        if layout.unified:
            return self._together(lacking)
        reading = [sequence for sequence in lacking if lacking[sequence] >= FEW]
        if reading:
            return self._read(reading, lacking)
        # With few sequences the tokens a grammar forces go in at once; with many a step is full without.
        count = max(1, FEW // max(1, len(lacking)))
        return [feed for sequence in lacking if (feed := self._feed(sequence, min(count, lacking[sequence]), count))]

    def _read(self, reading: Sequence[int], lacking: dict[int, int]) -> list[Feed]:
        """Sequences that lack much, each as many tokens: llama.cpp would cut a batch of uneven parts into pieces."""
        feeds: list[Feed] = []
        room, outputs = self._sequences.layout.batch, self._sequences.outputs
        count = room
        for sequence in sorted(reading, key=lambda sequence: lacking[sequence]):
            feed = self._feed(sequence, min(lacking[sequence], count), outputs)
            if feed is None or len(feed.tokens) > room or (feeds and len(feed.tokens) < count):
                continue
            count = len(feed.tokens)
            room -= count
            outputs -= feed.scored
            feeds.append(feed)
        return feeds

    def _together(self, lacking: dict[int, int]) -> list[Feed]:
        """Tokens of all sequences in one batch, those that lack few first: they are writing."""
        feeds: list[Feed] = []
        room, outputs = self._sequences.layout.batch, self._sequences.outputs
        for sequence in sorted(lacking, key=lambda sequence: lacking[sequence]):
            feed = self._feed(sequence, min(lacking[sequence], room), outputs)
            if feed is None:
                continue
            room -= len(feed.tokens)
            outputs -= feed.scored
            feeds.append(feed)
        return feeds

    def _feed(self, sequence: int, count: int, outputs: int) -> Feed | None:
        """The next `count` tokens of a sequence, fewer where they want more scores than `outputs`; None for none."""
        job = self._jobs[sequence]
        assert job is not None
        held = len(self._sequences.held(sequence))
        wanted = max(job.wanted, held)
        count = min(count, wanted + outputs - held)
        if count <= 0:
            return None
        guessed = self._guesses.get(sequence, []) if held + count == len(job.goal) else []
        return Feed(sequence, [*job.goal[held : held + count], *guessed], max(0, held + count - wanted) + len(guessed))

    def _guess(self, lacking: dict[int, int]) -> None:
        """What greedy answers may say next, as far as their grammars allow."""
        share = min(FEW, self._sequences.outputs, self._sequences.layout.batch) // max(1, len(lacking)) - 1
        for sequence, lack in lacking.items():
            job = self._jobs[sequence]
            if not isinstance(job, Writing) or not job.chooser.greedy or lack >= share:
                continue
            most = min(share - lack, job.limit - job.written - 1, self._sequences.layout.length - len(job.goal))
            guessed = guess(job.goal, most) if most > 0 else []
            if job.constraint:
                guessed = guessed[: job.constraint.valid(guessed)] if guessed else []
            if guessed:
                self._guesses[sequence] = guessed

    def _hand_over(self, feeds: Sequence[Feed], scores: NDArray[np.float32], bits: NDArray[np.int32] | None) -> None:
        rows: list[int] = []
        writing: list[Writing] = []
        row = 0
        for feed in feeds:
            job = self._jobs[feed.sequence]
            if isinstance(job, Writing) and feed.sequence in self._guesses and feed.scored > 1:
                self._check(feed, job, scores[row : row + feed.scored], None if bits is None else bits[len(rows)])
                bits = None if bits is None else np.delete(bits, len(rows), axis=0)
            elif isinstance(job, Writing) and feed.scored:
                rows.append(row)
                writing.append(job)
            elif isinstance(job, Weighing):
                for place in range(row, row + feed.scored):
                    if not job.finish:
                        job.look(scores[place])
                if not job.finish:
                    self._rewind(feed.sequence, job)
            row += feed.scored
        if not writing:
            return
        chosen = choose_many(scores if len(rows) == len(scores) else scores[rows], bits, [job.chooser for job in writing])
        for job, token in zip(writing, chosen, strict=True):
            self._take(job, token)

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

    def _check(self, feed: Feed, job: Writing, scores: NDArray[np.float32], bits: NDArray[np.int32] | None) -> None:
        """Take the guessed tokens as far as they are the best ones, and the best one after them."""
        guessed = self._guesses[feed.sequence]
        known = len(job.goal)
        right = 0
        while not job.finish:
            best = int(scores[right].argmax())
            if right < len(guessed) and best == guessed[right] and np.isfinite(scores[right, best]):
                # The grammar allows the guess, so the best of all tokens is also the best of those allowed.
                self._take(job, best)
                grown = job.goal[known:]
                if grown != guessed[: len(grown)]:
                    break
                right, bits = len(grown), None
                continue
            if job.constraint and bits is None:
                bits = self._constrainer().masks([job.constraint])[0]
            self._take(job, choose_many(scores[right : right + 1], None if bits is None else bits[None], [job.chooser])[0])
            break
        if self._lookup:
            self._lookup.count(len(guessed), right)
        if not job.finish:
            self._rewind(feed.sequence, job)

    def _rewind(self, sequence: int, job: Job) -> None:
        """Forget what is not part of the goal any more."""
        held = self._sequences.held(sequence)
        self._sequences.keep(sequence, min(_common(held, np.asarray(job.goal, dtype=np.int32)), job.wanted))

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


def _common(held: NDArray[np.int32], goal: NDArray[np.int32]) -> int:
    """Tokens at the beginning that are the same."""
    length = min(len(held), len(goal))
    differ = held[:length] != goal[:length]
    return int(differ.argmax()) if differ.any() else length
