"""Whether many at once write what one after the other writes, and if not, whether rounding explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.language import Request, unhindered
from models.llama_cpp.jobs import Job, Writing
from models.llama_cpp.model import LlamaCppModel
from models.llama_cpp.options import Options
from models.llama_cpp.sampling import Chooser
from models.llama_cpp.workload import make_workload

KEPT = 8
"""Tokens whose scores are kept at every place of an answer."""


class Agreement(msgspec.Struct, frozen=True):
    """Greedy answers of both ways, row by row."""

    rows: int
    equal: int
    near_ties: int
    """Rows that part where the two tokens are closer than the noise."""
    unexplained: int
    noise: float
    """By how much the lead of the best token over the next differs between the two ways at most, in units of the scores, over
    `places` places where both took the same token."""
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
        together = _answers(model.run(_watched(model, requests), unhindered))
        tell("many at once: done")
        alone = _answers(model.run_singly(_watched(model, requests), unhindered))
        tell("one after the other: done")
    finally:
        model.close()
    return compared([(together[key], alone[key]) for key in alone])


def compared(pairs: Sequence[tuple[Writing, Writing]]) -> Agreement:
    """The agreement of answers to the same requests, many at once and alone, whose choosers were Watching."""
    noise = [difference for one, other in pairs for difference in _differences(one, other)]
    gaps = [_gap(one, other) for one, other in pairs if not _equal(one, other)]
    most = max(noise, default=0.0)
    near = sum(gap <= most for gap in gaps)
    return Agreement(
        rows=len(pairs),
        equal=len(pairs) - len(gaps),
        near_ties=near,
        unexplained=len(gaps) - near,
        noise=round(most, 4),
        usual_noise=round(float(np.median(noise)), 4) if noise else 0.0,
        places=len(noise),
        gaps=tuple(round(gap, 4) for gap in sorted(gaps)),
    )


class Watching(Chooser):
    """Chooses greedily for a job and keeps the scores of the best tokens at every place it is asked about."""

    def __init__(self, job: Writing) -> None:
        super().__init__(job.request.sampling, job.goal)
        self._job = job
        self.seen: dict[int, dict[int, float]] = {}
        """By tokens written before: the KEPT best tokens that are allowed, best first, with their scores."""

    @property
    def quick(self) -> bool:
        return False

    def choose(self, logits: NDArray[np.float32], allowed: NDArray[np.bool_] | None) -> int:
        scores = logits if allowed is None else np.where(allowed, logits, -np.inf)
        best = [int(token) for token in np.argsort(scores)[: -KEPT - 1 : -1] if np.isfinite(scores[token])]
        self.seen[self._job.written] = {token: float(scores[token]) for token in best}
        return super().choose(logits, allowed)


def _watched(model: LlamaCppModel, requests: Iterable[Request]) -> Iterator[Job]:
    for request in requests:
        job = model.job(request)
        if isinstance(job, Writing):
            job.chooser = Watching(job)
        yield job


def _answers(jobs: Iterable[Job]) -> dict[str, Writing]:
    """The answers by their requests' keys; ModelError for one that failed."""
    found = {}
    for job in jobs:
        if job.finish == "error" or not isinstance(job, Writing):
            raise ModelError(f"Row {job.request.key} got no answer: {job.error}")
        found[job.request.key] = job
    return found


def _equal(one: Writing, other: Writing) -> bool:
    return (one.goal, one.finish) == (other.goal, other.finish)


def _parting(one: Writing, other: Writing) -> int:
    """How many tokens two answers to one request have in common."""
    pairs = enumerate(zip(one.goal, other.goal, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one.goal), len(other.goal))) - one.prompt_tokens


def _differences(one: Writing, other: Writing) -> Iterator[float]:
    """How far the lead of the best token over the next differs, at places where both took the same token.

    Where they part the lead has changed its sign: that difference would explain every parting by itself.
    """
    parting = _parting(one, other)
    for place, alone in _seen(other).items():
        if (place < parting or _equal(one, other)) and len(alone) > 1 and (together := _seen(one).get(place)):
            best, second = islice(alone, 2)
            if best in together and second in together:
                yield abs((alone[best] - alone[second]) - (together[best] - together[second]))


def _gap(one: Writing, other: Writing) -> float:
    """Lead of one token over the other where two answers part, one after the other; where one ends, its end is its token.

    Infinite where the same tokens ended in two ways, or where one token was not even among the best.
    """
    place = _parting(one, other)
    scores = _seen(other).get(place, {})
    leads = []
    for job in (one, other):
        following = job.goal[job.prompt_tokens + place :][:1] or job.ends
        leads.append(max((scores[token] for token in following if token in scores), default=float("-inf")))
    gap = abs(leads[0] - leads[1])
    return float("inf") if one.goal == other.goal or np.isnan(gap) else gap


def _seen(job: Writing) -> dict[int, dict[int, float]]:
    assert isinstance(job.chooser, Watching)
    return job.chooser.seen
