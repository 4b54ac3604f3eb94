"""How fast a model reads and writes on this machine, measured, for telling a run's cost before it is spent."""

from __future__ import annotations

import msgspec

from models.errors import ModelError
from models.language import Completion, LanguageModel, Message, Request, Sampling

LONG_PROMPT_WORDS = 150
ANSWER_TOKENS = 32
COUNT = "Count from 1 to 100, one number a line."


class Rate(msgspec.Struct, frozen=True):
    """Tokens a second."""

    prompt: float
    """Read."""
    completion: float
    """Written."""

    def seconds(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Time that many tokens take."""
        return prompt_tokens / self.prompt + completion_tokens / self.completion


def measure_rate(model: LanguageModel) -> Rate:
    """Time a long prompt, then a short one with a one-token and with a long answer. Takes seconds; ModelError when it cannot answer.

    The long prompt shares no beginning with earlier ones, so nothing of it is already known to the runtime.
    """
    _ask(model, "Hi", 1)
    words = " ".join(f"{number} bottles" for number in range(LONG_PROMPT_WORDS))
    read = _ask(model, f"{words} How many?", 1)
    _ask(model, COUNT, 1)  # so that both times that follow find the prompt read
    began = _ask(model, COUNT, 1)
    wrote = _ask(model, COUNT, ANSWER_TOKENS)
    written = max(wrote.completion_tokens - began.completion_tokens, 1)
    return Rate(
        prompt=max(read.prompt_tokens, 1) / max(read.seconds, 1e-6),
        completion=written / max(wrote.seconds - began.seconds, wrote.seconds * 0.05, 1e-6),
    )


def _ask(model: LanguageModel, text: str, tokens: int) -> Completion:
    request = Request("rate", (Message("user", text),), sampling=Sampling(max_tokens=tokens))
    for completion in model.complete_many([request]):
        if completion.finish == "error":
            raise ModelError(f"{model.identity.name} cannot answer: {completion.error}", "Run `datatune doctor`.")
        return completion
    raise ModelError(f"{model.identity.name} gave no answer", "Run `datatune doctor`.")
