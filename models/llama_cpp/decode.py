"""The generation loop of one answer: choose a token, decode it, until the answer ends or its room does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from models.errors import ModelError, RequestInvalid
from models.language import Sampling
from models.llama_cpp.constrain import Constraint
from models.llama_cpp.context import Context
from models.llama_cpp.sampling import Chooser


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
