"""Nearest cards: as many as there are, whatever hnswlib makes of copies and deletions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.catalog.card import parse_card
from engine.catalog.index import CardTable, Entry
from engine.catalog.search import words_of
from engine.catalog.vectors import VectorIndex


def _filled(folder: Path, vectors: np.ndarray) -> CardTable:
    table = CardTable(folder)
    entries = [Entry(card=parse_card(f"x/{number}", f"# {number}")) for number in range(len(vectors))]
    table.put([(entry, words_of(entry)) for entry in entries])
    table.put_vectors("e", [number for number, _ in table.without_vector("e")], vectors)
    return table


def _unit(count: int, dimensions: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(3).standard_normal((count, dimensions)).astype(np.float32)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_exact_search_steps_in_where_copies_cut_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = _unit(700)
    vectors[:600] = vectors[0]
    index = VectorIndex(_filled(tmp_path, vectors), "e", 16)
    index.refresh()
    exact: list[int] = []
    wrapped = index.exact

    def watched(queries: np.ndarray, k: int, among: object = None) -> list[list[tuple[int, float]]]:
        exact.append(k)
        return wrapped(queries, k)

    monkeypatch.setattr(index, "exact", watched)
    (found,) = index.nearest(vectors[-1:], 5000)
    assert exact == [700]
    assert len({number for number, _ in found}) == 700
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_nearest_agrees_with_exact_search(tmp_path: Path) -> None:
    vectors = _unit(1500)
    index = VectorIndex(_filled(tmp_path, vectors), "e", 16)
    index.refresh()
    queries = _unit(40)[20:]
    approximate = index.nearest(queries, 25)
    exact = index.exact(queries, 25)
    shared = [len({n for n, _ in one} & {n for n, _ in other}) / 25 for one, other in zip(approximate, exact, strict=True)]
    assert sum(shared) / len(shared) >= 0.98


def test_a_saved_index_is_taken_up_and_caught_up(tmp_path: Path) -> None:
    vectors = _unit(300)
    table = _filled(tmp_path, vectors)
    first = VectorIndex(table, "e", 16)
    first.save()
    extra = Entry(card=parse_card("x/late", "# late"))
    table.put([(extra, words_of(extra))])
    table.put_vectors("e", [number for number, _ in table.without_vector("e")], vectors[:1])
    table.remove("x/7")
    later = VectorIndex(table, "e", 16)
    later.refresh()
    first.refresh()
    assert len(later) == len(first) == 300
    assert later.nearest(vectors[:3], 10) == first.nearest(vectors[:3], 10)
    (best,) = later.nearest(vectors[:1], 2)
    assert {round(score, 4) for _, score in best} == {1.0}  # the card and its late copy
    assert len(list(tmp_path.glob("vectors-*"))) == 1


def test_an_index_without_vectors_finds_nothing(tmp_path: Path) -> None:
    index = VectorIndex(CardTable(tmp_path / "none"), "e", 16)
    index.refresh()
    assert index.nearest(_unit(2), 5) == [[], []]
