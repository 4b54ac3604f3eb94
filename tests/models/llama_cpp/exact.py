"""Sequences whose scores depend on exactly the tokens they hold, and jobs for them: any mistake of the bookkeeping shows in the answers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import RuntimeUnavailable
from models.language import Message, Request, Sampling, unhindered
from models.llama_cpp.jobs import Job, Weighing, Writing
from models.llama_cpp.options import LEAST_BATCH
from models.llama_cpp.sequences import DecodeFailed, Feed, Layout
from models.llama_cpp.together import Together

SIZE = 40
END = 0
ENDS = frozenset({END})
POISON = 39
NUMBERLESS = 38


def scores(tokens: Sequence[int]) -> NDArray[np.float32]:
    if tokens[-1] == NUMBERLESS:
        return np.full(SIZE, np.nan, dtype=np.float32)
    seed = hashlib.sha256(bytes(tokens)).digest()[:8]
    drawn = np.random.default_rng(int.from_bytes(seed, "little")).normal(size=SIZE).astype(np.float32)
    drawn[[POISON, NUMBERLESS]] = -9
    return drawn


class Exact:
    """Sequences without a model: the scores after some tokens are drawn from a generator those tokens seed."""

    def __init__(self, layout: Layout, rewinds: bool = True, scores: Callable[[Sequence[int]], NDArray[np.float32]] = scores) -> None:
        assert layout.batch >= max(layout.total, LEAST_BATCH)
        self.layout = layout
        self._scores = scores
        self.outputs = min(layout.batch, max(layout.total, 32))  # fewer than there are, so that long answers come in pieces
        self.rewinds = rewinds
        self.closed = False
        self.decoded = 0
        self.most = 0
        """Tokens decoded in all, and in one step at most."""
        self.pieces = 0
        """What llama.cpp computes one after the other: sequences whose numbers follow each other share a piece, token by token."""
        self.stepped: list[dict[int, int]] = []
        """Of each step, how many tokens by sequence."""
        self._held: list[list[int]] = [[] for _ in range(layout.total)]

    def held(self, sequence: int) -> NDArray[np.int32]:
        return np.asarray(self._held[sequence], dtype=np.int32)

    def keep(self, sequence: int, count: int) -> int:
        if count < len(self._held[sequence]):
            self._held[sequence] = self._held[sequence][: count if self.rewinds else 0]
        return len(self._held[sequence])

    def share(self, source: int, target: int, count: int) -> None:
        assert self.rewinds
        self._held[target] = self._held[source][:count]

    def decode(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        tokens = sum(len(feed.tokens) for feed in feeds)
        assert 0 < tokens <= self.layout.batch and all(len(feed.tokens) for feed in feeds)
        assert sum(feed.scored for feed in feeds) <= self.outputs
        assert sorted({feed.sequence for feed in feeds}) == [feed.sequence for feed in feeds]
        assert all(0 <= feed.scored <= len(feed.tokens) for feed in feeds)
        self.stepped.append({feed.sequence: len(feed.tokens) for feed in feeds})
        self.pieces += sum(feed.sequence - 1 not in self.stepped[-1] for feed in feeds)
        if any(POISON in feed.tokens for feed in feeds):
            self.clear()
            raise DecodeFailed("could not decode")
        rows = []
        for feed in feeds:
            held = self._held[feed.sequence]
            held += [int(token) for token in feed.tokens]
            assert len(held) <= self.layout.length
            rows += [self._scores(held[: len(held) - back]) for back in range(feed.scored - 1, -1, -1)]
        self.decoded += tokens
        self.most = max(self.most, tokens)
        return np.asarray(rows, dtype=np.float32).reshape(len(rows), SIZE)

    def clear(self) -> None:
        self._held = [[] for _ in self._held]

    def close(self) -> None:
        self.closed = True


def writing(name: str, prompt: Sequence[int], limit: int = 9, temperature: float = 0.0) -> Writing:
    request = Request(name, (Message("user", name),), None, Sampling(max_tokens=limit, temperature=temperature, seed=3))
    return Writing(request, prompt, limit, ENDS, None)


def weighing(name: str, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Weighing:
    return Weighing(Request(name, (Message("user", name),), choices=tuple(map(str, answers))), prompt, answers, ENDS)


def alone(job: Job) -> Job:
    """The job done in the plainest way: all its tokens again for every score."""
    while not job.finish:
        if isinstance(job, Writing):
            job.take(int(job.chooser.choose(scores(job.goal), None)))
        elif isinstance(job, Weighing):
            job.look(scores(job.goal[: job.wanted + 1]))
    return job


def told(job: Job) -> tuple[Any, ...]:
    if isinstance(job, Writing):
        return (job.request.key, job.finish, job.goal[job.prompt_tokens :])
    assert isinstance(job, Weighing)
    return (job.request.key, job.finish, job._weights)


def some_jobs(seed: int, count: int = 40) -> list[Job]:
    draw = random.Random(seed)
    shared = [draw.randrange(1, 30) for _ in range(60)]
    jobs: list[Job] = []
    for number in range(count):
        prompt = [*shared[: draw.choice((0, 30, 60, 60, 60))], *(draw.randrange(1, 30) for _ in range(draw.randrange(1, 30)))]
        if draw.random() < 0.3:
            answers = [[draw.randrange(1, 4) for _ in range(draw.choice((0, 1, 2, 5, 20)))] for _ in range(draw.randrange(1, 6))]
            jobs.append(weighing(str(number), prompt, answers))
        else:
            jobs.append(writing(str(number), prompt, draw.randrange(1, 20), draw.choice((0.0, 0.0, 0.8))))
    return jobs


class Opened:
    """A Together over exact sequences, with all the sequences it ever made and the layouts it asked for."""

    def __init__(self, layout: Layout, rewinds: bool = True, cell: int = 1, room: int = 1 << 40) -> None:
        self.made: list[Exact] = []
        self.asked: list[tuple[int, int]] = []
        self._room = room
        self._rewinds = rewinds
        self.together = Together(self._start, cell, layout, lambda: pytest.fail("no grammar was asked for"))  # type: ignore[arg-type]

    def _start(self, layout: Layout) -> Exact:
        self.asked.append((layout.count, layout.length))
        if layout.total * layout.length > self._room:
            raise RuntimeUnavailable("too much")
        self.made.append(Exact(layout, self._rewinds))
        return self.made[-1]

    def run(self, jobs: Sequence[Job | None] | Iterator[Job | None]) -> list[Job]:
        return list(self.together.run(iter(jobs), unhindered))
