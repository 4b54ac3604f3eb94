"""What one request wants of its sequence: tokens to hold next, scores to look at, and an answer in the end.

A job says which tokens its sequence must hold (`goal`) and after which of them it wants to see scores: those from `wanted` on.
As the sequence comes to hold them the scores are handed to the job one after the other; it sets the next goal or is done. So
nothing is lost when a sequence must be read again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.language import Completion, Request
from models.llama_cpp.constrain import Constraint
from models.llama_cpp.sampling import Chooser
from models.llama_cpp.vocabulary import Vocabulary

LEAST = -1e6
"""What an impossible answer gets: infinity is no JSON."""

Finish = Literal["", "stop", "length", "error"]


class Job(ABC):
    """One request on its way."""

    def __init__(self, request: Request, prompt: Sequence[int]) -> None:
        self.request = request
        self.prompt_tokens = len(prompt)
        self.goal = [*prompt]
        self.wanted = len(prompt) - 1
        self.seconds = 0.0
        """Time spent on it; of a step shared with others, the share of its tokens."""
        self.finish: Finish = ""
        self.error = ""

    @property
    @abstractmethod
    def room(self) -> int:
        """Tokens its sequence must be able to hold."""

    def fail(self, error: str) -> None:
        """End without an answer."""
        self.finish, self.error = "error", error

    def completion(self, vocabulary: Vocabulary) -> Completion:
        """What the request gets when the job is done."""
        assert self.finish
        if self.finish == "error":
            return Completion(self.request.key, "", "error", self.prompt_tokens, seconds=self.seconds, error=self.error)
        text, tokens = self._answer(vocabulary)
        return Completion(self.request.key, text, self.finish, self.prompt_tokens, tokens, self.seconds)

    @abstractmethod
    def _answer(self, vocabulary: Vocabulary) -> tuple[str, int]:
        """Text of the answer and how many tokens were decoded for it."""


class Failed(Job):
    """A request that cannot be served: over before it began."""

    def __init__(self, request: Request, prompt: Sequence[int], error: str) -> None:
        super().__init__(request, prompt)
        self.fail(error)

    @property
    def room(self) -> int:
        return self.prompt_tokens

    def _answer(self, vocabulary: Vocabulary) -> tuple[str, int]:
        return "", 0


class Writing(Job):
    """An answer is written token by token; those the grammar forces are taken without a choice."""

    def __init__(self, request: Request, prompt: Sequence[int], limit: int, ends: Collection[int], constraint: Constraint | None) -> None:
        super().__init__(request, prompt)
        self.limit = limit
        self.constraint = constraint
        self.chooser = Chooser(request.sampling, prompt)
        self.ends = ends
        self._extend(constraint.forced(limit) if constraint else [])

    @property
    def room(self) -> int:
        return self.prompt_tokens + self.limit

    @property
    def written(self) -> int:
        """Tokens of the answer so far."""
        return len(self.goal) - self.prompt_tokens

    def take(self, token: int) -> None:
        """The next token was chosen."""
        if token in self.ends:
            self.finish = "stop"
            return
        fresh = [token]
        if self.constraint:
            self.constraint.accept(token)
            fresh += self.constraint.forced(self.limit - self.written - 1)
        self._extend(fresh)

    def _extend(self, tokens: Sequence[int]) -> None:
        self.goal += tokens
        self.wanted = len(self.goal) - 1
        if tokens and self.constraint and self.constraint.finished():
            self.finish = "stop"
        elif self.written >= self.limit:
            self.finish = "length"

    def _answer(self, vocabulary: Vocabulary) -> tuple[str, int]:
        tokens = self.goal[self.prompt_tokens :]
        return vocabulary.text(tokens), len(tokens)


class Weighing(Job):
    """Given answers get their log-likelihoods; a beginning that several share is decoded once."""

    def __init__(self, request: Request, prompt: Sequence[int], answers: Sequence[Sequence[int]], ends: Collection[int]) -> None:
        super().__init__(request, prompt)
        self._answers = [tuple(answer) for answer in answers]
        self._weights: list[float] = []
        self._walk = self._weigh(frozenset(self._answers), np.fromiter(ends, dtype=np.intp))
        next(self._walk)

    @property
    def room(self) -> int:
        return self.prompt_tokens + max(map(len, self._answers))

    def look(self, scores: NDArray[np.float32]) -> None:
        """Take up the next scores wanted, shape (vocabulary,)."""
        self.wanted += 1
        try:
            self._walk.send(log_softmax(scores))
        except StopIteration:
            self.finish = "stop"
        except ModelError as error:
            self.fail(error.title)

    def _weigh(self, answers: Collection[tuple[int, ...]], closing: NDArray[np.intp]) -> Generator[None, NDArray[np.float32], None]:
        """Gets log-probabilities, sets goals. Each goal goes on where the one before can be rewound to."""
        prompt = self.goal
        ordered = sorted(answers)
        # Sorted, answers with a common beginning are neighbours; the scores where two part are kept, by depth.
        forks = {_shared(one, other) for one, other in pairwise(ordered)}
        scores = yield
        scores_at = {0: scores}
        totals = [0.0]
        found: dict[tuple[int, ...], float] = {}
        before: tuple[int, ...] = ()
        for answer in ordered:
            depth = _shared(before, answer)
            scores = scores_at[depth]
            del totals[depth + 1 :]
            self.goal, self.wanted = [*prompt, *answer], len(prompt) + depth
            for token in answer[depth:]:
                totals.append(totals[-1] + float(scores[token]))
                scores = yield
                if len(totals) - 1 in forks:
                    scores_at[len(totals) - 1] = scores
            found[answer] = max(LEAST, totals[-1] + float(np.logaddexp.reduce(scores[closing])) if len(closing) else totals[-1])
            before = answer
        self._weights = [found[answer] for answer in self._answers]

    def _answer(self, vocabulary: Vocabulary) -> tuple[str, int]:
        return json.dumps([round(weight, 5) for weight in self._weights]), sum(map(len, self._answers))


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that two answers have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities of the next token; ModelError when the scores are not numbers."""
    # Half of the time of weighing long answers would go into exponentials of double width.
    best = logits.max()
    scores = logits - best
    scores -= np.log(np.exp(scores).sum(dtype=np.float64))
    if not np.isfinite(scores.max()):
        raise ModelError("The scores of the next token are not numbers", "The weights may be damaged: compare their SHA-256.")
    return scores
