"""A new embedder: searches go on with the one before while the new one reads, and switching back costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.catalog.catalog import Catalog
from engine.errors import Unavailable
from models.embedding import Embedder
from models.hashing import HashingEmbedder


class Named(HashingEmbedder):
    """A hashing embedder of its own name that counts what it reads."""

    def __init__(self, name: str) -> None:
        super().__init__(64)
        self.name = name
        self.texts: list[str] = []

    def embed(self, texts):  # type: ignore[no-untyped-def]
        self.texts += texts
        return super().embed(texts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("engine.catalog.catalog.READ_AT_ONCE", 5)
    monkeypatch.setattr("engine.catalog.catalog.READ_BESIDE", 5)
    cards = [{"id": f"x/{number}", "card_markdown": f"# Set {number}\n\nAbout topic {number % 3}."} for number in range(12)]
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(card) + "\n" for card in cards), "utf-8")
    Catalog(tmp_path / "c", lambda: Named("old"), spec="old-spec").import_cards(tmp_path / "cards.jsonl")
    return tmp_path / "c"


def _changed(folder: Path, new: Embedder, reader: Callable[[str], Embedder] | None = None) -> tuple[Catalog, list[str]]:
    started: list[str] = []
    return Catalog(folder, lambda: new, spec="new-spec", reader=reader, later=lambda: started.append("started")), started


def test_the_index_before_serves_until_the_new_one_is_whole(folder: Path) -> None:
    old, new = Named("old"), Named("new")
    opened: list[str] = []

    def reader(spec: str) -> Embedder:
        opened.append(spec)
        return old

    catalog, started = _changed(folder, new, reader)
    assert catalog.search("topic 2", 3)[0].likeness
    catalog.search("topic 1", 3)
    assert (opened, started, new.texts) == (["old-spec"], ["started"], [])
    assert old.texts == ["topic 2", "topic 1"]
    assert catalog.reading
    seen: list[int] = []
    Catalog(folder, lambda: Named("new"), spec="new-spec").read_all(lambda progress: seen.append(progress.done))
    assert seen == [5, 5, 2]
    assert catalog.search("topic 2", 3)[0].likeness
    assert new.texts == ["topic 2"]
    assert not catalog.reading
    assert catalog.info().embedder == "new"
    # Back again: nothing is read but the query.
    again = Named("old")
    Catalog(folder, lambda: again, spec="old-spec").search("topic 0", 3)
    assert again.texts == ["topic 0"]


def test_without_the_embedder_before_words_find_what_is_not_read_yet(folder: Path) -> None:
    def reader(spec: str) -> Embedder:
        raise Unavailable("its folder is gone")

    catalog, started = _changed(folder, Named("new"), reader)
    hits = catalog.search("topic 2", 12)
    assert hits and all(hit.likeness is None for hit in hits)
    assert started == ["started"]


def test_a_few_new_cards_are_read_at_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(json.dumps({"id": "x/late", "card_markdown": "# Late\n\nTides."}) + "\n", "utf-8")
    Catalog(folder, None).import_cards(tmp_path / "more.jsonl")
    old = Named("old")
    catalog, started = _changed(folder, old)
    assert catalog.search("tides late", 1)[0].id == "x/late"
    assert (started, len(old.texts)) == ([], 2)
