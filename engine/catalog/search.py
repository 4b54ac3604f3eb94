"""Search by words and by meaning, fused by rank, with reasons a person can check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from engine.catalog.index import CardTable, Entry, Found, Words
from engine.records import Value

FIELD_WEIGHTS = (6.0, 4.0, 2.0, 1.0)
"""BM25 weights of title, tags, summary, body."""
RANK_OFFSET = 60.0
WORDS_WEIGHT = 0.5
"""Reciprocal rank fusion: weight of the ranking by words against the one by meaning. Measured: words find cards for long task
descriptions better than meaning does, and for one-line ones worse; at a half both kinds keep most of what they can have."""
SAME_LANGUAGE = 1.1
OTHER_LANGUAGE = 0.5
GENERATED = 0.25
"""Factors for cards that state the language asked for, that state only others, and that a machine made for one project."""
QUERY_WORDS = 64
LEAST_DEPTH = 500
BODY_CHARACTERS = 20_000

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_CJK_RUN = re.compile(rf"[{_CJK}]+")
_EMPTY_WORDS = frozenset(
    "a about above after all also an and any are as at be been being between both but by can could do does each either for from "
    "given has have how if in into is it its may might more most must no nor not of on one or other our out should so some such "
    "than that the their them then there these they this those to two was we were what when where which who whose why will with "
    "would you your task dataset data set following provide provided based using use used need asked input output".split()
)


class Hit(Value, frozen=True):
    """One data set a search found."""

    id: str
    score: float
    """Fused, higher is better; comparable within one search only."""
    title: str = ""
    reasons: tuple[str, ...] = ()
    """Lines a person can check."""
    available: bool = False
    """Its rows are on this machine."""
    likeness: float | None = None
    """Cosine of the query's and the card's meaning, comparable between searches; None where meaning was not looked at."""


def words_of(entry: Entry) -> Words:
    """The texts an entry is found by. The embedded one leads with title and tags and holds the summary, never the raw body."""
    card = entry.card
    own_name = " ".join(_words(card.dataset.rsplit("/", 1)[-1]))
    title = card.title if own_name == " ".join(_words(card.title)) else f"{card.title} ({own_name})"
    tags = ", ".join(dict.fromkeys((*card.task_categories, *card.tags)))
    columns = ", ".join(entry.columns[:20])
    described = " ".join(f"{name}: {text}" for name, text in card.columns.items())[:2000]
    lines = (title, tags[:400], f"columns: {columns}"[:300] if columns else "", card.summary)
    return Words(
        title=_indexed(f"{card.title} {card.dataset} {own_name}"),
        tags=_indexed(f"{tags} {columns} {' '.join(card.languages)}"),
        summary=_indexed(f"{card.summary} {described}"),
        body=_indexed(card.raw[:BODY_CHARACTERS]),
        embedded="\n".join(line for line in lines if line),
    )


def fts_query(text: str) -> str:
    """An FTS5 query for any text: its telling words, quoted and joined by OR; "" when it has none."""
    return " OR ".join(f'"{word}"' for word in _telling(text))


def by_words(table: CardTable, text: str, depth: int) -> list[tuple[int, float]]:
    """(number, BM25 score) of the entries that share words with the text, best first."""
    query = fts_query(text)
    return table.match(query, depth, FIELD_WEIGHTS) if query else []


def fused(likeness: Mapping[int, float], worded: Sequence[tuple[int, float]]) -> dict[int, float]:
    """Number → weighted reciprocal rank fusion of the entries by cosine and by BM25 score."""
    meant = sorted((number for number, value in likeness.items() if value > 0), key=lambda number: -likeness[number])
    scores: dict[int, float] = {}
    for weight, ranking in ((1.0, meant), (WORDS_WEIGHT, [number for number, _ in worded])):
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + weight / (RANK_OFFSET + rank)
    return scores


def adjusted(score: float, found: Found, language: str | None) -> float:
    """The fused score, moved by the languages a card states and lowered for a machine-made one."""
    if language and found.languages:
        score *= SAME_LANGUAGE if any(_same_language(language, stated) for stated in found.languages) else OTHER_LANGUAGE
    return score * GENERATED if found.generated else score


def reasons_for(query: str, found: Found, likeness: float | None, language: str | None) -> tuple[str, ...]:
    """Why an entry was found: words of the query in its title, tags or summary, and how near it is in meaning."""
    held = {_stem(word) for word in _words(f"{found.dataset} {found.text}")}
    shared = [word for word in _telling(query) if _stem(word) in held][:8]
    lines = [f"matches: {', '.join(shared)}"] if shared else []
    if likeness is not None:
        lines.append(f"meaning {likeness:.2f}")
    if language and any(_same_language(language, stated) for stated in found.languages):
        lines.append(f"language: {language}")
    if found.generated:
        lines.append("made by a machine for one project")
    return tuple(lines)


def _telling(text: str) -> list[str]:
    """Distinct words of a query less those that say nothing, in order, at most 64."""
    words = dict.fromkeys(word for word in _words(text[:20_000]) if word not in _EMPTY_WORDS and (len(word) > 1 or not word.isascii()))
    return list(words)[:QUERY_WORDS] or list(dict.fromkeys(_words(text[:20_000])))[:QUERY_WORDS]


def _words(text: str) -> Iterator[str]:
    """Words in lower case; scripts without spaces as overlapping pairs of characters."""
    for match in _WORD.finditer(text.lower()):
        yield from _pairs(match[0]) if _CJK_RUN.match(match[0]) else (match[0],)


def _indexed(text: str) -> str:
    """The text as FTS5 stores it, so that its words are those a query asks for."""
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text.replace("_", " "))


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)] or [run]


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|s|e)$", "", word) if len(word) > 4 else word


def _same_language(wanted: str, stated: str) -> bool:
    return stated.lower() in ("multilingual", "mul") or stated.lower().split("-")[0] == wanted.lower().split("-")[0]
