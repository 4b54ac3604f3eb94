"""A measured workload: rows that share a long beginning, differ in their tail and get answers of one length under a schema."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from models.language import Message, Request, Sampling

SHARED = 350
ROW = 54
ANSWER = 48
"""Tokens."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "minLength": 60, "maxLength": 60},
        # Longer than the answer may become, so that every answer has as many tokens, whoever writes it.
        "reason": {"type": "string", "minLength": 250, "maxLength": 300},
    },
    "required": ["summary", "reason"],
    "additionalProperties": False,
}

INSTRUCTION = (
    "Read the note at the end. Write a summary of it in one sentence and the reason why somebody wrote it down. These notes came before: "
)
WORDS = (
    "river bridge autumn market baker window letter garden winter harbour teacher lamp station rain morning kettle neighbour "
    "orchard path carpenter village school clock train summer boat mountain bread road evening doctor field storm cousin "
    "walks finds carries paints remembers opens sells follows counts repairs visits waits sings borrows plants closes "
    "old quiet green early broken narrow warm distant heavy bright empty careful small late wooden under near behind after"
).split()


class Workload(msgspec.Struct, frozen=True):
    """Requests, and how many tokens they share and differ in as this model counts."""

    requests: tuple[Request, ...]
    shared: int
    row: int
    """On average."""


def make_workload(
    tokens: Callable[[tuple[Message, ...]], Sequence[int]],
    rows: int,
    schema: dict[str, Any] | None = SCHEMA,
    instruction: str = INSTRUCTION,
) -> Workload:
    """`rows` requests whose prompts share SHARED tokens and have ROW of their own, nearly; `tokens` reads a chat as the model does."""
    random_words = random.Random(7)
    sentence = [random_words.choice(WORDS) for _ in range(4 * SHARED)]
    notes = [" ".join(random_words.choice(WORDS) for _ in range(ROW)) for _ in range(rows)]

    def chat(count: int, note: str) -> tuple[Message, ...]:
        return (Message("system", instruction + " ".join(sentence[:count]) + "."), Message("user", note))

    def shared_of(count: int) -> int:
        one, other = tokens(chat(count, "a")), tokens(chat(count, "1"))
        return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)

    count = _largest(lambda count: shared_of(count) <= SHARED, len(sentence))
    shared = shared_of(count)

    def longest(words: Sequence[str]) -> tuple[Message, ...]:
        length = _largest(lambda length: len(tokens(chat(count, " ".join(words[:length])))) <= shared + ROW, len(words))
        return chat(count, " ".join(words[:length]))

    requests = []
    total = 0
    for number, note in enumerate(notes):
        messages = longest(note.split())
        total += len(tokens(messages)) - shared
        requests.append(Request(f"row-{number}", messages, schema, Sampling(max_tokens=ANSWER)))
    return Workload(tuple(requests), shared, round(total / max(1, rows)))


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, at least 1, where all below a fitting one fit."""
    low, high = 1, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
