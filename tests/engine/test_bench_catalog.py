"""A catalog grown with perturbed copies is searched, measured and thrown away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.bench_catalog import bench_catalog
from engine.catalog.catalog import Catalog
from engine.errors import BadInput
from models.hashing import HashingEmbedder


def test_a_grown_catalog_is_measured_and_the_one_it_grew_from_stays_as_it_was(tmp_path: Path) -> None:
    front = "---\nlanguage: en\nlicense: mit\n---\n"
    cards = [
        {"id": f"x/{number}", "card_markdown": f"{front if number % 2 else ''}# Tides {number}\n\nLevels of the sea."}
        for number in range(8)
    ]
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(card) + "\n" for card in cards), "utf-8")
    catalog = Catalog(tmp_path / "index", HashingEmbedder)
    catalog.import_cards(tmp_path / "cards.jsonl")
    before = catalog.state_digest()
    found = bench_catalog(tmp_path / "index", HashingEmbedder(), ["tides", "levels of the sea"], 60, lambda line: None)
    assert (found.cards, found.real, found.queries) == (60, 8, 2)
    assert 0 < found.passing < 60
    assert found.all.recall >= 0.98 and found.narrowed.recall == 1.0
    assert 0 < found.all.p50_ms <= found.all.p95_ms
    assert found.memory_bytes > 1 << 20
    assert catalog.state_digest() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


def test_an_index_of_another_embedder_is_refused(tmp_path: Path) -> None:
    Catalog(tmp_path / "index", None).import_cards(_one(tmp_path))
    with pytest.raises(BadInput, match="no cards embedded with"):
        bench_catalog(tmp_path / "index", HashingEmbedder(), ["tides"], 60, lambda line: None)


def _one(folder: Path) -> Path:
    (folder / "one.jsonl").write_text(json.dumps({"id": "x/one", "card_markdown": "# Tides"}), "utf-8")
    return folder / "one.jsonl"
