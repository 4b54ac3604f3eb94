"""Weights learnt from queries: what is chosen, and that what is left out has no say in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.bench_retrieval import Wanted
from engine.bench_weights import FOLDS, SETTINGS, learn, recalls
from engine.catalog.catalog import Catalog
from engine.catalog.search import Query
from models.hashing import HashingEmbedder
from tests.engine.test_bench_retrieval import _lines


def test_the_setting_that_is_best_everywhere_is_chosen_everywhere() -> None:
    table = np.zeros((20, len(SETTINGS)))
    table[:, 7] = 0.5
    found = learn([table, table[:10]])
    assert {(fold.words, fold.popularity) for fold in found.folds} == {(SETTINGS[7].words, SETTINGS[7].popularity)}
    assert (found.left_out, found.all, found.queries) == ((50.0, 50.0), (50.0, 50.0), (20, 10))


def test_what_is_left_out_does_not_choose() -> None:
    # Every query is found by a setting of its own alone, so whatever others choose finds nothing for it.
    table = np.eye(len(SETTINGS))[:FOLDS]
    found = learn([table])
    assert found.left_out == (0.0,)
    assert found.all == (100 / FOLDS,)


def test_a_set_with_many_queries_counts_no_more_than_one_with_few() -> None:
    many, few = np.zeros((100, len(SETTINGS))), np.zeros((10, len(SETTINGS)))
    many[:, 3] = 0.4
    few[:, 5] = 0.6
    found = learn([many, few])
    assert (found.words, found.popularity) == (SETTINGS[5].words, SETTINGS[5].popularity)


def test_recall_is_counted_for_every_setting_and_a_copy_counts_as_its_original(tmp_path: Path) -> None:

    body = "Translations of news from one language to another, made by hand for this."
    dump = _lines(
        tmp_path / "cards.jsonl",
        {"id": "a/plain", "card_markdown": f"# News\n\n{body}", "downloads": 5},
        {"id": "b/copy", "card_markdown": f"# News\n\n{body}", "downloads": 900},
        {"id": "c/rivers", "card_markdown": "# Rivers\n\nLevels of rivers, measured every day in spring.", "downloads": 7},
    )
    catalog = Catalog(tmp_path / "catalog", HashingEmbedder)
    catalog.import_cards(dump)
    (weighed,) = catalog.weighed([Query("translations of news")], 250)
    assert recalls(Wanted(query="", gold=(("a/plain",),)), weighed) == [1.0] * len(SETTINGS)
    assert recalls(Wanted(query="", gold=(("d/none",),)), weighed) == [0.0] * len(SETTINGS)
