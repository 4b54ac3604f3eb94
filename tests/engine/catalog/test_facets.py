"""Facets: what a card states, and searches that only what states it can enter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog.card import parse_card
from engine.catalog.catalog import Catalog
from engine.catalog.facets import EVERYTHING, MOST_ROWS, Facets, facets_of, rows_stated
from models.hashing import HashingEmbedder


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        ("1K<n<10K", (1_000, 10_000)),
        ("n<1K", (0, 1_000)),
        ("10M<n<100M, 1M<n<10M", (1_000_000, 100_000_000)),
        ("n>1T", (10**12, MOST_ROWS)),
        ("1k<10K", (1_000, 10_000)),
        ("12,400 rows", (12_400, 12_400)),
        ("List[str]", (None, None)),
        ("", (None, None)),
        ("9" * 60, (None, None)),
    ],
)
def test_sizes_are_read_as_ranges(size: str, rows: tuple[int | None, int | None]) -> None:
    assert rows_stated(size) == rows


def test_counted_rows_go_before_stated_ones() -> None:
    front = "---\nsize_categories: n<1K\ndataset_info:\n  features: []\n  splits:\n  - name: train\n    num_examples: 5000\n---\n# A"
    facets = facets_of(parse_card("a/b", front))
    assert (facets.least_rows, facets.most_rows) == (5000, 5000)


CARDS = {
    "a/english": "---\nlanguage: en\nlicense: mit\nsize_categories: 1K<n<10K\n---\n# Tales of the sea",
    "a/brazilian": "---\nlanguage: [pt-BR, es]\nlicense: [apache-2.0, cc-by-4.0]\nsize_categories: n<1K\n---\n# Tales of the forest",
    "a/many": "---\nlanguage: multilingual\nlicense: MIT\n---\n# Tales of everywhere",
    "a/gated": "---\nlanguage: en\nlicense: mit\nextra_gated_prompt: Ask.\nsize_categories: 1M<n<10M\n---\n# Tales of the court",
    "a/silent": "# Tales told by nobody",
}
DOWNLOADS = {"a/english": 50, "a/gated": 9000}


@pytest.fixture(params=["words and meaning", "words alone"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "c", HashingEmbedder if request.param == "words and meaning" else None)
    lines = [{"id": name, "card_markdown": text, "downloads": DOWNLOADS.get(name, 0)} for name, text in CARDS.items()]
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    made.import_cards(tmp_path / "cards.jsonl")
    return made


@pytest.mark.parametrize(
    ("facets", "left"),
    [
        (EVERYTHING, set(CARDS)),
        (Facets(languages=("en",)), {"a/english", "a/many", "a/gated"}),
        (Facets(languages=("pt",)), {"a/brazilian", "a/many"}),
        (Facets(languages=("PT-br", "en")), {"a/english", "a/brazilian", "a/many", "a/gated"}),
        (Facets(languages=("e",)), {"a/many"}),
        (Facets(languages=("%",)), {"a/many"}),
        (Facets(licences=("mit",)), {"a/english", "a/many", "a/gated"}),
        (Facets(licences=("CC-BY-4.0",)), {"a/brazilian"}),
        (Facets(licences=("_it",)), set()),
        (Facets(least_rows=5_000), {"a/english", "a/gated"}),
        (Facets(most_rows=500), {"a/brazilian"}),
        (Facets(least_downloads=50), {"a/english", "a/gated"}),
        (Facets(open_only=True, languages=("en",)), {"a/english", "a/many"}),
        (Facets(only=("a/silent", "a/gated", "x/unknown")), {"a/silent", "a/gated"}),
        (Facets(only=()), set()),
    ],
)
def test_a_search_finds_all_that_passes_and_nothing_else(catalog: Catalog, facets: Facets, left: set[str]) -> None:
    assert {hit.id for hit in catalog.search("tales", 10, facets=facets)} == left


def test_a_narrow_facet_finds_what_the_nearest_thousands_would_hide(tmp_path: Path) -> None:
    many = [{"id": f"x/sea-{number}", "card_markdown": f"# Tales of the sea, part {number}"} for number in range(1200)]
    rare = {"id": "x/rare", "card_markdown": "---\nlicense: mit\n---\n# Recipes"}
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*many, rare]), "utf-8")
    catalog = Catalog(tmp_path / "c", HashingEmbedder)
    catalog.import_cards(tmp_path / "cards.jsonl")
    found = catalog.search("Recipes as tales of the sea", 5, facets=Facets(licences=("mit",)))
    assert [hit.id for hit in found] == ["x/rare"]
    assert "x/rare" not in [hit.id for hit in catalog.search("tales of the sea", 5)]


def test_facets_follow_a_changed_and_a_removed_card(catalog: Catalog, tmp_path: Path) -> None:
    mit = Facets(licences=("mit",))
    (tmp_path / "again.jsonl").write_text(
        json.dumps({"id": "a/silent", "card_markdown": "---\nlicense: mit\n---\n# Tales told by nobody"}), "utf-8"
    )
    catalog.import_cards(tmp_path / "again.jsonl")
    assert "a/silent" in {hit.id for hit in catalog.search("tales", 10, facets=mit)}
    catalog.remove("a/silent")
    assert "a/silent" not in {hit.id for hit in catalog.search("tales", 10, facets=mit)}
