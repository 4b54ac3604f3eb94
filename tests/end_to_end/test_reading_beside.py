"""Cards are read by a process of their own when an embedder has many to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog.catalog import READ_AT_ONCE, Catalog
from engine.locations import Locations
from engine.process import start_reading


def test_the_process_reads_all_cards_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATATUNE_HOME", str(tmp_path))
    locations = Locations(tmp_path).ensure()
    cards = [{"id": f"x/{number}", "card_markdown": f"# Set {number}"} for number in range(READ_AT_ONCE + 50)]
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(card) + "\n" for card in cards), "utf-8")
    Catalog(locations.catalog, None).import_cards(tmp_path / "cards.jsonl")
    process = start_reading("hashing", locations)
    assert process.wait(120) == 0
    info = Catalog(locations.catalog, None).info()
    assert info.embedded == info.cards == READ_AT_ONCE + 50
    assert info.embedder.startswith("hashing")
    assert (locations.logs / "catalog-embed.log").exists()
