"""What a card is found by, its words, and the reasons a person can check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from engine.catalog.facets import EVERYTHING, Facets
from engine.catalog.index import CardTable, Entry, Found, Words
from engine.catalog.languages import states
from engine.catalog.ranking import Parts
from engine.records import Value

FIELD_WEIGHTS = (6.0, 4.0, 2.0, 1.0)
"""BM25 weights of title, tags, summary, body."""
QUERY_WORDS = 64
RARE_WORDS = 32
POSTINGS = 10_000
"""Of a query's words the rarest are looked up: so many, which stand in so many cards together. Measured on 297 queries: R@5 stays
within a point of all 64 words' at half the time in 7,564 cards, a tenth in 100,000."""
LEAST_DEPTH = 250
"""Entries by meaning, and by words, that are weighed at least; from 200 to 1,000 measured no difference on 297 queries."""
BODY_CHARACTERS = 20_000

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_ENDING = re.compile(r"(?:ing|ed|es|s|e)$")
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
    aliases: tuple[str, ...] = ()
    """Other entries whose cards are copies of this one's, most downloads first."""
    parts: Parts | None = None
    """What the score is the sum of."""


class Query(Value, frozen=True):
    """What is searched for."""

    text: str
    also: tuple[str, ...] = ()
    """The same in other words, such as a model's; in meaning each counts as much as `text`, their words are not looked up."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All wordings that say something."""
        return tuple(text for text in (self.text, *self.also) if text.strip()) or (self.text,)


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


def by_words(table: CardTable, text: str, depth: int, facets: Facets = EVERYTHING) -> list[tuple[int, float]]:
    """(number, BM25 score) of the entries that share words with the text and pass the facets, best first."""
    words = _rare(table, _telling(text))
    return table.match(" OR ".join(f'"{word}"' for word in words), depth, FIELD_WEIGHTS, facets) if words else []


def _rare(table: CardTable, words: Sequence[str]) -> list[str]:
    """The rarest words, as many as are worth looking up: common ones take longest to look up and tell least."""
    counts = table.frequencies(words, POSTINGS)
    chosen: list[str] = []
    total = 0
    for word in sorted((word for word in words if counts[word]), key=lambda word: counts[word]):
        total += counts[word]
        if chosen and total > POSTINGS:
            break
        chosen.append(word)
    return chosen[:RARE_WORDS]


class Reasons:
    """Says why entries were found for one query."""

    def __init__(self, query: Query, language: str | None) -> None:
        self._language = language
        self._telling = [(word, _stem(word)) for word in _telling(query.text)]

    def of(self, found: Found, text: str, likeness: float | None) -> tuple[str, ...]:
        """Words of the query in an entry's name and text, how near it is in meaning, its language and its downloads."""
        held = {_stem(word) for word in _words(f"{found.dataset} {text}")}
        shared = [word for word, stem in self._telling if stem in held][:8]
        lines = [f"matches: {', '.join(shared)}"] if shared else []
        if likeness is not None:
            lines.append(f"meaning {likeness:.2f}")
        if self._language and states(found.languages, self._language):
            lines.append(f"language: {self._language}")
        if found.downloads:
            lines.append(f"{found.downloads:,} downloads")
        if found.generated:
            lines.append("made by a machine for one project")
        return tuple(lines)


def _telling(text: str) -> list[str]:
    """Distinct words of a query less those that say nothing, in order, at most 64."""
    words = dict.fromkeys(word for word in _words(text[:20_000]) if word not in _EMPTY_WORDS and (len(word) > 1 or not word.isascii()))
    return list(words)[:QUERY_WORDS] or list(dict.fromkeys(_words(text[:20_000])))[:QUERY_WORDS]


def _words(text: str) -> Iterator[str]:
    """Words in lower case; scripts without spaces as overlapping pairs of characters."""
    if text.isascii():
        yield from _ASCII_WORD.findall(text.lower())
        return
    for match in _WORD.finditer(text.lower()):
        yield from _pairs(match[0]) if _CJK_RUN.match(match[0]) else (match[0],)


def _indexed(text: str) -> str:
    """The text as FTS5 stores it, so that its words are those a query asks for."""
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text.replace("_", " "))


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)] or [run]


@lru_cache(100_000)
def _stem(word: str) -> str:
    return _ENDING.sub("", word) if len(word) > 4 else word
