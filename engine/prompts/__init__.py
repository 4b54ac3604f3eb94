"""What models are asked, one file per stage that asks. Text from cards, rows and users is delimited data, never instructions."""

from __future__ import annotations

from typing import Any

import msgspec

from models.language import Message


def chat(system: str, user: str) -> tuple[Message, ...]:
    """A system and a user turn."""
    return (Message("system", system), Message("user", user))


def quoted(text: str, limit: int) -> str:
    """Foreign text for a prompt: one block, control characters out, cut to `limit` characters, unable to close its own fence."""
    kept = "".join(ch for ch in text if ch in "\n\t" or ch.isprintable())
    kept = kept.replace("<<<", "‹‹‹").replace(">>>", "›››").strip()
    return f"<<<\n{kept[: limit - 1] + '…' if len(kept) > limit else kept}\n>>>"


def fields(text: str) -> dict[str, Any]:
    """The object in an answer; {} for an answer that holds none, however deep its brackets."""
    try:
        answer = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
