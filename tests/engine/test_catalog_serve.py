"""The catalog's answers to a screen: searches, data sets with their rows, single rows, and questions that make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.catalog.catalog import Catalog
from engine.catalog_serve import serve
from engine.rows_here import RowsHere
from models.hashing import HashingEmbedder
from tests.end_to_end.workbench import Workbench


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    bench = Workbench(tmp_path)
    (bench.data / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n# Weather notes\n\nNotes about the weather.\n")
    found = Catalog(tmp_path / "catalog", HashingEmbedder)
    found.add_folder(bench.data)
    cards = tmp_path / "cards.jsonl"
    cards.write_text(json.dumps({"id": "owner/rivers", "card_markdown": "# Rivers\n\nLevels of rivers in spring.", "downloads": 7}))
    found.import_cards(cards)
    return found


def asked(catalog: Catalog, *questions: Any) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    lines = [question if isinstance(question, str) else json.dumps(question) for question in questions]
    serve(lines, catalog, RowsHere(catalog, Path(catalog.info().path).parent / "cache"), answers.append)
    return answers


def test_a_search_gives_hits_and_facets_narrow_it(catalog: Catalog) -> None:
    every, here, licensed = asked(
        catalog,
        {"id": 1, "search": "notes about weather and rivers"},
        {"id": 2, "search": "notes about weather and rivers", "here": True},
        {"id": 3, "search": "rivers", "licence": "mit"},
    )
    assert (every["id"], every["cards"], {hit["id"] for hit in every["hits"]}) == (1, 2, {"local/notes", "owner/rivers"})
    assert [hit["id"] for hit in here["hits"]] == ["local/notes"] and here["hits"][0]["available"]
    assert [hit["id"] for hit in licensed["hits"]] == ["local/notes"]


def test_rows_and_downloads_narrow_it_too_and_parts_of_scores_are_told(catalog: Catalog) -> None:
    downloaded, small, none, open_to_all = asked(
        catalog,
        {"id": 1, "search": "rivers", "min_downloads": 7},
        {"id": 2, "search": "rivers", "max_rows": 10},
        {"id": 3, "search": "rivers", "min_rows": 1_000_000},
        {"id": 4, "search": "rivers", "open": True},
    )
    assert [hit["id"] for hit in downloaded["hits"]] == ["owner/rivers"] and not none["hits"] and not small["hits"]
    assert len(open_to_all["hits"]) == 2 and not open_to_all["reading"]
    (hit,) = downloaded["hits"]
    parts = hit["parts"]
    assert parts["meaning"] + parts["words"] + parts["popularity"] == pytest.approx(hit["score"], abs=1e-5)


def test_a_data_set_is_shown_with_its_first_rows_or_says_that_they_are_not_here(catalog: Catalog) -> None:
    here, away = asked(catalog, {"id": 1, "show": "local/notes"}, {"id": 2, "show": "owner/rivers"})
    shown = here["shown"]
    assert (shown["title"], shown["licence"], shown["count"], len(shown["rows"])) == ("Weather notes", "mit", 60, 5)
    assert shown["rows"][0]["number"] == "0" and list(shown["columns"]) == ["number", "note", "kind"]
    assert away["shown"]["rows"] == [] and "owner/rivers" in away["shown"]["missing"]


def test_one_row_is_read_by_its_place(catalog: Catalog) -> None:
    (answer,) = asked(catalog, {"id": 1, "show": "local/notes", "config": "default", "split": "train", "row": 41})
    assert answer["row"]["number"] == "41"


def test_what_makes_no_sense_is_answered_with_what_is_wrong_and_the_next_question_is_heard(catalog: Catalog) -> None:
    answers = asked(catalog, "{", '{"id": 1, "sarch": "x"}', {"id": 2, "show": "owner/nowhere"}, {"id": 3, "search": "rivers"})
    assert [answer["id"] for answer in answers] == [-1, -1, 2, 3]
    assert all("error" in answer for answer in answers[:3]) and "sarch" in answers[1]["error"]
    assert answers[3]["hits"]


def test_a_long_cell_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    (folder / "train.jsonl").write_text(json.dumps({"text": "y" * 100_000, "list": [1, 2]}) + "\n")
    catalog = Catalog(tmp_path / "catalog", HashingEmbedder)
    catalog.add_folder(folder)
    (answer,) = asked(catalog, {"id": 1, "show": "local/long"})
    row = answer["shown"]["rows"][0]
    assert len(row["text"]) == 300 and row["list"] == "[1, 2]"
