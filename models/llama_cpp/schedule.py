"""What the next step decodes: tokens of prompts, of answers, and guesses ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.llama_cpp.jobs import Job, Writing
from models.llama_cpp.lookup import Record, guess
from models.llama_cpp.sequences import Feed, Sequences

FEW = 16
"""A sequence that lacks this many tokens reads them in a step of its own, where caches are separate."""
FEW_WRITING = 4
"""With more answers under way a step has work enough, and guesses would only make it longer."""
READINGS = 8
"""Reading steps in a row after which those that write get a step: answers to be weighed can keep a sequence reading for long."""


class Schedule:
    """Plans steps, for the sequences of one context."""

    def __init__(self, sequences: Sequences, lookup: bool) -> None:
        """`lookup`: guess ahead what greedy answers copy from their prompts, while few are under way and guesses come true."""
        self.guesses: dict[int, list[int]] = {}
        """Of the last step: what follows the goals of some sequences, by guess."""
        self.record = Record() if lookup and sequences.rewinds else None
        self._sequences = sequences
        self._readings = 0
        self._writing = False
        """Whether the last step had nothing to read but what was just written."""

    def time(self, under_way: int, seconds: float, written: int) -> None:
        """Note how long the last step took, and how many tokens it wrote."""
        if self.record and self._writing and under_way <= FEW_WRITING:
            self.record.time(under_way, bool(self.guesses), seconds, written)

    def feeds(self, jobs: Mapping[int, Job]) -> list[Feed]:
        """What to decode for these jobs, by sequence; sorted by sequence."""
        self.guesses.clear()
        lacking = {sequence: len(job.goal) - len(self._sequences.held(sequence)) for sequence, job in jobs.items()}
        if self.record and len(lacking) <= FEW_WRITING and self.record.promising(len(lacking)):
            self._guess(jobs, lacking)
        self._writing = max(lacking.values(), default=0) < FEW and all(isinstance(job, Writing) for job in jobs.values())
        feeds = self._as_one(jobs, lacking) if self._sequences.layout.unified else self._apart(jobs, lacking)
        # With caches of their own, llama.cpp computes at once only sequences whose numbers follow each other.
        return sorted(feeds, key=lambda feed: feed.sequence)

    def _apart(self, jobs: Mapping[int, Job], lacking: dict[int, int]) -> list[Feed]:
        """Either some sequences read or all take a token or a few: llama.cpp would cut a batch of uneven parts into pieces."""
        reading = [sequence for sequence in lacking if lacking[sequence] >= FEW]
        if reading and (self._readings < READINGS or len(reading) == len(lacking)):
            self._readings += 1
            return self._read(jobs, reading, lacking)
        self._readings = 0
        # With few sequences the tokens a grammar forces go in at once; with many a step is full without.
        count = max(1, FEW // max(1, len(lacking)))
        return [feed for sequence in lacking if (feed := self._feed(jobs, sequence, min(count, lacking[sequence]), count))]

    def _read(self, jobs: Mapping[int, Job], reading: Sequence[int], lacking: dict[int, int]) -> list[Feed]:
        """Sequences that lack much, each as many tokens: the one that lacks least, and those with numbers near its own."""
        feeds: list[Feed] = []
        room, outputs = self._sequences.layout.batch, self._sequences.outputs
        first = min(reading, key=lambda sequence: lacking[sequence])
        count = min(room, lacking[first])
        for sequence in sorted(reading, key=lambda sequence: abs(sequence - first)):
            feed = self._feed(jobs, sequence, count, outputs)
            if feed is None or len(feed.tokens) > room or (feeds and len(feed.tokens) < count):
                continue
            count = len(feed.tokens)
            room -= count
            outputs -= feed.scored
            feeds.append(feed)
        return feeds

    def _as_one(self, jobs: Mapping[int, Job], lacking: dict[int, int]) -> list[Feed]:
        """Tokens of all sequences in one batch, those that lack few first: they are writing."""
        feeds: list[Feed] = []
        room, outputs = self._sequences.layout.batch, self._sequences.outputs
        for sequence in sorted(lacking, key=lambda sequence: lacking[sequence]):
            feed = self._feed(jobs, sequence, min(lacking[sequence], room), outputs)
            if feed is None:
                continue
            room -= len(feed.tokens)
            outputs -= feed.scored
            feeds.append(feed)
        return feeds

    def _feed(self, jobs: Mapping[int, Job], sequence: int, count: int, outputs: int) -> Feed | None:
        """The next `count` tokens of a sequence, fewer where they want more scores than `outputs`; None for none."""
        job = jobs[sequence]
        held = len(self._sequences.held(sequence))
        wanted = max(job.wanted, held)
        count = min(count, wanted + outputs - held)
        if count <= 0:
            return None
        guessed = self.guesses.get(sequence, []) if held + count == len(job.goal) else []
        return Feed(sequence, [*job.goal[held : held + count], *guessed], max(0, held + count - wanted) + len(guessed))

    def _guess(self, jobs: Mapping[int, Job], lacking: dict[int, int]) -> None:
        """What greedy answers may say next, as far as their grammars allow."""
        share = min(FEW, self._sequences.outputs, self._sequences.layout.batch) // max(1, len(lacking)) - 1
        for sequence, lack in lacking.items():
            job = jobs[sequence]
            if not isinstance(job, Writing) or not job.chooser.greedy or lack >= share:
                continue
            most = min(share - lack, job.limit - job.written - 1, self._sequences.layout.length - len(job.goal))
            guessed = guess(job.goal, most) if most > 0 else []
            if job.constraint:
                guessed = guessed[: job.constraint.valid(guessed)] if guessed else []
            if guessed:
                self.guesses[sequence] = guessed
