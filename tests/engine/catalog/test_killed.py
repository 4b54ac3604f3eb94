"""A catalog whose building was killed at any moment comes out the same when it is built on."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.catalog.catalog import Catalog
from engine.catalog.vectors import VectorIndex
from models.hashing import HashingEmbedder

CARDS = 600
KILLS = 20
EMBEDDER = HashingEmbedder()


def _cards(path: Path) -> Path:
    draw = random.Random(4)
    words = [f"word{number}" for number in range(400)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(CARDS):
            text = f"# Set {number}\n\n{' '.join(draw.choices(words, k=20))}"
            file.write(json.dumps({"id": f"x/set-{number}", "card_markdown": text, "downloads": number}) + "\n")
    return path


def _build(folder: Path, cards: Path) -> None:
    Catalog(folder, HashingEmbedder).import_cards(cards)


def _held(folder: Path) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """Vector of every id, and what the text index holds of it."""
    with closing(sqlite3.connect(folder / "catalog.db")) as db:
        vectors = dict(db.execute("SELECT dataset, vector FROM vectors JOIN cards ON number = card"))
        words = db.execute("SELECT dataset, body FROM words JOIN cards ON number = words.rowid ORDER BY dataset").fetchall()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    return vectors, words


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    cards = _cards(tmp_path / "cards.jsonl")
    began = time.monotonic()
    _build(tmp_path / "whole", cards)
    seconds = time.monotonic() - began
    vectors, words = _held(tmp_path / "whole")
    assert len(vectors) == len(words) == CARDS
    spawn = multiprocessing.get_context("spawn")
    draw = random.Random(9)
    killed = 0
    for number in range(KILLS):
        folder = tmp_path / f"killed-{number}"
        process = spawn.Process(target=_build, args=(folder, cards))
        process.start()
        # Starting takes a while too: from the first trace of the catalog on.
        while process.is_alive() and not (folder / "catalog.db").exists():
            process.join(0.01)
        process.join(draw.uniform(0, seconds))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        found = Catalog(folder, HashingEmbedder)
        found.search("word1 word2", 5)  # the next start repairs what there is
        assert found.info().embedded == found.info().cards
        _build(folder, cards)
        assert _held(folder) == (vectors, words)
        index = VectorIndex(found._table, EMBEDDER.name, EMBEDDER.dimensions)
        index.refresh()
        queries = np.frombuffer(b"".join([*vectors.values()][:200]), dtype="<f4").reshape(200, -1)
        near, exact = index.nearest(queries, 25), index.exact(queries, 25)
        # Copies share their cosine, so which of them is the last one of 25 is chance.
        shared = [sum(value >= other[-1][1] - 1e-6 for _, value in one) / 25 for one, other in zip(near, exact, strict=True)]
        assert sum(shared) / len(shared) >= 0.98
    assert killed >= KILLS // 2
