"""What OpenAI-compatible servers answer, and how it is read."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from models.language import Completion, Request


class ServedModel(msgspec.Struct, frozen=True):
    """One entry of the server's list of models; servers name their limits differently."""

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    meta: dict[str, Any] | None = None


class ServedModels(msgspec.Struct, frozen=True):
    """What /models answers."""

    data: tuple[ServedModel, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The message of a choice; `content` is null when the model said nothing."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """The only choice asked for."""

    message: Reply
    finish_reason: str | None = None
    logprobs: Any = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What /chat/completions answers."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None


def read(request: Request, status: int, data: bytes, seconds: float) -> tuple[Completion, Any]:
    """The completion in a server's answer, and what the answer says of its tokens' probabilities."""
    if status != 200:
        return Completion(request.key, "", "error", seconds=seconds, error=f"The server answered {status}: {reason(data)}"), None
    try:
        answer = msgspec.json.decode(data, type=Answer)
        choice = answer.choices[0]
    except (msgspec.DecodeError, IndexError) as error:
        return Completion(request.key, "", "error", seconds=seconds, error=f"The server's answer cannot be read: {error}"), None
    usage = answer.usage or Usage()
    text = choice.message.content or ""
    counts = (usage.prompt_tokens, usage.completion_tokens, seconds)
    if choice.finish_reason == "length":
        return Completion(request.key, text, "length", *counts), choice.logprobs
    if choice.finish_reason not in ("stop", "eos", None):
        error_text = f"The server ended the answer with {choice.finish_reason!r}"
        return Completion(request.key, text, "error", *counts, error=error_text), None
    if request.schema is not None and not _is_json(text):
        return Completion(request.key, text, "error", *counts, error="The server ignored the schema: its answer is not JSON"), None
    return Completion(request.key, text, "stop", *counts), choice.logprobs


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def reason(data: bytes) -> str:
    """The server's own words, one line of at most 300 characters."""
    try:
        decoded = json.loads(data)
        error = decoded.get("error", decoded) if isinstance(decoded, dict) else decoded
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except ValueError:
        text = data[:300].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text[:300]).strip()
