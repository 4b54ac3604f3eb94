"""How long calls of a model will take on this machine."""

from __future__ import annotations

from engine.store.database import Connection
from engine.store.items import measured_rates
from models.language import LanguageModel

MANY_CALLS = 64
"""So many keep all sequences of a batch at work most of the time."""
FEW_MEASURED = 3
"""Calls that a rate can be told from."""


def expected_seconds(
    connection: Connection, model: LanguageModel, calls: int, prompt_tokens: int, completion_tokens: int, shared: int = 0
) -> float | None:
    """About how long so many new calls take: as the model was measured many at a time, else as its stored calls took; None for neither.

    Tokens are those of all calls together; `shared` of each prompt are the same in all.
    """
    if calls >= MANY_CALLS and (speed := model.speed):
        return (prompt_tokens - (calls - 1) * shared) / speed.read + completion_tokens / speed.written
    rates = measured_rates(connection, model.identity.digest)
    if rates.calls >= FEW_MEASURED:
        return prompt_tokens * rates.per_prompt_token + completion_tokens * rates.per_completion_token
    return None


def duration(seconds: float) -> str:
    """A time to be expected, in one unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
