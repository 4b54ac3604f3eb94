"""Whether many at once write what one after the other writes, and if not, whether rounding explains it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from models.errors import ModelError
from models.language import unhindered
from models.llama_cpp.jobs import Job, Writing
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from models.llama_cpp.sequences import Feed
from models.llama_cpp.workload import make_workload

PLACES = 200
"""Places in answers at which both ways are asked for the lead of the best token over the next."""


class Agreement(msgspec.Struct, frozen=True):
    """Greedy answers of both ways, row by row."""

    rows: int
    equal: int
    near_ties: int
    """Rows that part where the two tokens are closer than the noise."""
    unexplained: int
    noise: float
    """By how much a lead differs between the two ways at most, in units of the scores, over `places` places."""
    usual_noise: float
    """The median."""
    places: int
    gaps: tuple[float, ...]
    """Lead of the one token over the other, where rows part."""


def agree(path: Path, options: Options, rows: int, cache: Path | None = None, tell: Callable[[str], None] = lambda line: None) -> Agreement:
    """Answer `rows` rows both ways, greedily and under a schema, and look at every row that differs. ModelError when one gets no answer."""
    model = LlamaCppModel(path, context_length=1024, options=options, cache=cache)
    try:
        model.prepare(1_000_000)
        tell(str(model.layout))
        requests = make_workload(model.tokens, rows).requests
        together = _answers(model.run(iter([model.job(request) for request in requests]), unhindered))
        tell("many at once: done")
        alone = _answers(model.run_singly(iter([model.job(request) for request in requests]), unhindered))
        tell("one after the other: done")
        parted = _parted(together, alone)
        noise = _noise(model, [*alone.values()])
        gaps = [_gap(model, one, other) for one, other in parted]
    finally:
        model.close()
    most = max(noise, default=0.0)
    near = sum(gap <= most for gap in gaps)
    return Agreement(
        rows=rows,
        equal=rows - len(parted),
        near_ties=near,
        unexplained=len(parted) - near,
        noise=round(most, 4),
        usual_noise=round(float(np.median(noise)), 4) if noise else 0.0,
        places=len(noise),
        gaps=tuple(round(gap, 4) for gap in sorted(gaps)),
    )


def _answers(jobs: Iterable[Job]) -> dict[str, Writing]:
    """The answers by their requests' keys; ModelError for one that failed."""
    found = {}
    for job in jobs:
        if job.finish == "error" or not isinstance(job, Writing):
            raise ModelError(f"Row {job.request.key} got no answer: {job.error}")
        found[job.request.key] = job
    return found


def _parted(together: dict[str, Writing], alone: dict[str, Writing]) -> list[tuple[Writing, Writing]]:
    """The two answers to each request that differ in their tokens or in how they ended."""
    pairs = [(together[key], alone[key]) for key in alone]
    return [(one, other) for one, other in pairs if (one.goal, one.finish) != (other.goal, other.finish)]


def _gap(model: LlamaCppModel, one: Writing, other: Writing) -> float:
    """Lead of one token over the other where two answers part, one after the other; where one ends, its end is its token.

    Infinite where the same tokens ended in two ways.
    """
    pairs = enumerate(zip(one.goal, other.goal, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(one.goal), len(other.goal)))
    if one.goal == other.goal:
        return float("inf")
    scores = model.single.start(other.goal[:place])
    leads = [max(float(scores[token]) for token in job.goal[place : place + 1] or job.ends) for job in (one, other)]
    return abs(leads[0] - leads[1])


def _noise(model: LlamaCppModel, jobs: list[Writing]) -> list[float]:
    """How far the lead of the best token over the next differs between both ways, at places in the answers."""
    jobs = [job for job in jobs if job.written >= 2]
    layout = model.layout
    sequences = model.start(layout)
    draw = random.Random(5)
    found: list[float] = []
    try:
        while len(found) < PLACES and jobs:
            some = [draw.choice(jobs) for _ in range(layout.count)]
            prefixes = [job.goal[: draw.randrange(job.prompt_tokens + 1, len(job.goal))] for job in some]
            for sequence, prefix in enumerate(prefixes):
                sequences.keep(sequence, 0)
                for begin in range(0, len(prefix) - 1, layout.batch):
                    sequences.decode([Feed(sequence, prefix[begin : min(begin + layout.batch, len(prefix) - 1)], 0)])
            scores = sequences.decode([Feed(sequence, prefix[-1:], 1) for sequence, prefix in enumerate(prefixes)]).copy()
            for prefix, row in zip(prefixes, scores, strict=True):
                single = model.single.start(prefix)
                second, best = np.argsort(single)[-2:]
                found.append(abs(float(single[best] - single[second]) - float(row[best] - row[second])))
    finally:
        sequences.close()
    return found[:PLACES]
