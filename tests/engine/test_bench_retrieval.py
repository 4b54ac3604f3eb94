"""Measures of retrieval, and collections and queries as others publish them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bench_retrieval import Wanted, bench_retrieval, cards_file, measures, queries_in, reranked_hits
from engine.catalog.catalog import Catalog
from engine.errors import BadInput
from models.hashing import HashingEmbedder
from models.language import Completion, Request


def test_measures_are_those_of_the_books() -> None:
    gold = [("a", "a-alias"), ("b",), ("c",)]
    found = [("x",), ("a-alias",), ("b",), ("y",), ("z",), ("c",)]
    assert measures(gold, found) == pytest.approx({"P@5": 2 / 5, "R@5": 2 / 3, "R@10": 1.0, "MAP@5": (1 / 2 + 2 / 3) / 3, "MRR@5": 1 / 2})
    assert set(measures(gold, []).values()) == {0.0}


def test_a_data_set_found_twice_counts_once_for_recall() -> None:
    assert measures([("a", "b"), ("c",)], [("a",), ("b",)])["R@5"] == 1 / 2


def _lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_a_collection_of_papers_names_becomes_a_dump_that_goes_in(tmp_path: Path) -> None:
    collection = _lines(
        tmp_path / "c.jsonl",
        {"id": "WMT 2014", "contents": "Translations of news.", "variants": ["WMT 2014", "WMT14"]},
        {"id": "../up", "contents": "Levels of rivers."},
        {"id": "a/b", "card_markdown": "# Tales", "downloads": 7},
        {"id": "a/b", "card_markdown": "# Again"},
    )
    names = cards_file(collection, tmp_path / "dump.jsonl")
    catalog = Catalog(tmp_path / "catalog", HashingEmbedder)
    assert catalog.import_cards(tmp_path / "dump.jsonl").added == 3
    assert catalog.get(names["WMT 2014"]).card.downloads == 2
    assert names["a/b"] == "a/b"
    queries = _lines(
        tmp_path / "q.jsonl",
        {"query": "Translations of news", "documents": ["WMT 2014", ""]},
        {"query": "nothing is right", "documents": [""]},
        {"query": "Tales", "gold_cards": ["a/b"], "gold_alias_cards": ["../up"]},
    )
    wanted = queries_in(queries, names)
    assert [one.gold for one in wanted] == [((names["WMT 2014"],),), (("a/b", names["../up"]),)]
    told: list[str] = []
    found = bench_retrieval(catalog, wanted, None, 0.0, told.append)
    assert (found.cards, found.queries) == (3, 2)
    ours = next(arm for arm in found.arms if arm.name == "ours")
    assert (ours.scores["R@5"].mean, ours.scores["MRR@5"].mean) == (100.0, 100.0)
    assert 0 < ours.p50_ms <= ours.p95_ms
    assert len(told) == len(found.arms)


@pytest.mark.parametrize(
    ("name", "record", "says"),
    [("c", {"contents": "x"}, 'no text "id"'), ("q", {"query": "x"}, "gold_cards"), ("q", {"query": "x", "documents": [""]}, "no query")],
)
def test_files_of_something_else_are_refused_with_the_line(tmp_path: Path, name: str, record: Any, says: str) -> None:
    file = _lines(tmp_path / "file.jsonl", record)
    with pytest.raises(BadInput, match=says):
        cards_file(file, tmp_path / "out.jsonl") if name == "c" else queries_in(file, {})


class Weighing:
    """A model to which a task is the likelier, the more of its words a card has."""

    def prepare(self, calls: int) -> str:
        return ""

    def complete_many(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in reversed(list(requests)):
            if request.key == "0 0":
                yield Completion(request.key, "", "error", error="no answer")
                continue
            words = set(request.choices[0].lower().split())
            card = set(request.messages[1].content.lower().split())
            yield Completion(request.key, json.dumps([float(len(words & card))]), "stop")


def test_a_model_reranks_the_first_hits_and_what_it_does_not_answer_goes_last(tmp_path: Path) -> None:
    cards = _lines(
        tmp_path / "cards.jsonl",
        {"id": "a/most-downloaded", "card_markdown": "# News\n\nNews and translations of all kinds.", "downloads": 9_000_000},
        {"id": "a/apt", "card_markdown": "# Translations of news into Greek\n\nMade by hand.", "downloads": 1},
        {"id": "a/other", "card_markdown": "# Rivers\n\nTranslations of names of rivers.", "downloads": 5},
    )
    catalog = Catalog(tmp_path / "catalog", HashingEmbedder)
    catalog.import_cards(cards)
    query = "translations of news into greek"
    first = catalog.search(query, 10)
    (reranked,) = reranked_hits(Weighing(), catalog, [query], [first], lambda line: None)  # type: ignore[arg-type]
    assert {hit.id for hit in reranked} == {hit.id for hit in first}
    assert reranked[-1].id == first[0].id
    found = bench_retrieval(catalog, [Wanted(query=query, gold=(("a/apt",),))] * 3, Weighing(), 0.0, lambda line: None, rerank=2)  # type: ignore[arg-type]
    assert [arm.queries for arm in found.arms[-3:]] == [2, 2, 2] and found.rerank_seconds >= 0
