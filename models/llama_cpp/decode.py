"""One job after the other on a context of one sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.llama_cpp.context import Context
from models.llama_cpp.jobs import Job, Weighing, Writing


def decode(context: Context, job: Job, between: Callable[[], None]) -> None:
    """Bring a job that fits the context to its end; ModelError when llama.cpp or the schema's grammar fails on the way.

    `between` is called before each step.
    """
    if job.finish:
        return
    scores: Iterable[NDArray[np.float32]] = [context.start(job.goal)]
    held = len(job.goal)
    while True:
        between()
        for row in scores:
            _hand(job, row)
        if job.finish:
            return
        if isinstance(job, Writing):
            scores = [context.extend(job.goal[held:])]
        else:
            context.rewind(job.goal[: job.wanted])
            scores = context.follow(job.goal[job.wanted :])
        held = len(job.goal)


def _hand(job: Job, scores: NDArray[np.float32]) -> None:
    if isinstance(job, Weighing):
        job.look(scores)
    elif isinstance(job, Writing):
        try:
            token = job.chooser.choose(scores, job.constraint.allowed() if job.constraint else None)
        except ValueError as error:
            raise ModelError(f"No next token after {job.written}: {error}", "The weights may be damaged: compare their SHA-256.") from error
        job.take(token)
