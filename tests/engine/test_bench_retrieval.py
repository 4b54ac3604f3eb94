"""Measures of retrieval, and collections and queries as others publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.bench_retrieval import bench_retrieval, cards_file, measures, queries_in
from engine.catalog.catalog import Catalog
from engine.errors import BadInput
from models.hashing import HashingEmbedder


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
