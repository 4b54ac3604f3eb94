"""Answers to weigh, put to a chat server as a lettered menu: what is asked, and what its reply says of each answer."""

from __future__ import annotations

import json
import math
from string import ascii_uppercase
from typing import Any

import msgspec

from models.errors import RequestInvalid
from models.language import Message

CHOICE_LIMIT = 2000
"""Characters of one choice: a server reads all of them with every request."""
CHOSEN = 0.9
"""Share of the chosen letter where a server tells no probabilities; the others divide the rest."""
TOP = 20
"""Probabilities to ask for; servers refuse more."""
LEAST = -50.0
"""A letter that no listed token stands for gets at most the least listed, at least this."""


class TokenScore(msgspec.Struct, frozen=True):
    """One token and its log-probability; `top_logprobs` are the likeliest in its place."""

    token: str
    logprob: float
    top_logprobs: tuple[TokenScore, ...] = ()


class TokenScores(msgspec.Struct, frozen=True):
    """What a server tells of the tokens it wrote."""

    content: tuple[TokenScore, ...] | None = None


def menu_messages(messages: tuple[Message, ...], choices: tuple[str, ...]) -> tuple[Message, ...]:
    """The messages with the menu after the last user message; RequestInvalid for too many or too long choices."""
    if len(choices) > len(ascii_uppercase):
        title = f"A server weighs at most {len(ascii_uppercase)} choices, one for each letter; the request has {len(choices)}"
        raise RequestInvalid(title, "Ask for fewer, or use a model in this process.")
    longest = max(map(len, choices))
    if longest > CHOICE_LIMIT:
        title = f"A choice has {longest} characters, the context for a menu holds choices of at most {CHOICE_LIMIT}"
        raise RequestInvalid(title, "Ask for shorter ones, or use a model in this process.")
    texts = [choice.replace("\n", "\n   ") or "(empty)" for choice in choices]
    lines = [f"{letter}) {text}" for letter, text in zip(ascii_uppercase, texts, strict=False)]
    menu = "\n".join([*lines, "", "Answer with the letter of the best of these, nothing else."])
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    if last < 0:
        return (*messages, Message("user", menu))
    asked = Message("user", f"{messages[last].content}\n\n{menu}")
    return (*messages[:last], asked, *messages[last + 1 :])


def menu_schema(count: int) -> dict[str, Any]:
    """The schema of a reply: an object, since some servers take no other, with one letter."""
    letters = {"answer": {"type": "string", "enum": list(ascii_uppercase[:count])}}
    return {"type": "object", "properties": letters, "required": ["answer"], "additionalProperties": False}


def menu_scores(text: str, scores: Any, count: int) -> list[float]:
    """Log-likelihood of each choice, from the probabilities told or else from the letter chosen. RequestInvalid when it is no letter."""
    letters = ascii_uppercase[:count]
    told = _told(scores, letters)
    if told:
        return told
    chosen = _letter(text)
    if chosen not in tuple(letters):
        raise RequestInvalid("The server did not answer with one of the letters", "It may not support JSON schemas.")
    rest = math.log((1 - CHOSEN) / max(1, count - 1))
    return [round(math.log(CHOSEN) if letter == chosen else rest, 5) for letter in letters]


def _letter(text: str) -> str:
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        decoded = text
    if isinstance(decoded, dict):
        decoded = decoded.get("answer")
    return decoded.strip(' \n"').removesuffix(")") if isinstance(decoded, str) else ""


def _told(scores: Any, letters: str) -> list[float]:
    """From the first place where a letter was written; empty when the server tells nothing that can be used."""
    try:
        content = msgspec.convert(scores, TokenScores).content if scores is not None else None
    except msgspec.ValidationError:
        return []
    for token in content or ():
        if len(_bare(token.token)) != 1 or _bare(token.token) not in letters:
            continue
        listed = [score for score in token.top_logprobs if math.isfinite(score.logprob)]
        if not listed:
            return []
        floor = max(LEAST, min(score.logprob for score in listed))
        sums = [[score.logprob for score in listed if _bare(score.token) == letter] for letter in letters]
        return [round(max(LEAST, math.log(sum(map(math.exp, some)))) if any(map(math.exp, some)) else floor, 5) for some in sums]
    return []


def _bare(token: str) -> str:
    return token.strip(' \n"{}:')
