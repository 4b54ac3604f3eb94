"""Answers questions about the catalog, one JSON object a line, for a screen that must not load the embedder itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from engine.catalog.catalog import Catalog
from engine.catalog.facets import Facets
from engine.errors import BadInput, EngineError
from engine.records import Value
from engine.rows_here import RowsHere

ROWS_SHOWN = 5
CARD_CHARACTERS = 30_000
CELL_CHARACTERS = 300


class Question(Value):
    """A line that comes in: a search with what narrows it, or a data set to be shown."""

    id: int
    search: str = ""
    k: int = 50
    language: str = ""
    licence: str = ""
    here: bool = False
    min_rows: int = 0
    max_rows: int = 0
    min_downloads: int = 0
    open: bool = False
    """Leave out what its owner gives to those alone who ask."""
    show: str = ""
    row: int = -1
    """Of the data set to be shown this row alone, of `config` and `split`."""
    config: str = ""
    split: str = ""


def serve(lines: Iterable[str], catalog: Catalog, rows: RowsHere, put: Callable[[dict[str, Any]], None]) -> None:
    """Answer every line, in order, with {id, hits}, {id, shown}, {id, row} or {id, error, hint}; ends when the lines do."""
    for line in lines:
        number = -1
        try:
            question = _question(line)
            number = question.id
            put({"id": number, **_answer(question, catalog, rows)})
        except EngineError as error:
            put({"id": number, "error": error.title, "hint": error.hint})


def _question(line: str) -> Question:
    try:
        return msgspec.json.decode(line, type=Question)
    except msgspec.DecodeError as error:
        raise BadInput(f"not a question: {error}", 'ask {"id": 1, "search": "tweets with their tone"}') from error


def _answer(question: Question, catalog: Catalog, rows: RowsHere) -> dict[str, Any]:
    if question.show and question.row >= 0:
        (row,) = rows.rows(question.show, question.config, question.split).take([question.row])
        return {"row": {name: _cell(value) for name, value in row.values.items()}}
    return _shown(question.show, catalog, rows) if question.show else _hits(question, catalog)


def _hits(question: Question, catalog: Catalog) -> dict[str, Any]:
    facets = Facets(
        languages=(question.language,) if question.language else (),
        licences=(question.licence,) if question.licence else (),
        least_rows=max(0, question.min_rows),
        most_rows=max(0, question.max_rows),
        least_downloads=max(0, question.min_downloads),
        open_only=question.open,
        only=catalog.here() if question.here else None,
    )
    hits = catalog.search(question.search, question.k, facets=facets)
    names = ("id", "score", "title", "reasons", "available", "aliases", "parts")
    found = [{name: msgspec.to_builtins(getattr(hit, name)) for name in names} for hit in hits]
    return {"hits": found, "cards": catalog.info().cards, "reading": catalog.reading}


def _shown(dataset: str, catalog: Catalog, rows: RowsHere) -> dict[str, Any]:
    entry = catalog.get(dataset)
    card = entry.card
    shown: dict[str, Any] = {
        "dataset": dataset,
        "title": card.title,
        "summary": card.summary,
        "card": card.raw[:CARD_CHARACTERS],
        "card_characters": len(card.raw),
        "licence": card.licence,
        "languages": list(card.languages),
        "downloads": card.downloads,
        "gated": card.gated,
        "columns": {name: card.columns.get(name, "") for name in entry.columns},
        "splits": {},
        "rows": [],
    }
    try:
        shown["splits"] = {config: list(splits) for config, splits in rows.splits(dataset).items()}
        config, splits = next(iter(shown["splits"].items()))
        source = rows.rows(dataset, config, splits[0])
        taken = source.take(range(min(ROWS_SHOWN, len(source))))
        shown["rows"] = [{name: _cell(value) for name, value in row.values.items()} for row in taken]
        shown["count"] = len(source)
    except (EngineError, StopIteration) as error:
        shown["missing"] = error.title if isinstance(error, EngineError) else "it has no rows"
    return {"shown": shown}


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"
