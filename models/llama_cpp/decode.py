"""One answer: written token by token until it ends or its room does, or weighed among answers given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, RequestInvalid
from models.language import Sampling
from models.llama_cpp.constrain import Constraint
from models.llama_cpp.context import Context
from models.llama_cpp.sampling import Chooser

LEAST = -1e6
"""What an impossible answer gets: infinity is no JSON."""


class Answer(msgspec.Struct, frozen=True):
    """The tokens of an answer, without the one that ended it."""

    tokens: tuple[int, ...]
    finish: Literal["stop", "length"]


def decode(context: Context, prompt: Sequence[int], sampling: Sampling, ends: Collection[int], constraint: Constraint | None) -> Answer:
    """Answer a prompt shorter than the context; ModelError when llama.cpp or the schema's grammar fails on the way."""
    limit = min(sampling.max_tokens, context.length - len(prompt))
    if limit < 1:
        raise RequestInvalid(f"max_tokens is {sampling.max_tokens}", "Ask for at least one token.")
    chooser = Chooser(sampling, prompt)
    tokens: list[int] = []
    fresh = constraint.forced(limit) if constraint else []
    logits = context.start([*prompt])
    while True:
        if fresh:
            tokens += fresh
            if constraint and constraint.finished():
                return Answer(tuple(tokens), "stop")
            if len(tokens) >= limit:
                return Answer(tuple(tokens), "length")
            logits = context.extend(fresh)
        try:
            token = chooser.choose(logits, constraint.allowed() if constraint else None)
        except ValueError as error:
            raise ModelError(f"No next token after {len(tokens)}: {error}", "The weights may be damaged: compare their SHA-256.") from error
        if token in ends:
            return Answer(tuple(tokens), "stop")
        fresh = [token]
        if constraint:
            constraint.accept(token)
            fresh += constraint.forced(limit - len(tokens) - 1)


def likelihoods(context: Context, prompt: Sequence[int], answers: Sequence[Sequence[int]], ends: Collection[int]) -> list[float]:
    """Log-likelihood of each answer and of its end after the prompt, natural, summed over its tokens.

    The prompt is decoded once, and so is a beginning that answers share.
    """
    longest = max(map(len, answers))
    if len(prompt) + longest > context.length:
        title = f"The prompt has {len(prompt)} tokens and an answer {longest}, the context holds {context.length} for both"
        raise RequestInvalid(title, "Shorten the prompt or ask for a longer context.")
    closing = np.fromiter(ends, dtype=np.intp)
    # Sorted, answers with a common beginning are neighbours; the scores where two part are kept, by depth.
    ordered = sorted({tuple(answer) for answer in answers})
    forks = {_shared(one, other) for one, other in pairwise(ordered)}
    scores_at = {0: _log_softmax(context.start([*prompt]))}
    totals = [0.0]
    found: dict[tuple[int, ...], float] = {}
    before: tuple[int, ...] = ()
    for answer in ordered:
        depth = _shared(before, answer)
        context.rewind([*prompt, *answer[:depth]])
        scores = scores_at[depth]
        del totals[depth + 1 :]
        for token, following in zip(answer[depth:], context.follow(answer[depth:]), strict=True):
            totals.append(totals[-1] + float(scores[token]))
            scores = _log_softmax(following)
            if len(totals) - 1 in forks:
                scores_at[len(totals) - 1] = scores
        found[answer] = max(LEAST, totals[-1] + float(np.logaddexp.reduce(scores[closing])) if ends else totals[-1])
        before = answer
    return [found[tuple(answer)] for answer in answers]


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that two answers have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    scores = logits.astype(np.float64)
    scores -= scores.max()
    scores -= np.log(np.exp(scores).sum())
    if not np.isfinite(scores.max()):
        raise ModelError("The scores of the next token are not numbers", "The weights may be damaged: compare their SHA-256.")
    return scores
