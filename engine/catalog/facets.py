"""Facets: facts of cards that a search can be narrowed to, and the condition that narrows it, inside the database."""

from __future__ import annotations

import json
import re

from engine.catalog.card import Card
from engine.records import Value

UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
MOST_ROWS = 10**15
"""Stands for "more than": no data set has so many rows."""

_NUMBER = re.compile(r"(\d+(?:[.,]\d+)*)\s*([kmbt]?)(?![a-z])", re.IGNORECASE)
_LESS = re.compile(r"\bn\s*<\s*\d|^\s*<")
_MORE = re.compile(r"\bn\s*>\s*\d|^\s*>|\d\s*[kmbt]?\s*<\s*n\s*(?!<)(?:,|$)", re.IGNORECASE)


class Facets(Value, frozen=True):
    """What a search is narrowed to; what is not set lets everything through. A card that does not state a facet asked for is out."""

    languages: tuple[str, ...] = ()
    """Codes, of which a card must state one; "pt" takes "pt-BR" too, and multilingual cards pass."""
    licences: tuple[str, ...] = ()
    """Of which a card must state one, as it writes them."""
    least_rows: int = 0
    most_rows: int = 0
    """0 for no bound. Cards state sizes as ranges: one that may reach into the bounds passes."""
    least_downloads: int = 0
    open_only: bool = False
    """Leave out what its owner gives to those alone who ask."""
    only: tuple[str, ...] | None = None
    """Ids among which to search; None for all."""

    def __bool__(self) -> bool:
        return self != EVERYTHING


EVERYTHING = Facets()


class CardFacets(Value, frozen=True):
    """The facets of one card, as they are stored."""

    languages: tuple[str, ...]
    licences: tuple[str, ...]
    least_rows: int | None
    """None where the card does not say how many rows there are."""
    most_rows: int | None
    downloads: int
    gated: bool


def facets_of(card: Card) -> CardFacets:
    """What a card states, in lower case."""
    rows = sum(config.rows for config in card.configs)
    least, most = (rows, rows) if rows else rows_stated(card.size)
    return CardFacets(
        languages=tuple(dict.fromkeys(language.lower() for language in card.languages)),
        licences=tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", card.licence.lower()) if part)),
        least_rows=least,
        most_rows=most,
        downloads=max(0, card.downloads),
        gated=card.gated,
    )


def rows_stated(size: str) -> tuple[int | None, int | None]:
    """Least and most rows of a size such as "1K<n<10K", "n<1K" or "12,400 rows"; None for a size that says nothing."""
    found = [float(number.replace(",", "")) * UNITS[unit.lower()] for number, unit in _NUMBER.findall(size) if _plain(number)]
    if not found:
        return None, None
    least = 0 if _LESS.search(size) and len(found) == 1 else int(min(found))
    most = MOST_ROWS if _MORE.search(size) else int(max(found))
    return least, most


def condition(facets: Facets, table: str = "facets") -> tuple[str, list[str | int]]:
    """The SQL that lets these facets through, over the columns of `table`, and its values. "1" where nothing is asked."""
    parts: list[str] = []
    values: list[str | int] = []
    if facets.languages:
        codes = [code.lower() for code in facets.languages]
        # Stored as " en pt-br ": a code is found whole, or as the part before a hyphen.
        patterns = [f"% {_literal(code)}{end}%" for code in codes for end in (" ", "-")] + ["% multilingual %", "% mul %"]
        parts.append(_one_of(f"{table}.languages", len(patterns)))
        values += patterns
    if facets.licences:
        parts.append(_one_of(f"{table}.licences", len(facets.licences)))
        values += [f"% {_literal(licence.lower())} %" for licence in facets.licences]
    if facets.least_rows:
        parts.append(f"{table}.most_rows >= ?")
        values.append(facets.least_rows)
    if facets.most_rows:
        parts.append(f"{table}.least_rows <= ?")
        values.append(facets.most_rows)
    if facets.least_downloads:
        parts.append(f"{table}.downloads >= ?")
        values.append(facets.least_downloads)
    if facets.open_only:
        parts.append(f"NOT {table}.gated")
    if facets.only is not None:
        parts.append(f"{table}.card IN (SELECT number FROM cards WHERE dataset IN (SELECT value FROM json_each(?)))")
        values.append(json.dumps(facets.only))
    return " AND ".join(parts) or "1", values


def _one_of(column: str, count: int) -> str:
    like = f"{column} LIKE ? ESCAPE '\\'"
    return f"({' OR '.join([like] * count)})"


def _plain(number: str) -> bool:
    return len(number) <= 20 and number.count(".") <= 1


def _literal(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
